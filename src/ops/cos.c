/* Cos: y' = -sin x. */
#include "ops/core/elementwise.h"

SAL_EW_FLOAT(cos, cos(x))

SAL_EW_VJP(cos, sal_b1(b, "Neg", sal_b2(b, "Mul", g, sal_b1(b, "Sin", x))))

static const char *const cos_cases[] = {
    "f32[2,3,5]:-3..3",
    NULL,
};

const sal_op_desc sal_op_cos = {
    .name = "Cos",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE,
    .since = 7,
    .infer = sal_infer_float,
    .eval = cos_eval,
    .vjp = cos_vjp,
    .cases = cos_cases,
};
