/* Erf: y = 2 / sqrt(pi) * integral of exp(-t^2) over 0..x, so y' = 2 / sqrt(pi) * exp(-x^2). */
#include "ops/core/elementwise.h"

SAL_EW_FLOAT(erf, erf(x))

SAL_EW_VJP(erf, sal_b2(b, "Mul", g,
                       sal_b_mulc(b, sal_b1(b, "Exp", sal_b1(b, "Neg", sal_b2(b, "Mul", x, x))),
                                  1.12837916709551257390)))

static const char *const erf_cases[] = {
    "f32[2,3,5]:-2..2",
    "f32[1]",
    NULL,
};

const sal_op_desc sal_op_erf = {
    .name = "Erf",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE,
    .since = 9,
    .infer = sal_infer_float,
    .eval = erf_eval,
    .vjp = erf_vjp,
    .cases = erf_cases,
};
