/* Greater: a > b. */
#include "ops/core/elementwise.h"

SAL_EW_BINARY(greater, a > b, a > b, a > b)

static sal_status greater_infer(sal_infer *c)
{
    return sal_infer_compare(c, '>');
}

static const char *const greater_cases[] = {
    "f32[2,3,5] f32[3,1]",
    "f32[4]{1,2,3,4} f32[4]{1,3,2,4}",
    "i64[4]{1,2,3,4} i64[4]{1,3,2,4}",
    NULL,
};

const sal_op_desc sal_op_greater = {
    .name = "Greater",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE | SAL_OP_NOGRAD,
    .since = 9,
    .infer = greater_infer,
    .eval = greater_eval,
    .cases = greater_cases,
};
