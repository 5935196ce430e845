/* Sign: -1, 0 or 1. */
#include "ops/core/elementwise.h"

SAL_EW_UNARY(sign, a > 0.0 ? 1.0 : a < 0.0 ? -1.0 : a, (a > 0) - (a < 0), a > 0)

static const char *const sign_cases[] = {
    "f32[2,3,5]",
    "f32[3]{-1.5,0.0,2.0}",
    "i64[3]{0,-2,5}",
    NULL,
};

const sal_op_desc sal_op_sign = {
    .name = "Sign",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE | SAL_OP_NOGRAD,
    .since = 9,
    .infer = sal_infer_same,
    .eval = sign_eval,
    .cases = sign_cases,
};
