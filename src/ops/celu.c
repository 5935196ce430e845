/* Celu: y = max(0, x) + min(0, alpha (e^(x / alpha) - 1)); for x <= 0, y' = y / alpha + 1. */
#include "ops/core/elementwise.h"

SAL_EW_SCALAR_F(celu, x > 0.0 || isnan(x) ? x : p[0] * expm1(x / p[0]))

static sal_status celu_eval(const sal_eval *e)
{
    static const sal_ew k = {celu_f, NULL, NULL};
    const sal_node *n = e->node;
    const double p[] = {sal_node_float(n, "alpha", 1.0)};
    return sal_ew_eval(e, 1, &k, p);
}

/* alpha Elu(x / alpha; 1): both sides agree for every alpha > 0. */
static sal_status celu_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    double alpha = sal_node_float(n, "alpha", 1.0);
    out[0] = sal_b_mulc(b, sal_b1(b, "Elu", sal_b_mulc(b, n->in[0], 1.0 / alpha)), alpha);
    return b->st;
}

SAL_EW_VJP(celu,
           sal_b3(b, "Where", sal_b2(b, "Greater", x, sal_b_like(b, x, 0.0)), g,
                  sal_b2(b, "Mul", g,
                         sal_b_addc(b, sal_b_mulc(b, y, 1.0 / sal_node_float(n, "alpha", 1.0)),
                                    1.0))))

static const char *const celu_cases[] = {
    "f32[2,3,5]:0.1..2",
    "f32[2,3,5]:-2..-0.1",
    "f32[2,3]:-2..-0.1 ; alpha=0.5",
    NULL,
};

const sal_op_desc sal_op_celu = {
    .name = "Celu",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE | SAL_OP_PIECEWISE,
    .since = 12,
    .infer = sal_infer_float,
    .eval = celu_eval,
    .expand = celu_expand,
    .vjp = celu_vjp,
    .cases = celu_cases,
};
