/* ThresholdedRelu: y = x where x > alpha, else 0. */
#include "ops/core/elementwise.h"

SAL_EW_SCALAR_F(thresholded_relu, x > p[0] ? x : 0.0)

static sal_status thresholded_relu_eval(const sal_eval *e)
{
    static const sal_ew k = {thresholded_relu_f, NULL, NULL};
    const double p[] = {sal_node_float(e->node, "alpha", 1.0)};
    return sal_ew_eval(e, 1, &k, p);
}

static sal_status thresholded_relu_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    sal_vid x = n->in[0], alpha = sal_b_like(b, x, sal_node_float(n, "alpha", 1.0));
    out[0] = sal_b_mask(b, sal_b2(b, "Greater", x, alpha), x);
    return b->st;
}

static const char *const thresholded_relu_cases[] = {
    "f32[2,3,5]:1.1..3",
    "f32[2,3,5]:-3..0.9",
    "f32[4]{-2.0,0.2,0.8,2.5} ; alpha=0.5",
    NULL,
};

const sal_op_desc sal_op_thresholded_relu = {
    .name = "ThresholdedRelu",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE | SAL_OP_PIECEWISE,
    .since = 10,
    .infer = sal_infer_float,
    .eval = thresholded_relu_eval,
    .expand = thresholded_relu_expand,
    .cases = thresholded_relu_cases,
};
