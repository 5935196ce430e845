/* Attention of ONNX Runtime: queries, keys and values are input weights + bias, side by side.
 * Inputs input, weights, bias, mask, past [2, batch, heads, length, features], bias of the logits;
 * outputs the result and the present keys and values, stacked like the past. */
#include "ops/core/ort_attention.h"

/* One half of the past: keys or values. */
static sal_vid ort_attention_past(sal_builder *b, sal_vid past, int64_t which)
{
    static const int64_t first = 0;
    if (past == SAL_NONE)
        return SAL_NONE;
    return sal_b_squeeze(b, sal_b_slice(b, past, 0, which, which + 1, 1), 1, &first);
}

/* input weights + bias, cut into queries, keys and values. */
static sal_status ort_attention_project(sal_builder *b, const sal_node *n, sal_vid part[3])
{
    size_t count;
    int64_t from = 0;
    const int64_t *sizes = sal_node_ints(n, "qkv_hidden_sizes", &count);
    sal_vid x = sal_b2(b, "MatMul", n->in[0], n->in[1]);
    if (sal_node_in(n, 2) != SAL_NONE)
        x = sal_b2(b, "Add", x, n->in[2]);
    if (sal_ort_rank(b, n, x) != 3)
        return sal_ort_refuse(b, n, "an input of rank 3 is needed");
    int64_t all = sal_val(b->g, x)->dims[2];
    if (all < 0 || (count != 3 && all % 3 != 0) || (count != 0 && count != 3))
        return sal_ort_refuse(b, n, "the weights must hold queries, keys and values");
    for (int i = 0; i < 3; i++) {
        int64_t size = count == 3 ? sizes[i] : all / 3;
        if (size < 1 || size > all - from)
            return sal_ort_refuse(b, n, "qkv_hidden_sizes does not fit the weights");
        part[i] = sal_b_slice(b, x, 2, from, from + size, 1);
        from += size;
    }
    return b->st;
}

static sal_status ort_attention_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    static const int64_t first = 0;
    sal_vid part[3], y[3], mask = sal_node_in(n, 3), past = sal_node_in(n, 4);
    if (sal_node_in(n, 6) != SAL_NONE || sal_node_int(n, "do_rotary", 0) != 0)
        return sal_ort_refuse(b, n, "past_sequence_length and do_rotary are not supported");
    if (ort_attention_project(b, n, part) != SAL_OK)
        return b->st;
    sal_ort_attention a = {part[0],
                           part[1],
                           part[2],
                           SAL_NONE,
                           SAL_NONE,
                           SAL_NONE,
                           sal_node_int(n, "num_heads", 1),
                           sal_node_int(n, "num_heads", 1),
                           sal_node_float(n, "scale", 0.0),
                           0.0,
                           sal_node_int(n, "unidirectional", 0) != 0};
    a.past_k = ort_attention_past(b, past, 0);
    a.past_v = ort_attention_past(b, past, 1);
    if (mask != SAL_NONE && b->st == SAL_OK)
        a.mask = sal_ort_padding(b, n, mask, part[0], part[1], 1,
                                 sal_node_float(n, "mask_filter_value", -10000.0));
    a.mask = sal_b_add_opt(b, a.mask, sal_node_in(n, 5));
    bool present = sal_node_out(n, 1) != SAL_NONE;
    sal_ort_attend(b, &a, present, y);
    out[0] = y[0];
    if (present) {
        sal_vid both[2];
        for (int i = 0; i < 2; i++)
            both[i] = sal_b_unsqueeze(b, y[1 + i], 1, &first);
        out[1] = sal_b_concat(b, 2, both, 0);
    }
    return b->st;
}

static const char *const ort_attention_cases[] = {
    "f32[2,3,4] f32[4,12] f32[12] ; num_heads=2",
    "f32[2,3,4] f32[4,12] f32[12] i32[2,3]{1,1,0,1,1,1} ; num_heads=2",
    "f32[2,3,4] f32[4,12] f32[12] i32[2]{2,3} ; num_heads=2 ; nofd2",
    "f32[2,3,4] f32[4,12] f32[12] ; num_heads=2 unidirectional=1 ; nofd2",
    "f32[1,2,4] f32[4,12] f32[12] _ f32[2,1,2,3,2] ; num_heads=2 unidirectional=1 ; out=2 nofd2",
    "f32[2,3,4] f32[4,14] f32[14] _ _ f32[2,2,3,3] ; num_heads=2 qkv_hidden_sizes=[4,4,6] "
    "scale=0.3 ; nofd2",
    NULL,
};

const sal_op_desc sal_op_ort_attention = {
    SAL_ORT_OP("Attention", 2, 7, 2),
    .expand = ort_attention_expand,
    .cases = ort_attention_cases,
};
