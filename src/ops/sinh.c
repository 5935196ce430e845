/* Sinh: hyperbolic sine; y' = cosh x. */
#include "ops/core/elementwise.h"

SAL_EW_FLOAT(sinh, sinh(x))

SAL_EW_VJP(sinh, sal_b2(b, "Mul", g, sal_b1(b, "Cosh", x)))

static const char *const sinh_cases[] = {
    "f32[2,3,5]:-3..3",
    NULL,
};

const sal_op_desc sal_op_sinh = {
    .name = "Sinh",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE,
    .since = 9,
    .infer = sal_infer_float,
    .eval = sinh_eval,
    .vjp = sinh_vjp,
    .cases = sinh_cases,
};
