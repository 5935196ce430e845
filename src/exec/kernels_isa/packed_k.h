/* Formats of 256 numbers (packed_k.c), for the table in packed_rows.c. */
#ifndef SAL_EXEC_KERNELS_ISA_PACKED_K_H
#define SAL_EXEC_KERNELS_ISA_PACKED_K_H

#include "exec/packed_rows.h"

#define PACKED_K_ISA2(name, isa) name##__##isa
#define PACKED_K_ISA1(name, isa) PACKED_K_ISA2(name, isa)
#define PACKED_K(name)           PACKED_K_ISA1(name, SAL_ISA)

#define PACKED_K_DECLARE(id)                                                                       \
    void PACKED_K(sal_rows_##id)(float *, const uint8_t *, size_t, int64_t, const int8_t *,        \
                                 const float *, int64_t);                                          \
    void PACKED_K(sal_vnni_##id)(float *, const uint8_t *, size_t, int64_t, const int8_t *,        \
                                 const float *, int64_t);                                          \
    void PACKED_K(sal_unpack_##id)(float *, const void *, int64_t);

#if defined(__AVX2__)
PACKED_K_DECLARE(q2_k)
PACKED_K_DECLARE(q3_k)
PACKED_K_DECLARE(q4_k)
PACKED_K_DECLARE(q5_k)
PACKED_K_DECLARE(q6_k)
#endif

#endif
