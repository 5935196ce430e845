/* PRelu: y = x for x > 0, slope x else, with a learned slope that is broadcast to x. */
#include "ops/core/elementwise.h"

/* The slope is broadcast to x, never the other way round. */
static sal_status p_relu_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0), *slope = sal_infer_in(c, 1);
    sal_status st = sal_infer_same_dtype(c, 0, 1);
    bool fits = slope->rank <= x->rank;
    for (int k = 0; fits && k < slope->rank; k++) {
        int64_t n = x->dims[x->rank - slope->rank + k];
        fits = slope->dims[k] < 0 || slope->dims[k] == 1 || n < 0 || slope->dims[k] == n;
    }
    if (st == SAL_OK && x->rank >= 0 && !fits)
        st = sal_fail(c->err, SAL_ESHAPE, "the slope cannot be broadcast to the input");
    return st == SAL_OK ? sal_infer_same(c) : st;
}

static double p_relu_f(const double *in, int n, const void *ctx)
{
    (void)n;
    (void)ctx;
    return in[0] < 0.0 ? in[0] * in[1] : in[0];
}

static int64_t p_relu_i(const int64_t *in, int n, const void *ctx)
{
    (void)n;
    (void)ctx;
    return in[0] < 0 ? sal_ew_wrap((uint64_t)in[0] * (uint64_t)in[1]) : in[0];
}

static uint64_t p_relu_u(const uint64_t *in, int n, const void *ctx)
{
    (void)n;
    (void)ctx;
    return in[0];
}

static sal_status p_relu_eval(const sal_eval *e)
{
    static const sal_ew k = {p_relu_f, p_relu_i, p_relu_u};
    return sal_ew_eval(e, 2, &k, NULL);
}

static sal_status p_relu_vjp(sal_vjp *v)
{
    sal_builder *b = v->b;
    const sal_node *n = v->node;
    sal_vid g = v->gout[0];
    sal_vid x = n->in[0], slope = n->in[1];
    sal_vid zero = sal_b_like(b, x, 0.0);
    sal_vid positive = sal_b2(b, "Greater", x, zero);
    if (v->need[0])
        v->gin[0] = sal_b3(b, "Where", positive, g, sal_b2(b, "Mul", g, slope));
    if (v->need[1])
        v->gin[1] =
            sal_b_sum_to(b, sal_b3(b, "Where", positive, zero, sal_b2(b, "Mul", g, x)), slope);
    return b->st;
}

static const char *const p_relu_cases[] = {
    "f32[2,3,5] f32[3,1]",
    "f32[2,3] f32[1]",
    "f32[2,3,2] f32[2,3,2]",
    NULL,
};

const sal_op_desc sal_op_p_relu = {
    .name = "PRelu",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE | SAL_OP_PIECEWISE,
    .since = 7,
    .infer = p_relu_infer,
    .eval = p_relu_eval,
    .vjp = p_relu_vjp,
    .cases = p_relu_cases,
};
