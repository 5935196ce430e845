/* SkipLayerNormalization: LayerNormalization along the last axis of input + skip + bias. Inputs
 * input, skip, scale, shift, bias; outputs the result, mean, 1 / deviation, the sum. */
#include "ops/core/ort.h"

/* The sum that is normalised; it is also an output. */
static sal_vid skip_sum(sal_builder *b, const sal_node *n, int bias)
{
    sal_vid x = sal_b2(b, "Add", n->in[0], n->in[1]);
    return sal_node_in(n, bias) == SAL_NONE ? x : sal_b2(b, "Add", x, n->in[bias]);
}

static sal_status ort_skip_layer_normalization_expand(sal_builder *b, const sal_node *n,
                                                      sal_vid *out)
{
    sal_attr a[] = {SAL_AI("axis", -1), SAL_AF("epsilon", sal_node_float(n, "epsilon", 1e-12))};
    sal_vid y[3], in[3] = {skip_sum(b, n, 4), n->in[2], sal_node_in(n, 3)};
    int more = sal_node_out(n, 2) != SAL_NONE ? 3 : sal_node_out(n, 1) != SAL_NONE ? 2 : 1;
    sal_b_node(b, "LayerNormalization", 3, in, 2, a, more, y);
    for (int i = 0; i < more; i++)
        out[i] = y[i];
    if (sal_node_out(n, 3) != SAL_NONE)
        out[3] = in[0];
    return b->st;
}

static const char *const ort_skip_layer_normalization_cases[] = {
    "f32[2,3,6] f32[2,3,6] f32[6] f32[6] f32[6] ; epsilon=0.001",
    "f32[2,3,6] f32[2,3,6] f32[6] ; epsilon=0.001",
    NULL,
};

const sal_op_desc sal_op_ort_skip_layer_normalization = {
    SAL_ORT_OP("SkipLayerNormalization", 3, 5, 4),
    .expand = ort_skip_layer_normalization_expand,
    .cases = ort_skip_layer_normalization_cases,
};
