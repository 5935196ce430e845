/* 8 bits without the Hadamard transform. */
#include "exec/cache.h"

extern const sal_cache_policy sal_cache_policy_q8_0_plain;
const sal_cache_policy sal_cache_policy_q8_0_plain = {
    .name = "q8_0-plain",
    .what = "8 bits and a scale for 32 features",
    .keys = SAL_CACHE_Q8,
    .values = SAL_CACHE_Q8,
    .rotate = false,
};
