/* IsNaN: true where the element is no number. */
#include "ops/core/elementwise.h"

SAL_EW_FLOAT(is_nan, isnan(x) ? 1.0 : 0.0)

static const char *const is_nan_cases[] = {
    "f32[4]{1,nan,-2,inf} ; ; nograd",
    "f32[2,3] ; ; nograd",
    NULL,
};

const sal_op_desc sal_op_is_nan = {
    .name = "IsNaN",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE | SAL_OP_NOGRAD,
    .since = 13,
    .infer = sal_infer_broadcast_bool,
    .eval = is_nan_eval,
    .cases = is_nan_cases,
};
