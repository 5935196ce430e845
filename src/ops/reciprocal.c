/* Reciprocal: y = 1 / x, y' = -y^2. */
#include "ops/core/elementwise.h"

SAL_EW_FLOAT(reciprocal, 1.0 / x)

SAL_EW_VJP(reciprocal, sal_b1(b, "Neg", sal_b2(b, "Mul", g, sal_b2(b, "Mul", y, y))))

static const char *const reciprocal_cases[] = {
    "f32[2,3,5]:0.3..2",
    "f32[4]:-2..-0.5",
    NULL,
};

const sal_op_desc sal_op_reciprocal = {
    .name = "Reciprocal",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE,
    .since = 6,
    .infer = sal_infer_float,
    .eval = reciprocal_eval,
    .vjp = reciprocal_vjp,
    .cases = reciprocal_cases,
};
