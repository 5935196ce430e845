/* Shrink: x + bias below -lambd, x - bias above lambd, 0 between. Integers are computed as floats
 * and truncated, as ONNX defines them. */
#include "ops/core/elementwise.h"

static double shrink_f(const double *in, int n, const void *ctx)
{
    const double *p = ctx; /* lambd, bias */
    double x = in[0];
    (void)n;
    return x < -p[0] ? x + p[1] : x > p[0] ? x - p[1] : 0.0;
}

static int64_t shrink_i(const int64_t *in, int n, const void *ctx)
{
    const double *p = ctx, bias = floor(p[1]);
    double x = (double)in[0];
    if (bias == p[1] && fabs(bias) < 0x1p53) { /* exact: no detour through a float */
        int64_t whole = (int64_t)bias;
        return x < -p[0]  ? sal_ew_wrap((uint64_t)in[0] + (uint64_t)whole)
               : x > p[0] ? sal_ew_wrap((uint64_t)in[0] - (uint64_t)whole)
                          : 0;
    }
    double y = shrink_f(&x, n, ctx);
    return y >= -0x1p63 && y < 0x1p63 ? (int64_t)y : 0;
}

static uint64_t shrink_u(const uint64_t *in, int n, const void *ctx)
{
    double x = (double)in[0], y = shrink_f(&x, n, ctx);
    return y >= 0.0 && y < 0x1p64 ? (uint64_t)y : 0;
}

static sal_status shrink_eval(const sal_eval *e)
{
    static const sal_ew k = {shrink_f, shrink_i, shrink_u};
    const double p[] = {sal_node_float(e->node, "lambd", 0.5),
                        sal_node_float(e->node, "bias", 0.0)};
    return sal_ew_eval(e, 1, &k, p);
}

static sal_status shrink_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    sal_vid x = n->in[0];
    double lambd = sal_node_float(n, "lambd", 0.5), bias = sal_node_float(n, "bias", 0.0);
    sal_vid below = sal_b2(b, "Less", x, sal_b_like(b, x, -lambd));
    sal_vid above =
        sal_b_mask(b, sal_b2(b, "Greater", x, sal_b_like(b, x, lambd)), sal_b_addc(b, x, -bias));
    out[0] = sal_b3(b, "Where", below, sal_b_addc(b, x, bias), above);
    return b->st;
}

static const char *const shrink_cases[] = {
    "f32[2,3,5]:0.6..3",
    "f32[5]{-2.0,-0.3,0.2,0.8,2.5} ; lambd=1.5 bias=1.5",
    "f32[2,3]:-3..-1.6 ; lambd=1.5 bias=0.25",
    NULL,
};

const sal_op_desc sal_op_shrink = {
    .name = "Shrink",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE,
    .since = 9,
    .infer = sal_infer_same,
    .eval = shrink_eval,
    .expand = shrink_expand,
    .cases = shrink_cases,
};
