/* Softplus: y = ln(1 + e^x), y' = sigmoid x. */
#include "ops/core/elementwise.h"

SAL_EW_FLOAT(softplus, (x > 0.0 ? x : 0.0) + log1p(exp(-fabs(x))))

/* max(x, 0) + ln(1 + e^-|x|): nothing overflows. */
static sal_status softplus_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    sal_vid x = n->in[0];
    sal_vid t = sal_b1(b, "Exp", sal_b1(b, "Neg", sal_b1(b, "Abs", x)));
    out[0] = sal_b2(b, "Add", sal_b1(b, "Relu", x), sal_b1(b, "Log", sal_b_addc(b, t, 1.0)));
    return b->st;
}

SAL_EW_VJP(softplus, sal_b2(b, "Mul", g, sal_b1(b, "Sigmoid", x)))

static const char *const softplus_cases[] = {
    "f32[2,3,5]:-3..3",
    "f32[4]:0.5..2",
    NULL,
};

const sal_op_desc sal_op_softplus = {
    .name = "Softplus",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE | SAL_OP_PIECEWISE,
    .since = 1,
    .infer = sal_infer_float,
    .eval = softplus_eval,
    .expand = softplus_expand,
    .vjp = softplus_vjp,
    .cases = softplus_cases,
};
