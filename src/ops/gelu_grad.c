/* GeluGrad(dy, x): gradient of Gelu, dy y'(x).
 *   none: y' = Phi(x) + x phi(x), phi the normal density
 *   tanh: with u = sqrt(2 / pi) (x + c x^3), t = tanh u:
 *         y' = (1 + t) / 2 + x / 2 (1 - t^2) sqrt(2 / pi) (1 + 3 c x^2).
 * Its own derivative is that of the expansion. */
#include "ops/core/elementwise.h"

#define GELU_SQRT_HALF  0.70710678118654752440 /* 1 / sqrt(2) */
#define GELU_TANH_SCALE 0.79788456080286535588 /* sqrt(2 / pi) */
#define GELU_TANH_CUBIC 0.044715
#define GELU_DENSITY    0.39894228040143267794 /* 1 / sqrt(2 pi) */

static bool gelu_grad_is_tanh(const sal_node *n)
{
    return strcmp(sal_node_str(n, "approximate", "none"), "tanh") == 0;
}

static double gelu_grad_erf_f(const double *in, int n, const void *ctx)
{
    double x = in[1];
    (void)n;
    (void)ctx;
    return in[0] * (0.5 * (1.0 + erf(x * GELU_SQRT_HALF)) + x * GELU_DENSITY * exp(-0.5 * x * x));
}

static double gelu_grad_tanh_f(const double *in, int n, const void *ctx)
{
    double x = in[1], t = tanh(GELU_TANH_SCALE * (x + GELU_TANH_CUBIC * x * x * x));
    double du = GELU_TANH_SCALE * (1.0 + 3.0 * GELU_TANH_CUBIC * x * x);
    (void)n;
    (void)ctx;
    return in[0] * (0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * du);
}

static sal_status gelu_grad_eval(const sal_eval *e)
{
    const sal_ew k = {gelu_grad_is_tanh(e->node) ? gelu_grad_tanh_f : gelu_grad_erf_f, NULL, NULL};
    return sal_ew_eval(e, 2, &k, NULL);
}

static sal_vid gelu_grad_erf(sal_builder *b, sal_vid x)
{
    sal_vid phi = sal_b1(b, "Exp", sal_b_mulc(b, sal_b2(b, "Mul", x, x), -0.5));
    sal_vid cdf = sal_b_addc(b, sal_b1(b, "Erf", sal_b_mulc(b, x, GELU_SQRT_HALF)), 1.0);
    return sal_b2(b, "Add", sal_b_mulc(b, cdf, 0.5),
                  sal_b2(b, "Mul", sal_b_mulc(b, x, GELU_DENSITY), phi));
}

static sal_vid gelu_grad_tanh(sal_builder *b, sal_vid x)
{
    sal_vid square = sal_b2(b, "Mul", x, x);
    sal_vid cubic = sal_b_addc(b, sal_b_mulc(b, square, GELU_TANH_CUBIC), 1.0);
    sal_vid t = sal_b1(b, "Tanh", sal_b_mulc(b, sal_b2(b, "Mul", x, cubic), GELU_TANH_SCALE));
    sal_vid du = sal_b_addc(b, sal_b_mulc(b, square, 3.0 * GELU_TANH_CUBIC), 1.0);
    sal_vid dt = sal_b_addc(b, sal_b1(b, "Neg", sal_b2(b, "Mul", t, t)), 1.0);
    sal_vid rise = sal_b2(b, "Mul", sal_b2(b, "Mul", sal_b_mulc(b, x, GELU_TANH_SCALE), dt), du);
    return sal_b_mulc(b, sal_b2(b, "Add", sal_b_addc(b, t, 1.0), rise), 0.5);
}

static sal_status gelu_grad_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    sal_vid x = n->in[1];
    out[0] = sal_b2(b, "Mul", n->in[0],
                    gelu_grad_is_tanh(n) ? gelu_grad_tanh(b, x) : gelu_grad_erf(b, x));
    return b->st;
}

static const char *const gelu_grad_cases[] = {
    "f32[2,3,5] f32[2,3,5]:-3..3",
    "f32[2,3,5] f32[2,3,5]:-3..3 ; approximate=\"tanh\"",
    NULL,
};

const sal_op_desc sal_op_gelu_grad = {
    .name = "GeluGrad",
    .domain = SAL_DOMAIN_INTERNAL,
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE,
    .since = 1,
    .infer = sal_infer_broadcast_float,
    .eval = gelu_grad_eval,
    .expand = gelu_grad_expand,
    .cases = gelu_grad_cases,
};
