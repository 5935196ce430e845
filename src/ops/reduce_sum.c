/* ReduceSum: sum over axes. */
#include "ops/core/reduce.h"

static double reduce_sum_f(const double *x, int64_t n)
{
    double r = 0.0;
    for (int64_t k = 0; k < n; k++)
        r += x[k];
    return r;
}

static int64_t reduce_sum_i(const int64_t *x, int64_t n, sal_dtype dtype)
{
    uint64_t r = 0;
    (void)dtype;
    for (int64_t k = 0; k < n; k++)
        r += (uint64_t)x[k];
    return sal_ew_wrap(r);
}

static uint64_t reduce_sum_u(const uint64_t *x, int64_t n)
{
    uint64_t r = 0;
    for (int64_t k = 0; k < n; k++)
        r += x[k];
    return r;
}

static sal_status reduce_sum_eval(const sal_eval *e)
{
    static const sal_reduce k = {reduce_sum_f, reduce_sum_i, reduce_sum_u};
    return sal_reduce_eval(e, &k);
}

static sal_status reduce_sum_vjp(sal_vjp *v)
{
    sal_builder *b = v->b;
    const sal_node *n = v->node;
    sal_axes a;
    if (!v->need[0] || !sal_reduce_axes(b, n, &a))
        return b->st;
    sal_vid g = sal_reduce_keep(b, v->gout[0], &a);
    v->gin[0] = sal_b_expand_like(b, g, n->in[0]);
    return b->st;
}

static const char *const reduce_sum_cases[] = {
    "f32[2,3,5]",
    "f32[2,3,5] i64[1]{-1} ; keepdims=0",
    "f32[2,3,5,2] i64[2]{1,-2}",
    "f32[2,3,4] i64[2]{2,0} ; keepdims=0",
    "f32[2,3] ; noop_with_empty_axes=1",
    "f32[5] ; keepdims=0",
    "i64[2,3]{1,2,3,4,5,6} i64[1]{0}",
    NULL,
};

const sal_op_desc sal_op_reduce_sum = {
    .name = "ReduceSum",
    .min_in = 1,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .since = 13,
    .upgrade = sal_reduce_upgrade,
    .infer = sal_reduce_infer,
    .eval = reduce_sum_eval,
    .vjp = reduce_sum_vjp,
    .cases = reduce_sum_cases,
};
