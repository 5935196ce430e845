/* Equal: a = b, element by element. */
#include "ops/core/elementwise.h"

SAL_EW_BINARY(equal, a == b, a == b, a == b)

static sal_status equal_infer(sal_infer *c)
{
    return sal_infer_compare(c, '=');
}

static const char *const equal_cases[] = {
    "f32[2,3,5] f32[3,1]",
    "f32[4]{1,2,3,4} f32[4]{1,3,2,4}",
    "i64[4]{1,2,3,4} i64[4]{1,3,2,4}",
    "bool[3] bool[3]",
    NULL,
};

const sal_op_desc sal_op_equal = {
    .name = "Equal",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE | SAL_OP_NOGRAD,
    .since = 11,
    .infer = equal_infer,
    .eval = equal_eval,
    .cases = equal_cases,
};
