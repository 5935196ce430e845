/* Asinh: inverse hyperbolic sine; y' = 1 / sqrt(x^2 + 1). */
#include "ops/core/elementwise.h"

SAL_EW_FLOAT(asinh, asinh(x))

SAL_EW_VJP(asinh,
           sal_b2(b, "Div", g, sal_b1(b, "Sqrt", sal_b_addc(b, sal_b2(b, "Mul", x, x), 1.0))))

static const char *const asinh_cases[] = {
    "f32[2,3,5]:-3..3",
    NULL,
};

const sal_op_desc sal_op_asinh = {
    .name = "Asinh",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE,
    .since = 9,
    .infer = sal_infer_float,
    .eval = asinh_eval,
    .vjp = asinh_vjp,
    .cases = asinh_cases,
};
