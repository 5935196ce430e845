/* Mish: y = x tanh(ln(1 + e^x)). The derivative is that of the expansion. */
#include "ops/core/elementwise.h"

SAL_EW_FLOAT(mish, x *tanh((x > 0.0 ? x : 0.0) + log1p(exp(-fabs(x)))))

static sal_status mish_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    sal_vid x = n->in[0];
    out[0] = sal_b2(b, "Mul", x, sal_b1(b, "Tanh", sal_b1(b, "Softplus", x)));
    return b->st;
}

static const char *const mish_cases[] = {
    "f32[2,3,5]:-3..3",
    NULL,
};

const sal_op_desc sal_op_mish = {
    .name = "Mish",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE | SAL_OP_PIECEWISE,
    .since = 18,
    .infer = sal_infer_float,
    .eval = mish_eval,
    .expand = mish_expand,
    .cases = mish_cases,
};
