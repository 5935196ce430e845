/* Sqrt: y = x^(1/2), y' = 1 / (2 y). */
#include "ops/core/elementwise.h"

SAL_EW_FLOAT(sqrt, sqrt(x))

SAL_EW_VJP(sqrt, sal_b2(b, "Div", g, sal_b_mulc(b, y, 2.0)))

static const char *const sqrt_cases[] = {
    "f32[2,3,5]:0.2..2",
    "f32[]:0.5..1.5",
    NULL,
};

const sal_op_desc sal_op_sqrt = {
    .name = "Sqrt",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE,
    .since = 6,
    .infer = sal_infer_float,
    .eval = sqrt_eval,
    .vjp = sqrt_vjp,
    .cases = sqrt_cases,
};
