/* Half precision, the usual choice. */
#include "exec/cache.h"

extern const sal_cache_policy sal_cache_policy_f16;
const sal_cache_policy sal_cache_policy_f16 = {
    .name = "f16",
    .what = "half precision",
    .keys = SAL_CACHE_F16,
    .values = SAL_CACHE_F16,
    .rotate = false,
};
