/* ReduceLogSum: ln of the sum over axes. */
#include "ops/core/reduce.h"

static double reduce_log_sum_f(const double *x, int64_t n)
{
    double r = 0.0;
    for (int64_t k = 0; k < n; k++)
        r += x[k];
    return log(r);
}

static sal_status reduce_log_sum_eval(const sal_eval *e)
{
    static const sal_reduce k = {reduce_log_sum_f, NULL, NULL};
    return sal_reduce_eval(e, &k);
}

static sal_status reduce_log_sum_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    sal_axes a;
    if (!sal_reduce_axes(b, n, &a))
        return b->st;
    out[0] = sal_b1(b, "Log", sal_reduce_as(b, "ReduceSum", n->in[0], &a, a.keepdims));
    return b->st;
}

static const char *const reduce_log_sum_cases[] = {
    "f32[2,3,5]:0.2..1",
    "f32[2,3,5]:0.2..1 i64[1]{-1} ; keepdims=0",
    "f32[2,3,5,2]:0.2..1 i64[2]{1,-2}",
    "f32[2,3,4]:0.2..1 i64[2]{2,0} ; keepdims=0",
    "f32[2,3]:0.2..1 ; noop_with_empty_axes=1",
    "f32[5]:0.2..1 ; keepdims=0",
    NULL,
};

const sal_op_desc sal_op_reduce_log_sum = {
    .name = "ReduceLogSum",
    .min_in = 1,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .since = 18,
    .upgrade = sal_reduce_upgrade,
    .infer = sal_reduce_infer,
    .eval = reduce_log_sum_eval,
    .expand = reduce_log_sum_expand,
    .cases = reduce_log_sum_cases,
};
