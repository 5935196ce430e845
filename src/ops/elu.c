/* Elu: y = x for x > 0, alpha (e^x - 1) else; there y' = alpha e^x = y + alpha. */
#include "ops/core/elementwise.h"

SAL_EW_SCALAR_F(elu, x > 0.0 || isnan(x) ? x : p[0] * expm1(x))

static sal_status elu_eval(const sal_eval *e)
{
    static const sal_ew k = {elu_f, NULL, NULL};
    const sal_node *n = e->node;
    const double p[] = {sal_node_float(n, "alpha", 1.0)};
    return sal_ew_eval(e, 1, &k, p);
}

/* From y rather than e^x, which would overflow on the side that is not taken and spoil second
 * derivatives. */
SAL_EW_VJP(elu, sal_b3(b, "Where", sal_b2(b, "Greater", x, sal_b_like(b, x, 0.0)), g,
                       sal_b2(b, "Mul", g, sal_b_addc(b, y, sal_node_float(n, "alpha", 1.0)))))

static const char *const elu_cases[] = {
    "f32[2,3,5]:0.1..2",
    "f32[2,3,5]:-2..-0.1",
    "f32[2,3]:-2..-0.1 ; alpha=0.5",
    NULL,
};

const sal_op_desc sal_op_elu = {
    .name = "Elu",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE | SAL_OP_PIECEWISE,
    .since = 6,
    .infer = sal_infer_float,
    .eval = elu_eval,
    .vjp = elu_vjp,
    .cases = elu_cases,
};
