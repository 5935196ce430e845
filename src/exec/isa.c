/* Choice of the instruction set. */
#include "exec/isa.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

extern const sal_isa_table sal_isa_table__baseline;
#ifdef SAL_ISA_X86
extern const sal_isa_table sal_isa_table__avx2;
extern const sal_isa_table sal_isa_table__avx512;
#endif

static const sal_isa_table *isa_choose(void)
{
#ifdef SAL_ISA_X86
    const char *mask = getenv("SAL_CPU");
    /* The compiler's built-in asks CPUID and the operating system's register support. */
    __builtin_cpu_init();
    int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    int avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                 __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (mask != NULL && strcmp(mask, "baseline") == 0)
        avx2 = avx512 = 0;
    if (mask != NULL && strcmp(mask, "avx2") == 0)
        avx512 = 0;
    if (avx512)
        return &sal_isa_table__avx512;
    if (avx2)
        return &sal_isa_table__avx2;
#endif
    return &sal_isa_table__baseline;
}

const sal_isa_table *sal_isa(void)
{
    /* Racing threads compute the same answer. */
    static _Atomic(const sal_isa_table *) chosen;
    const sal_isa_table *t = atomic_load_explicit(&chosen, memory_order_acquire);
    if (t == NULL) {
        t = isa_choose();
        atomic_store_explicit(&chosen, t, memory_order_release);
    }
    return t;
}

bool sal_isa_vnni(void)
{
#ifdef SAL_ISA_X86
    return sal_isa() == &sal_isa_table__avx512 && __builtin_cpu_supports("avx512vnni") != 0;
#else
    return false;
#endif
}
