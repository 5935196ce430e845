/* Mean: mean of any number of tensors, broadcast. */
#include "ops/core/elementwise.h"

static double mean_f(const double *in, int n, const void *ctx)
{
    double r = 0.0;
    (void)ctx;
    for (int i = 0; i < n; i++)
        r += in[i];
    return r / n;
}

static sal_status mean_eval(const sal_eval *e)
{
    static const sal_ew k = {mean_f, NULL, NULL};
    return sal_ew_eval(e, e->node->n_in, &k, NULL);
}

static sal_status mean_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    out[0] = sal_b_mulc(b, sal_b_sum_all(b, n->n_in, n->in), 1.0 / n->n_in);
    return b->st;
}

static sal_status mean_vjp(sal_vjp *v)
{
    sal_builder *b = v->b;
    const sal_node *n = v->node;
    sal_vid g = v->gout[0];
    sal_vid share = sal_b_mulc(b, g, 1.0 / n->n_in);
    for (int i = 0; i < n->n_in; i++)
        if (v->need[i])
            v->gin[i] = sal_b_sum_to(b, share, n->in[i]);
    return b->st;
}

static const char *const mean_cases[] = {
    "f32[2,3,5] f32[2,3,5]",
    "f32[2,3,5] f32[3,1] f32[1]",
    "f32[4]",
    NULL,
};

const sal_op_desc sal_op_mean = {
    .name = "Mean",
    .min_in = 1,
    .max_in = -1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE,
    .since = 8,
    .infer = sal_infer_broadcast_float,
    .eval = mean_eval,
    .expand = mean_expand,
    .vjp = mean_vjp,
    .cases = mean_cases,
};
