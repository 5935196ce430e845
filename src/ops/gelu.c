/* Gelu: y = x Phi(x) with Phi the normal distribution, or its approximation by tanh:
 *   none: y = x / 2 (1 + erf(x / sqrt 2))
 *   tanh: y = x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))). */
#include "ops/core/elementwise.h"

#define GELU_SQRT_HALF  0.70710678118654752440 /* 1 / sqrt(2) */
#define GELU_TANH_SCALE 0.79788456080286535588 /* sqrt(2 / pi) */
#define GELU_TANH_CUBIC 0.044715

static bool gelu_is_tanh(const sal_node *n)
{
    return strcmp(sal_node_str(n, "approximate", "none"), "tanh") == 0;
}

static sal_status gelu_infer(sal_infer *c)
{
    const char *how = sal_node_str(c->node, "approximate", "none");
    if (strcmp(how, "none") != 0 && strcmp(how, "tanh") != 0)
        return sal_fail(c->err, SAL_EINVAL, "approximate is '%s'; it must be none or tanh", how);
    return sal_infer_float(c);
}

static double gelu_erf_f(const double *in, int n, const void *ctx)
{
    (void)n;
    (void)ctx;
    return 0.5 * in[0] * (1.0 + erf(in[0] * GELU_SQRT_HALF));
}

static double gelu_tanh_f(const double *in, int n, const void *ctx)
{
    double x = in[0];
    (void)n;
    (void)ctx;
    return 0.5 * x * (1.0 + tanh(GELU_TANH_SCALE * (x + GELU_TANH_CUBIC * x * x * x)));
}

static sal_status gelu_eval(const sal_eval *e)
{
    const sal_ew k = {gelu_is_tanh(e->node) ? gelu_tanh_f : gelu_erf_f, NULL, NULL};
    return sal_ew_eval(e, 1, &k, NULL);
}

static sal_status gelu_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    sal_vid x = n->in[0], t;
    if (gelu_is_tanh(n)) {
        sal_vid cube = sal_b2(b, "Mul", x, sal_b2(b, "Mul", x, x));
        t = sal_b2(b, "Add", x, sal_b_mulc(b, cube, GELU_TANH_CUBIC));
        t = sal_b1(b, "Tanh", sal_b_mulc(b, t, GELU_TANH_SCALE));
    } else {
        t = sal_b1(b, "Erf", sal_b_mulc(b, x, GELU_SQRT_HALF));
    }
    out[0] = sal_b2(b, "Mul", sal_b_mulc(b, x, 0.5), sal_b_addc(b, t, 1.0));
    return b->st;
}

static sal_status gelu_vjp(sal_vjp *v)
{
    sal_builder *b = v->b;
    const sal_node *n = v->node;
    sal_vid g = v->gout[0];
    sal_vid in[2] = {g, n->in[0]};
    sal_attr a = SAL_AS("approximate", sal_node_str(n, "approximate", "none"));
    if (v->need[0])
        v->gin[0] = sal_b_op(b, "GeluGrad", 2, in, 1, &a);
    return b->st;
}

static const char *const gelu_cases[] = {
    "f32[2,3,5]:-3..3",
    "f32[2,3,5]:-3..3 ; approximate=\"tanh\"",
    NULL,
};

const sal_op_desc sal_op_gelu = {
    .name = "Gelu",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE | SAL_OP_PIECEWISE,
    .since = 20,
    .infer = gelu_infer,
    .eval = gelu_eval,
    .expand = gelu_expand,
    .vjp = gelu_vjp,
    .cases = gelu_cases,
};
