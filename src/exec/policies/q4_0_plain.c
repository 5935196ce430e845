/* 4 bits without the Hadamard transform. */
#include "exec/cache.h"

extern const sal_cache_policy sal_cache_policy_q4_0_plain;
const sal_cache_policy sal_cache_policy_q4_0_plain = {
    .name = "q4_0-plain",
    .what = "4 bits and a scale for 32 features",
    .keys = SAL_CACHE_Q4,
    .values = SAL_CACHE_Q4,
    .rotate = false,
};
