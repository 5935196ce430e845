/* Tanh: y' = 1 - y^2. */
#include "ops/core/elementwise.h"

SAL_EW_FLOAT(tanh, tanh(x))

SAL_EW_VJP(tanh, sal_b2(b, "Mul", g, sal_b_addc(b, sal_b1(b, "Neg", sal_b2(b, "Mul", y, y)), 1.0)))

static const char *const tanh_cases[] = {
    "f32[2,3,5]:-2..2",
    "f32[]",
    NULL,
};

const sal_op_desc sal_op_tanh = {
    .name = "Tanh",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE | SAL_OP_PIECEWISE,
    .since = 6,
    .infer = sal_infer_float,
    .eval = tanh_eval,
    .vjp = tanh_vjp,
    .cases = tanh_cases,
};
