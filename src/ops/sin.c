/* Sin: y' = cos x. */
#include "ops/core/elementwise.h"

SAL_EW_FLOAT(sin, sin(x))

SAL_EW_VJP(sin, sal_b2(b, "Mul", g, sal_b1(b, "Cos", x)))

static const char *const sin_cases[] = {
    "f32[2,3,5]:-3..3",
    NULL,
};

const sal_op_desc sal_op_sin = {
    .name = "Sin",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE,
    .since = 7,
    .infer = sal_infer_float,
    .eval = sin_eval,
    .vjp = sin_vjp,
    .cases = sin_cases,
};
