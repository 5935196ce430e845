/* Cosh: hyperbolic cosine; y' = sinh x. */
#include "ops/core/elementwise.h"

SAL_EW_FLOAT(cosh, cosh(x))

SAL_EW_VJP(cosh, sal_b2(b, "Mul", g, sal_b1(b, "Sinh", x)))

static const char *const cosh_cases[] = {
    "f32[2,3,5]:-3..3",
    NULL,
};

const sal_op_desc sal_op_cosh = {
    .name = "Cosh",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE,
    .since = 9,
    .infer = sal_infer_float,
    .eval = cosh_eval,
    .vjp = cosh_vjp,
    .cases = cosh_cases,
};
