/* ReduceLogSumExp: y = ln of the sum of e^x over axes, about the largest x so that nothing
 * overflows. dy/dx = e^(x - y). */
#include "ops/core/reduce.h"

static double reduce_log_sum_exp_f(const double *x, int64_t n)
{
    double top = -(double)INFINITY, r = 0.0;
    for (int64_t k = 0; k < n; k++)
        if (x[k] > top || isnan(x[k]))
            top = x[k];
    if (isinf(top) || isnan(top))
        return top;
    for (int64_t k = 0; k < n; k++)
        r += exp(x[k] - top);
    return top + log(r);
}

static sal_status reduce_log_sum_exp_eval(const sal_eval *e)
{
    static const sal_reduce k = {reduce_log_sum_exp_f, NULL, NULL};
    return sal_reduce_eval(e, &k);
}

static sal_status reduce_log_sum_exp_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    sal_axes a;
    if (!sal_reduce_axes(b, n, &a))
        return b->st;
    sal_vid x = n->in[0];
    sal_vid top = sal_reduce_as(b, "ReduceMax", x, &a, true);
    sal_vid sum =
        sal_reduce_as(b, "ReduceSum", sal_b1(b, "Exp", sal_b2(b, "Sub", x, top)), &a, true);
    sal_vid y = sal_b2(b, "Add", sal_b1(b, "Log", sum), top);
    out[0] = a.keepdims || a.n == 0 ? y : sal_b_squeeze(b, y, a.n, a.list);
    return b->st;
}

static sal_status reduce_log_sum_exp_vjp(sal_vjp *v)
{
    sal_builder *b = v->b;
    const sal_node *n = v->node;
    sal_axes a;
    if (!v->need[0] || !sal_reduce_axes(b, n, &a))
        return b->st;
    sal_vid g = sal_reduce_keep(b, v->gout[0], &a);
    sal_vid y = sal_reduce_keep(b, n->out[0], &a);
    v->gin[0] = sal_b2(b, "Mul", g, sal_b1(b, "Exp", sal_b2(b, "Sub", n->in[0], y)));
    return b->st;
}

static const char *const reduce_log_sum_exp_cases[] = {
    "f32[2,3,5]:-2..2",
    "f32[2,3,5]:-2..2 i64[1]{-1} ; keepdims=0",
    "f32[2,3,5,2]:-2..2 i64[2]{1,-2}",
    "f32[2,3,4]:-2..2 i64[2]{2,0} ; keepdims=0",
    "f32[2,3]:-2..2 ; noop_with_empty_axes=1",
    "f32[5]:-2..2 ; keepdims=0",
    NULL,
};

const sal_op_desc sal_op_reduce_log_sum_exp = {
    .name = "ReduceLogSumExp",
    .min_in = 1,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .since = 18,
    .upgrade = sal_reduce_upgrade,
    .infer = sal_reduce_infer,
    .eval = reduce_log_sum_exp_eval,
    .expand = reduce_log_sum_exp_expand,
    .vjp = reduce_log_sum_exp_vjp,
    .cases = reduce_log_sum_exp_cases,
};
