/* Softsign: y = x / (1 + |x|), y' = 1 / (1 + |x|)^2. */
#include "ops/core/elementwise.h"

SAL_EW_FLOAT(softsign, x / (1.0 + fabs(x)))

static sal_vid softsign_denominator(sal_builder *b, sal_vid x)
{
    return sal_b_addc(b, sal_b1(b, "Abs", x), 1.0);
}

static sal_status softsign_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    out[0] = sal_b2(b, "Div", n->in[0], softsign_denominator(b, n->in[0]));
    return b->st;
}

SAL_EW_VJP(softsign,
           sal_b2(b, "Div", g,
                  sal_b2(b, "Mul", softsign_denominator(b, x), softsign_denominator(b, x))))

static const char *const softsign_cases[] = {
    "f32[2,3,5]:0.1..2",
    "f32[2,3,5]:-2..-0.1",
    NULL,
};

const sal_op_desc sal_op_softsign = {
    .name = "Softsign",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE | SAL_OP_PIECEWISE,
    .since = 1,
    .infer = sal_infer_float,
    .eval = softsign_eval,
    .expand = softsign_expand,
    .vjp = softsign_vjp,
    .cases = softsign_cases,
};
