/* Asin: inverse sine, y in -pi/2..pi/2; y' = 1 / sqrt(1 - x^2). */
#include "ops/core/elementwise.h"

SAL_EW_FLOAT(asin, asin(x))

SAL_EW_VJP(asin, sal_b2(b, "Div", g,
                        sal_b1(b, "Sqrt",
                               sal_b2(b, "Sub", sal_b_like(b, x, 1.0), sal_b2(b, "Mul", x, x)))))

static const char *const asin_cases[] = {
    "f32[2,3,5]:-0.9..0.9",
    NULL,
};

const sal_op_desc sal_op_asin = {
    .name = "Asin",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE,
    .since = 7,
    .infer = sal_infer_float,
    .eval = asin_eval,
    .vjp = asin_vjp,
    .cases = asin_cases,
};
