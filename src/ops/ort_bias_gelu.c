/* BiasGelu: Gelu of x plus a bias along the last axis. */
#include "ops/core/ort.h"

static sal_status ort_bias_gelu_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    out[0] = sal_b1(b, "Gelu", sal_b2(b, "Add", n->in[0], n->in[1]));
    return b->st;
}

static const char *const ort_bias_gelu_cases[] = {
    "f32[2,3,4]:-3..3 f32[4]",
    NULL,
};

const sal_op_desc sal_op_ort_bias_gelu = {
    SAL_ORT_OP("BiasGelu", 2, 2, 1),
    .expand = ort_bias_gelu_expand,
    .cases = ort_bias_gelu_cases,
};
