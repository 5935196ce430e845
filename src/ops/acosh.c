/* Acosh: inverse hyperbolic cosine of x >= 1; y' = 1 / sqrt(x^2 - 1). */
#include "ops/core/elementwise.h"

SAL_EW_FLOAT(acosh, acosh(x))

SAL_EW_VJP(acosh,
           sal_b2(b, "Div", g, sal_b1(b, "Sqrt", sal_b_addc(b, sal_b2(b, "Mul", x, x), -1.0))))

static const char *const acosh_cases[] = {
    "f32[2,3,5]:1.2..4",
    NULL,
};

const sal_op_desc sal_op_acosh = {
    .name = "Acosh",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE,
    .since = 9,
    .infer = sal_infer_float,
    .eval = acosh_eval,
    .vjp = acosh_vjp,
    .cases = acosh_cases,
};
