/* EmbedLayerNormalization: LayerNormalization of the sum of the embeddings of words, positions and
 * segments. Inputs ids, segments, tables of words, positions and segments, scale, shift, mask,
 * positions; outputs the result, the number of unmasked words in each row, the sum. */
#include "ops/core/ort.h"

/* Rows of a table, one for each id. */
static sal_vid embed_rows(sal_builder *b, sal_vid table, sal_vid ids)
{
    return sal_b_op(b, "Gather", 2, (sal_vid[]){table, ids}, 0, NULL);
}

/* 0, 1 .. sequence-1 for the ids [batch, sequence]. */
static sal_vid embed_positions(sal_builder *b, const sal_node *n)
{
    if (b->st != SAL_OK)
        return SAL_NONE;
    int64_t d = sal_val(b->g, n->in[0])->dims[1];
    sal_vid length = d >= 0
                         ? sal_b_scalar(b, SAL_I64, (double)d)
                         : sal_b_squeeze(b, sal_b_slice(b, sal_b_shape_of(b, n->in[0]), 0, 1, 2, 1),
                                         1, (const int64_t[]){0});
    return sal_b3(b, "Range", sal_b_scalar(b, SAL_I64, 0.0), length, sal_b_scalar(b, SAL_I64, 1.0));
}

static sal_status ort_embed_layer_normalization_expand(sal_builder *b, const sal_node *n,
                                                       sal_vid *out)
{
    if (!sal_ort_given(b, n, 1u << 0 | 1u << 2 | 1u << 3 | 1u << 5))
        return b->st;
    static const int64_t last = 1;
    sal_vid segments = sal_node_in(n, 1), mask = sal_node_in(n, 7), at = sal_node_in(n, 8);
    sal_attr a[] = {SAL_AI("axis", -1), SAL_AF("epsilon", sal_node_float(n, "epsilon", 1e-12))};
    if (sal_ort_rank(b, n, n->in[0]) != 2)
        return sal_ort_refuse(b, n, "ids of rank 2 are needed");
    sal_vid x = embed_rows(b, n->in[2], n->in[0]);
    x = sal_b2(b, "Add", x, embed_rows(b, n->in[3], at != SAL_NONE ? at : embed_positions(b, n)));
    if (segments != SAL_NONE && sal_node_in(n, 4) != SAL_NONE)
        x = sal_b2(b, "Add", x, embed_rows(b, n->in[4], segments));
    out[0] =
        sal_b_op(b, "LayerNormalization", 3, (sal_vid[]){x, n->in[5], sal_node_in(n, 6)}, 2, a);
    if (sal_node_out(n, 1) != SAL_NONE) {
        if (mask == SAL_NONE) {
            sal_vid none = sal_b2(b, "Mul", n->in[0], sal_b_like(b, n->in[0], 0.0));
            mask = none;
        }
        out[1] = sal_b_cast(
            b, sal_b_reduce(b, "ReduceSum", sal_b_cast(b, mask, SAL_I64), 1, &last, false),
            SAL_I32);
    }
    if (sal_node_out(n, 2) != SAL_NONE)
        out[2] = x;
    return b->st;
}

static const char *const ort_embed_layer_normalization_cases[] = {
    "i32[2,3]{1,0,2,4,4,1} i32[2,3]{0,1,1,0,0,1} f32[5,4] f32[6,4] f32[2,4] f32[4] f32[4] "
    "i32[2,3]{1,1,0,1,1,1} ; epsilon=0.001 ; out=2 nofd2",
    "i32[2,3]{1,0,2,4,4,1} _ f32[5,4] f32[6,4] _ f32[4] f32[4] _ i32[2,3]{0,1,2,3,4,5} ; "
    "epsilon=0.001 ; out=2",
    NULL,
};

const sal_op_desc sal_op_ort_embed_layer_normalization = {
    SAL_ORT_OP("EmbedLayerNormalization", 1, 9, 3),
    .expand = ort_embed_layer_normalization_expand,
    .cases = ort_embed_layer_normalization_cases,
};
