/* HardSwish: y = x max(0, min(1, x / 6 + 1/2)). The derivative is that of the expansion. */
#include "ops/core/elementwise.h"

SAL_EW_FLOAT(hard_swish, x *fmax(0.0, fmin(1.0, x / 6.0 + 0.5)))

static sal_status hard_swish_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    sal_vid x = n->in[0];
    sal_attr a[] = {SAL_AF("alpha", 1.0 / 6.0), SAL_AF("beta", 0.5)};
    out[0] = sal_b2(b, "Mul", x, sal_b_op(b, "HardSigmoid", 1, &x, 2, a));
    return b->st;
}

static const char *const hard_swish_cases[] = {
    "f32[2,3,5]:-2.9..2.9",
    "f32[4]:3.1..5",
    "f32[4]:-5..-3.1",
    NULL,
};

const sal_op_desc sal_op_hard_swish = {
    .name = "HardSwish",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE | SAL_OP_PIECEWISE,
    .since = 14,
    .infer = sal_infer_float,
    .eval = hard_swish_eval,
    .expand = hard_swish_expand,
    .cases = hard_swish_cases,
};
