/* ReduceL2: y = sqrt(sum of x^2) over axes, dy/dx = x / y; 0 where y is 0. */
#include "ops/core/reduce.h"

static double reduce_l2_f(const double *x, int64_t n)
{
    double r = 0.0;
    for (int64_t k = 0; k < n; k++)
        r += x[k] * x[k];
    return sqrt(r);
}

static int64_t reduce_l2_i(const int64_t *x, int64_t n, sal_dtype dtype)
{
    uint64_t r = 0;
    (void)dtype;
    for (int64_t k = 0; k < n; k++)
        r += (uint64_t)x[k] * (uint64_t)x[k];
    return (int64_t)sqrt((double)r);
}

static uint64_t reduce_l2_u(const uint64_t *x, int64_t n)
{
    uint64_t r = 0;
    for (int64_t k = 0; k < n; k++)
        r += x[k] * x[k];
    return (uint64_t)sqrt((double)r);
}

static sal_status reduce_l2_eval(const sal_eval *e)
{
    static const sal_reduce k = {reduce_l2_f, reduce_l2_i, reduce_l2_u};
    return sal_reduce_eval(e, &k);
}

static sal_status reduce_l2_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    sal_axes a;
    if (!sal_reduce_axes(b, n, &a))
        return b->st;
    /* The root of integers is taken in float64 and truncated. */
    sal_dtype dtype = sal_val(b->g, n->in[0])->dtype;
    sal_vid square = sal_b2(b, "Mul", n->in[0], n->in[0]);
    sal_vid sum = sal_reduce_as(b, "ReduceSum", square, &a, a.keepdims);
    sal_vid real = sal_dtype_is_float(dtype) ? sum : sal_b_cast(b, sum, SAL_F64);
    out[0] = sal_b_cast(b, sal_b1(b, "Sqrt", real), dtype);
    return b->st;
}

static sal_status reduce_l2_vjp(sal_vjp *v)
{
    sal_builder *b = v->b;
    const sal_node *n = v->node;
    sal_axes a;
    if (!v->need[0] || !sal_reduce_axes(b, n, &a))
        return b->st;
    sal_vid g = sal_reduce_keep(b, v->gout[0], &a);
    sal_vid y = sal_reduce_keep(b, n->out[0], &a);
    sal_vid zero = sal_b2(b, "Equal", y, sal_b_like(b, y, 0.0));
    sal_vid safe = sal_b3(b, "Where", zero, sal_b_like(b, y, 1.0), y);
    v->gin[0] = sal_b2(b, "Mul", n->in[0], sal_b2(b, "Div", g, safe));
    return b->st;
}

static const char *const reduce_l2_cases[] = {
    "f32[2,3,5]",
    "f32[2,3,5] i64[1]{-1} ; keepdims=0",
    "f32[2,3,5,2] i64[2]{1,-2}",
    "f32[2,3,4] i64[2]{2,0} ; keepdims=0",
    "f32[2,3] ; noop_with_empty_axes=1",
    "f32[5] ; keepdims=0",
    "f32[2,3]{0,0,0,1,2,2} i64[1]{1} ; ; nograd",
    "i64[2,3]{1,2,3,4,5,6} i64[1]{0}",
    NULL,
};

const sal_op_desc sal_op_reduce_l2 = {
    .name = "ReduceL2",
    .min_in = 1,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .since = 18,
    .upgrade = sal_reduce_upgrade,
    .infer = sal_reduce_infer,
    .eval = reduce_l2_eval,
    .expand = reduce_l2_expand,
    .vjp = reduce_l2_vjp,
    .cases = reduce_l2_cases,
};
