/* SkipSimplifiedLayerNormalization: RMSNormalization along the last axis of input + skip + bias.
 * Inputs input, skip, scale, bias; outputs the result, two that are not supported, the sum. */
#include "ops/core/ort.h"

/* The sum that is normalised; it is also an output. */
static sal_vid skip_sum(sal_builder *b, const sal_node *n, int bias)
{
    sal_vid x = sal_b2(b, "Add", n->in[0], n->in[1]);
    return sal_node_in(n, bias) == SAL_NONE ? x : sal_b2(b, "Add", x, n->in[bias]);
}

static sal_status ort_skip_simplified_layer_normalization_expand(sal_builder *b, const sal_node *n,
                                                                 sal_vid *out)
{
    sal_attr a[] = {SAL_AI("axis", -1), SAL_AF("epsilon", sal_node_float(n, "epsilon", 1e-12))};
    sal_vid in[2] = {skip_sum(b, n, 3), n->in[2]};
    out[0] = sal_b_op(b, "RMSNormalization", 2, in, 2, a);
    if (sal_node_out(n, 3) != SAL_NONE)
        out[3] = in[0];
    return b->st;
}

static const char *const ort_skip_simplified_layer_normalization_cases[] = {
    "f32[2,3,6] f32[2,3,6] f32[6] f32[6] ; epsilon=0.001",
    "f32[2,3,6] f32[2,3,6] f32[6] ; epsilon=0.001",
    NULL,
};

const sal_op_desc sal_op_ort_skip_simplified_layer_normalization = {
    SAL_ORT_OP("SkipSimplifiedLayerNormalization", 3, 4, 4),
    .expand = ort_skip_simplified_layer_normalization_expand,
    .cases = ort_skip_simplified_layer_normalization_cases,
};
