/* Products of packed rows with a vector: the parts that are compiled for each instruction set. */
#ifndef SAL_EXEC_PACKED_ROWS_H
#define SAL_EXEC_PACKED_ROWS_H

#include "base/block_type.h"

/* A vector in blocks of 32 signed bytes q; block i has the scale d and the sum s = d * (sum of its
 * q) at ds[2 i], ds[2 i + 1]. The vector is nearly d q. */
enum { SAL_Q8_BLOCK = 32 };

typedef void (*sal_q8_quantise_fn)(int8_t *q, float *ds, const float *x, int64_t n);
/* y[r] = dot of packed row r with the vector, r < rows; columns is a multiple of 32. */
typedef void (*sal_q8_rows_fn)(float *y, const uint8_t *w, size_t row_bytes, int64_t rows,
                               const int8_t *q, const float *ds, int64_t columns);

typedef struct sal_packed_isa {
    sal_q8_quantise_fn quantise;
    sal_q8_rows_fn rows[SAL_BLOCK_COUNT];      /* NULL: this format has none */
    sal_q8_rows_fn rows_vnni[SAL_BLOCK_COUNT]; /* with AVX-512 VNNI; NULL: as without */
    /* d[n * elements] = the numbers of n blocks, as block_type.h's unpack. */
    void (*unpack[SAL_BLOCK_COUNT])(float *d, const void *blocks, int64_t n);
    float (*dot)(const float *a, const float *b, int64_t n);
    /* y = x / sqrt(mean(x^2) + epsilon) * scale */
    void (*rms_norm)(float *y, const float *x, const float *scale, int64_t n, float epsilon);
} sal_packed_isa;

#endif
