/* Tan: tangent; y' = 1 + y^2. */
#include "ops/core/elementwise.h"

SAL_EW_FLOAT(tan, tan(x))

SAL_EW_VJP(tan, sal_b2(b, "Mul", g, sal_b_addc(b, sal_b2(b, "Mul", y, y), 1.0)))

static const char *const tan_cases[] = {
    "f32[2,3,5]:-1.2..1.2",
    NULL,
};

const sal_op_desc sal_op_tan = {
    .name = "Tan",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE,
    .since = 7,
    .infer = sal_infer_float,
    .eval = tan_eval,
    .vjp = tan_vjp,
    .cases = tan_cases,
};
