/* Acos: inverse cosine, y in 0..pi; y' = -1 / sqrt(1 - x^2). */
#include "ops/core/elementwise.h"

SAL_EW_FLOAT(acos, acos(x))

SAL_EW_VJP(acos,
           sal_b1(b, "Neg",
                  sal_b2(b, "Div", g,
                         sal_b1(b, "Sqrt",
                                sal_b2(b, "Sub", sal_b_like(b, x, 1.0), sal_b2(b, "Mul", x, x))))))

static const char *const acos_cases[] = {
    "f32[2,3,5]:-0.9..0.9",
    NULL,
};

const sal_op_desc sal_op_acos = {
    .name = "Acos",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE,
    .since = 7,
    .infer = sal_infer_float,
    .eval = acos_eval,
    .vjp = acos_vjp,
    .cases = acos_cases,
};
