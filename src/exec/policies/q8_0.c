/* 8 bits, after a Hadamard transform of every head. */
#include "exec/cache.h"

extern const sal_cache_policy sal_cache_policy_q8_0;
const sal_cache_policy sal_cache_policy_q8_0 = {
    .name = "q8_0",
    .what = "8 bits and a scale for 32 features, heads turned",
    .keys = SAL_CACHE_Q8,
    .values = SAL_CACHE_Q8,
    .rotate = true,
};
