/* Exact: what every other policy is compared with. */
#include "exec/cache.h"

extern const sal_cache_policy sal_cache_policy_f32;
const sal_cache_policy sal_cache_policy_f32 = {
    .name = "f32",
    .what = "float32, exact",
    .keys = SAL_CACHE_F32,
    .values = SAL_CACHE_F32,
    .rotate = false,
};
