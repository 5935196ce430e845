/* ArgMin: index of the smallest element along an axis; the first one unless select_last_index. */
#include "ops/core/reduce.h"

static bool arg_min_better(double a, double b)
{
    return a < b;
}

static sal_status arg_min_eval(const sal_eval *e)
{
    return sal_arg_eval(e, arg_min_better);
}

static const char *const arg_min_cases[] = {
    "f32[2,3,5]",
    "f32[2,3,5] ; axis=-1 keepdims=0",
    "f32[2,4]{1,3,3,0,2,2,2,2} ; axis=1",
    "f32[2,4]{1,3,3,0,2,2,2,2} ; axis=1 select_last_index=1",
    "i64[5]{3,1,4,1,5} ; keepdims=0",
    NULL,
};

const sal_op_desc sal_op_arg_min = {
    .name = "ArgMin",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_NOGRAD,
    .since = 12,
    .infer = sal_infer_arg,
    .eval = arg_min_eval,
    .cases = arg_min_cases,
};
