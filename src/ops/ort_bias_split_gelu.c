/* BiasSplitGelu: x plus a bias, cut into halves a, b along the last axis: a Gelu(b). */
#include "ops/core/ort.h"

static sal_status ort_bias_split_gelu_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    sal_vid half[2], x = sal_b2(b, "Add", n->in[0], n->in[1]);
    sal_attr a[] = {SAL_AI("axis", -1), SAL_AI("num_outputs", 2)};
    sal_b_node(b, "Split", 1, &x, 2, a, 2, half);
    out[0] = sal_b2(b, "Mul", half[0], sal_b1(b, "Gelu", half[1]));
    return b->st;
}

static const char *const ort_bias_split_gelu_cases[] = {
    "f32[2,3,8]:-3..3 f32[8] ; ; noort",
    NULL,
};

const sal_op_desc sal_op_ort_bias_split_gelu = {
    SAL_ORT_OP("BiasSplitGelu", 2, 2, 1),
    .expand = ort_bias_split_gelu_expand,
    .cases = ort_bias_split_gelu_cases,
};
