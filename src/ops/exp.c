/* Exp: y = e^x. */
#include "ops/core/elementwise.h"

SAL_EW_FLOAT(exp, exp(x))

SAL_EW_VJP(exp, sal_b2(b, "Mul", g, y))

static const char *const exp_cases[] = {
    "f32[2,3,5]",
    "f32[7]:-2..2",
    NULL,
};

const sal_op_desc sal_op_exp = {
    .name = "Exp",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE,
    .since = 6,
    .infer = sal_infer_float,
    .eval = exp_eval,
    .vjp = exp_vjp,
    .cases = exp_cases,
};
