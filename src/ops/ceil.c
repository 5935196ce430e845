/* Ceil: smallest integer not below x; flat between the steps. */
#include "ops/core/elementwise.h"

SAL_EW_FLOAT(ceil, ceil(x))

static const char *const ceil_cases[] = {
    "f32[2,3,5]:-3..3",
    "f32[4]{-1.5,0.0,1.0,2.7}",
    NULL,
};

const sal_op_desc sal_op_ceil = {
    .name = "Ceil",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE | SAL_OP_NOGRAD,
    .since = 6,
    .infer = sal_infer_float,
    .eval = ceil_eval,
    .cases = ceil_cases,
};
