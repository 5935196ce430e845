/* LpNormalization: x divided by its L1 or L2 norm along an axis; zeros where the norm is zero. */
#include "ops/core/reduce.h"

static sal_status lp_normalization_infer(sal_infer *c)
{
    int64_t p = sal_node_int(c->node, "p", 2);
    if (p != 1 && p != 2)
        return sal_fail(c->err, SAL_EINVAL, "p must be 1 or 2, it is %lld", (long long)p);
    return sal_infer_softmax(c);
}

static sal_status lp_normalization_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    int64_t axis = sal_node_int(n, "axis", -1);
    const char *op = sal_node_int(n, "p", 2) == 1 ? "ReduceL1" : "ReduceL2";
    sal_vid x = n->in[0], norm = sal_b_reduce(b, op, x, 1, &axis, true);
    sal_vid none = sal_b2(b, "Equal", norm, sal_b_like(b, norm, 0.0));
    out[0] = sal_b2(b, "Div", x, sal_b3(b, "Where", none, sal_b_like(b, norm, 1.0), norm));
    return b->st;
}

static const char *const lp_normalization_cases[] = {
    "f32[2,3,5]",
    "f32[2,3,5]:0.1..2 ; axis=1 p=1",
    "f32[2,2]{0.0,0.0,3.0,4.0} ; ; nograd",
    NULL,
};

const sal_op_desc sal_op_lp_normalization = {
    .name = "LpNormalization",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_COMPOSITE,
    .since = 1,
    .infer = lp_normalization_infer,
    .expand = lp_normalization_expand,
    .cases = lp_normalization_cases,
};
