/* LeakyRelu: y = x for x > 0, alpha x else. */
#include "ops/core/elementwise.h"

SAL_EW_SCALAR_F(leaky_relu, x >= 0.0 || isnan(x) ? x : p[0] * x)

static sal_status leaky_relu_eval(const sal_eval *e)
{
    static const sal_ew k = {leaky_relu_f, NULL, NULL};
    const sal_node *n = e->node;
    const double p[] = {sal_node_float(n, "alpha", 0.01)};
    return sal_ew_eval(e, 1, &k, p);
}

SAL_EW_VJP(leaky_relu, sal_b3(b, "Where", sal_b2(b, "Greater", x, sal_b_like(b, x, 0.0)), g,
                              sal_b_mulc(b, g, sal_node_float(n, "alpha", 0.01))))

static const char *const leaky_relu_cases[] = {
    "f32[2,3,5]:0.1..2",
    "f32[2,3,5]:-2..-0.1",
    "f32[2,3] ; alpha=0.3",
    NULL,
};

const sal_op_desc sal_op_leaky_relu = {
    .name = "LeakyRelu",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE | SAL_OP_PIECEWISE,
    .since = 6,
    .infer = sal_infer_float,
    .eval = leaky_relu_eval,
    .vjp = leaky_relu_vjp,
    .cases = leaky_relu_cases,
};
