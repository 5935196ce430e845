/* Atan: inverse tangent; y' = 1 / (1 + x^2). */
#include "ops/core/elementwise.h"

SAL_EW_FLOAT(atan, atan(x))

SAL_EW_VJP(atan, sal_b2(b, "Div", g, sal_b_addc(b, sal_b2(b, "Mul", x, x), 1.0)))

static const char *const atan_cases[] = {
    "f32[2,3,5]:-3..3",
    NULL,
};

const sal_op_desc sal_op_atan = {
    .name = "Atan",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE,
    .since = 7,
    .infer = sal_infer_float,
    .eval = atan_eval,
    .vjp = atan_vjp,
    .cases = atan_cases,
};
