/* Selu: y = gamma x for x > 0, gamma alpha (e^x - 1) else; there y' = y + gamma alpha. */
#include "ops/core/elementwise.h"

/* ONNX gives the defaults as these float32 values. */
#define SELU_ALPHA 1.67326319217681884765625
#define SELU_GAMMA 1.05070102214813232421875

SAL_EW_SCALAR_F(selu, x > 0.0 || isnan(x) ? p[1] * x : p[1] * p[0] * expm1(x))

static sal_status selu_eval(const sal_eval *e)
{
    static const sal_ew k = {selu_f, NULL, NULL};
    const sal_node *n = e->node;
    const double p[] = {sal_node_float(n, "alpha", SELU_ALPHA),
                        sal_node_float(n, "gamma", SELU_GAMMA)};
    return sal_ew_eval(e, 1, &k, p);
}

/* gamma Elu(x; alpha) */
static sal_status selu_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    sal_attr a = SAL_AF("alpha", sal_node_float(n, "alpha", SELU_ALPHA));
    sal_vid y = sal_b_op(b, "Elu", 1, &n->in[0], 1, &a);
    out[0] = sal_b_mulc(b, y, sal_node_float(n, "gamma", SELU_GAMMA));
    return b->st;
}

static sal_status selu_vjp(sal_vjp *v)
{
    sal_builder *b = v->b;
    const sal_node *n = v->node;
    sal_vid g = v->gout[0];
    sal_vid x = n->in[0], y = n->out[0];
    double alpha = sal_node_float(n, "alpha", SELU_ALPHA),
           gamma = sal_node_float(n, "gamma", SELU_GAMMA);
    if (!v->need[0])
        return b->st;
    sal_vid positive = sal_b2(b, "Greater", x, sal_b_like(b, x, 0.0));
    sal_vid negative_side = sal_b2(b, "Mul", g, sal_b_addc(b, y, gamma * alpha));
    v->gin[0] = sal_b3(b, "Where", positive, sal_b_mulc(b, g, gamma), negative_side);
    return b->st;
}

static const char *const selu_cases[] = {
    "f32[2,3,5]:0.1..2",
    "f32[2,3,5]:-2..-0.1",
    "f32[2,3]:-2..-0.1 ; alpha=0.5 gamma=2.0",
    NULL,
};

const sal_op_desc sal_op_selu = {
    .name = "Selu",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE | SAL_OP_PIECEWISE,
    .since = 6,
    .infer = sal_infer_float,
    .eval = selu_eval,
    .expand = selu_expand,
    .vjp = selu_vjp,
    .cases = selu_cases,
};
