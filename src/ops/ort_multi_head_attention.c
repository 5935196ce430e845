/* MultiHeadAttention of ONNX Runtime. Inputs query, key, value, their biases side by side, padding
 * mask, bias of the logits, past keys, past values; outputs the result, the present keys and
 * values. Queries, keys and values may be packed: [batch, sequence, heads, 3, features], or keys
 * and values [.., 2, ..]. */
#include "ops/core/ort_attention.h"

/* [batch, sequence, heads, parts, features] -> part i as [batch, sequence, heads * features] */
static sal_vid mha_unpack(sal_builder *b, sal_vid x, int64_t i)
{
    if (b->st != SAL_OK)
        return SAL_NONE;
    const sal_value *v = sal_val(b->g, x);
    const int64_t dims[] = {v->dims[0], v->dims[1], sal_dim_mul(b->g, v->dims[2], v->dims[4])};
    return sal_b_reshape(b, sal_b_slice(b, x, 3, i, i + 1, 1), 3, dims, x);
}

/* Queries, keys and values without bias; *cross: keys and values come by heads, from elsewhere. */
static sal_status mha_inputs(sal_builder *b, const sal_node *n, sal_vid part[3], bool *cross)
{
    int rank = sal_ort_rank(b, n, n->in[0]);
    part[0] = n->in[0];
    part[1] = sal_node_in(n, 1);
    part[2] = sal_node_in(n, 2);
    *cross = false;
    if (b->st != SAL_OK)
        return b->st;
    if (rank == 5) {
        for (int i = 2; i >= 0; i--)
            part[i] = mha_unpack(b, n->in[0], i);
    } else if (part[1] != SAL_NONE && sal_ort_rank(b, n, part[1]) == 5) {
        part[2] = mha_unpack(b, n->in[1], 1);
        part[1] = mha_unpack(b, n->in[1], 0);
    } else if (rank != 3 || part[1] == SAL_NONE || part[2] == SAL_NONE) {
        return sal_ort_refuse(b, n,
                              "queries of rank 3 with keys and values, or packed, are needed");
    }
    *cross = b->st == SAL_OK && sal_val(b->g, part[1])->rank == 4;
    return b->st;
}

/* Queries of a node whose keys come by heads. */
static sal_vid mha_heads(sal_builder *b, sal_vid x, int64_t heads)
{
    static const int64_t perm[] = {0, 2, 1, 3};
    if (b->st != SAL_OK)
        return SAL_NONE;
    const sal_value *v = sal_val(b->g, x);
    const int64_t dims[] = {v->dims[0], v->dims[1], heads, sal_dim_div(b->g, v->dims[2], heads)};
    return sal_b_transpose(b, sal_b_reshape(b, x, 4, dims, x), perm);
}

static sal_vid mha_flat(sal_builder *b, sal_vid y, sal_vid like)
{
    static const int64_t perm[] = {0, 2, 1, 3};
    if (b->st != SAL_OK)
        return SAL_NONE;
    const sal_value *v = sal_val(b->g, y);
    const int64_t dims[] = {v->dims[0], v->dims[2], sal_dim_mul(b->g, v->dims[1], v->dims[3])};
    return sal_b_reshape(b, sal_b_transpose(b, y, perm), 3, dims, like);
}

/* Add the biases, which stand side by side. */
static sal_status mha_bias(sal_builder *b, const sal_node *n, bool cross, sal_vid part[3])
{
    sal_vid bias = sal_node_in(n, 3);
    int64_t from = 0;
    for (int i = 0; bias != SAL_NONE && i < (cross ? 1 : 3) && b->st == SAL_OK; i++) {
        int64_t size = sal_val(b->g, part[i])->dims[2];
        if (size < 0)
            return sal_ort_refuse(b, n, "the number of features must be known");
        part[i] = sal_b2(b, "Add", part[i], sal_b_slice(b, bias, 0, from, from + size, 1));
        from += size;
    }
    return b->st;
}

static sal_status ort_multi_head_attention_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    sal_vid part[3], y[3], mask = sal_node_in(n, 4);
    int64_t heads = sal_node_int(n, "num_heads", 1);
    bool cross, present = sal_node_out(n, 1) != SAL_NONE || sal_node_out(n, 2) != SAL_NONE;
    if (n->n_in > 8 || sal_node_out(n, 3) != SAL_NONE || heads < 1)
        return sal_ort_refuse(b, n, "shared buffers and the output of logits are not supported");
    if (mha_inputs(b, n, part, &cross) != SAL_OK || mha_bias(b, n, cross, part) != SAL_OK)
        return b->st;
    sal_vid flat = part[0];
    if (cross)
        part[0] = mha_heads(b, part[0], heads);
    if (b->st != SAL_OK)
        return b->st;
    sal_ort_attention a = {part[0],
                           part[1],
                           part[2],
                           SAL_NONE,
                           sal_node_in(n, 6),
                           sal_node_in(n, 7),
                           heads,
                           heads,
                           sal_node_float(n, "scale", 0.0),
                           0.0,
                           sal_node_int(n, "unidirectional", 0) != 0};
    if (mask != SAL_NONE)
        a.mask = sal_ort_padding(b, n, mask, part[0], part[1], cross ? 2 : 1,
                                 sal_node_float(n, "mask_filter_value", -10000.0));
    a.mask = sal_b_add_opt(b, a.mask, sal_node_in(n, 5));
    sal_ort_attend(b, &a, present, y);
    out[0] = cross ? mha_flat(b, y[0], flat) : y[0];
    for (int i = 1; i < 3; i++)
        if (sal_node_out(n, i) != SAL_NONE)
            out[i] = y[i];
    return b->st;
}

static const char *const ort_multi_head_attention_cases[] = {
    "f32[2,3,4] f32[2,5,4] f32[2,5,6] f32[14] ; num_heads=2 ; nofd2",
    "f32[2,3,4] f32[2,5,4] f32[2,5,4] _ i32[2,5]{1,1,0,1,1,1,1,1,1,0} ; num_heads=2 scale=0.4 ; "
    "nofd2",
    "f32[2,3,4] f32[2,5,4] f32[2,5,4] _ i32[2]{2,5} f32[1,2,3,5] ; num_heads=2 ; nofd2",
    "f32[2,3,2,3,2] ; num_heads=2 ; nofd2 noort",
    "f32[2,3,4] f32[2,5,2,2,2] ; num_heads=2 ; nofd2 noort",
    "f32[2,3,4] f32[2,2,5,2] f32[2,2,5,2] ; num_heads=2 ; nofd2",
    "f32[1,2,4] f32[1,2,4] f32[1,2,4] _ _ _ f32[1,2,3,2] f32[1,2,3,2] ; num_heads=2 "
    "unidirectional=1 ; out=3 nofd2",
    NULL,
};

const sal_op_desc sal_op_ort_multi_head_attention = {
    SAL_ORT_OP("MultiHeadAttention", 1, 8, 4),
    .expand = ort_multi_head_attention_expand,
    .cases = ort_multi_head_attention_cases,
};
