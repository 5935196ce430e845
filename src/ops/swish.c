/* Swish: y = x sigmoid(alpha x). The derivative is that of the expansion. */
#include "ops/core/elementwise.h"

SAL_EW_SCALAR_F(swish, x / (1.0 + exp(-p[0] * x)))

static sal_status swish_eval(const sal_eval *e)
{
    static const sal_ew k = {swish_f, NULL, NULL};
    const sal_node *n = e->node;
    const double p[] = {sal_node_float(n, "alpha", 1.0)};
    return sal_ew_eval(e, 1, &k, p);
}

static sal_status swish_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    double alpha = sal_node_float(n, "alpha", 1.0);
    sal_vid x = n->in[0];
    sal_vid t = alpha == 1.0 ? x : sal_b_mulc(b, x, alpha);
    out[0] = sal_b2(b, "Mul", x, sal_b1(b, "Sigmoid", t));
    return b->st;
}

static const char *const swish_cases[] = {
    "f32[2,3,5]:-3..3",
    "f32[4] ; alpha=1.7",
    NULL,
};

const sal_op_desc sal_op_swish = {
    .name = "Swish",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE | SAL_OP_PIECEWISE,
    .since = 24,
    .infer = sal_infer_float,
    .eval = swish_eval,
    .expand = swish_expand,
    .cases = swish_cases,
};
