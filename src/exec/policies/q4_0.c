/* 4 bits, after a Hadamard transform of every head. */
#include "exec/cache.h"

extern const sal_cache_policy sal_cache_policy_q4_0;
const sal_cache_policy sal_cache_policy_q4_0 = {
    .name = "q4_0",
    .what = "4 bits and a scale for 32 features, heads turned",
    .keys = SAL_CACHE_Q4,
    .values = SAL_CACHE_Q4,
    .rotate = true,
};
