/* Sigmoid: y = 1 / (1 + e^-x), y' = y (1 - y). */
#include "ops/core/elementwise.h"

/* With e^-|x| nothing overflows and small values keep their digits. */
static double sigmoid_value(double x)
{
    double t = exp(-fabs(x));
    return x >= 0.0 ? 1.0 / (1.0 + t) : t / (1.0 + t);
}

SAL_EW_FLOAT(sigmoid, isnan(x) ? x : sigmoid_value(x))

SAL_EW_VJP(sigmoid,
           sal_b2(b, "Mul", g, sal_b2(b, "Mul", y, sal_b_addc(b, sal_b1(b, "Neg", y), 1.0))))

static const char *const sigmoid_cases[] = {
    "f32[2,3,5]:-3..3",
    "f32[]",
    NULL,
};

const sal_op_desc sal_op_sigmoid = {
    .name = "Sigmoid",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE | SAL_OP_PIECEWISE,
    .since = 6,
    .infer = sal_infer_float,
    .eval = sigmoid_eval,
    .vjp = sigmoid_vjp,
    .cases = sigmoid_cases,
};
