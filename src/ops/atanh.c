/* Atanh: inverse hyperbolic tangent; y' = 1 / (1 - x^2). */
#include "ops/core/elementwise.h"

SAL_EW_FLOAT(atanh, atanh(x))

SAL_EW_VJP(atanh,
           sal_b2(b, "Div", g, sal_b2(b, "Sub", sal_b_like(b, x, 1.0), sal_b2(b, "Mul", x, x))))

static const char *const atanh_cases[] = {
    "f32[2,3,5]:-0.9..0.9",
    NULL,
};

const sal_op_desc sal_op_atanh = {
    .name = "Atanh",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE,
    .since = 9,
    .infer = sal_infer_float,
    .eval = atanh_eval,
    .vjp = atanh_vjp,
    .cases = atanh_cases,
};
