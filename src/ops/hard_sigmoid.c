/* HardSigmoid: y = max(0, min(1, alpha x + beta)); the derivative is 0 at the borders, as in
 * PyTorch. */
#include "ops/core/elementwise.h"

SAL_EW_SCALAR_F(hard_sigmoid, isnan(x) ? x : fmax(0.0, fmin(1.0, p[0] * x + p[1])))

static sal_status hard_sigmoid_eval(const sal_eval *e)
{
    static const sal_ew k = {hard_sigmoid_f, NULL, NULL};
    const sal_node *n = e->node;
    const double p[] = {sal_node_float(n, "alpha", 0.2), sal_node_float(n, "beta", 0.5)};
    return sal_ew_eval(e, 1, &k, p);
}

static sal_status hard_sigmoid_vjp(sal_vjp *v)
{
    sal_builder *b = v->b;
    const sal_node *n = v->node;
    sal_vid g = v->gout[0];
    sal_vid y = n->out[0];
    if (!v->need[0])
        return b->st;
    sal_vid above = sal_b2(b, "Greater", y, sal_b_like(b, y, 0.0));
    sal_vid below = sal_b2(b, "Less", y, sal_b_like(b, y, 1.0));
    v->gin[0] = sal_b_mulc(b, sal_b_mask(b, sal_b2(b, "And", above, below), g),
                           sal_node_float(n, "alpha", 0.2));
    return b->st;
}

static const char *const hard_sigmoid_cases[] = {
    "f32[2,3,5]:-2.4..2.4",
    "f32[4]:2.6..4",
    "f32[4]:-4..-2.6 ; alpha=0.3 beta=0.4",
    NULL,
};

const sal_op_desc sal_op_hard_sigmoid = {
    .name = "HardSigmoid",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE | SAL_OP_PIECEWISE,
    .since = 6,
    .infer = sal_infer_float,
    .eval = hard_sigmoid_eval,
    .vjp = hard_sigmoid_vjp,
    .cases = hard_sigmoid_cases,
};
