/* bfloat16: the range of float32 with 8 bits of precision. */
#include "exec/cache.h"

extern const sal_cache_policy sal_cache_policy_bf16;
const sal_cache_policy sal_cache_policy_bf16 = {
    .name = "bf16",
    .what = "bfloat16",
    .keys = SAL_CACHE_BF16,
    .values = SAL_CACHE_BF16,
    .rotate = false,
};
