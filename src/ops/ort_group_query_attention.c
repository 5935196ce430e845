/* GroupQueryAttention of ONNX Runtime: causal attention whose heads of keys serve several heads of
 * queries. Inputs query, key, value (or all packed into the first), past keys, past values, number
 * of keys of each row less one, length in all, tables of cosines and sines, positions, bias of the
 * logits; outputs the result, the present keys and values. The tensors of the past may be longer
 * than the past, which is what a row has beyond its queries (a buffer shared with the present). The
 * present is as long as ONNX Runtime's where the length in all is a constant, else as the past's
 * tensor and the queries together. */
#include "ops/core/ort_attention.h"

/* Positions of the queries [batch, sequence]: behind the past, which is what the row has beyond the
 * queries. */
static sal_vid gqa_positions(sal_builder *b, sal_vid query, sal_vid seqlens, bool first)
{
    static const int64_t row = 0, column = 1;
    sal_vid length = sal_ort_length(b, query, 1);
    sal_vid at = sal_b_unsqueeze(b, sal_ort_range(b, length), 1, &row);
    sal_vid rows = sal_b_cast(b, seqlens, SAL_I64);
    rows = sal_b_reshape(
        b, rows, 1, (const int64_t[]){b->st == SAL_OK ? sal_val(b->g, query)->dims[0] : 1}, query);
    sal_vid from = sal_b2(b, "Sub", sal_b2(b, "Add", rows, sal_b_scalar(b, SAL_I64, 1.0)), length);
    if (first)
        from = sal_b2(b, "Mul", from, sal_b_scalar(b, SAL_I64, 0.0));
    return sal_b2(b, "Add", sal_b_unsqueeze(b, from, 1, &column), at);
}

static sal_vid gqa_rotate(sal_builder *b, const sal_node *n, sal_vid x, int64_t heads, sal_vid at)
{
    if (b->st != SAL_OK)
        return SAL_NONE;
    const sal_value *v = sal_val(b->g, x), *table = sal_val(b->g, n->in[7]);
    if (table->rank != 2 || table->dims[1] < 1 || v->dims[2] < 0 || v->dims[2] % heads != 0) {
        (void)sal_ort_refuse(b, n, "a table of cosines [positions, pairs] is needed");
        return SAL_NONE;
    }
    int64_t size = v->dims[2] / heads, rotary = 2 * table->dims[1];
    sal_attr a[] = {SAL_AI("num_heads", heads),
                    SAL_AI("interleaved", sal_node_int(n, "rotary_interleaved", 0)),
                    SAL_AI("rotary_embedding_dim", rotary < size ? rotary : 0)};
    return sal_b_op(b, "RotaryEmbedding", 4, (sal_vid[]){x, n->in[7], n->in[8], at}, 3, a);
}

static sal_status gqa_unpack(sal_builder *b, const sal_node *n, int64_t heads, int64_t kv,
                             sal_vid part[3])
{
    int64_t all = sal_ort_rank(b, n, n->in[0]) == 3 ? sal_val(b->g, n->in[0])->dims[2] : -1;
    if (b->st != SAL_OK || all < 0)
        return sal_ort_refuse(b, n, "queries [batch, sequence, features] are needed");
    if (sal_node_in(n, 1) != SAL_NONE)
        return b->st;
    if (all % (heads + 2 * kv) != 0)
        return sal_ort_refuse(b, n, "the packed features do not divide into the heads");
    int64_t size = all / (heads + 2 * kv), from = 0, count[3] = {heads, kv, kv};
    for (int i = 0; i < 3; i++) {
        part[i] = sal_b_slice(b, n->in[0], 2, from * size, (from + count[i]) * size, 1);
        from += count[i];
    }
    return b->st;
}

/* Keys of each row before its queries, int64 [batch, 1, 1, 1]. */
static sal_vid gqa_past(sal_builder *b, const sal_node *n, sal_vid key)
{
    sal_vid rows = sal_b_cast(b, n->in[5], SAL_I64), length = sal_ort_length(b, key, 1);
    if (b->st != SAL_OK)
        return SAL_NONE;
    const int64_t dims[] = {sal_val(b->g, key)->dims[0], 1, 1, 1};
    rows = sal_b_reshape(b, rows, 4, dims, key);
    return sal_b2(b, "Sub", sal_b2(b, "Add", rows, sal_b_scalar(b, SAL_I64, 1.0)), length);
}

/* Which keys a query sees, bool [batch, 1, queries, keys]. The keys stand as they come: those of
 * the past's tensor, of which a row has the first `before`, then the new ones, which follow these.
 * A query at i sees i - window < position
 * <= i, within the row. */
static sal_vid gqa_mask(sal_builder *b, const sal_node *n, sal_vid key, sal_vid past,
                        int64_t window)
{
    static const int64_t column = 1;
    sal_vid keys = sal_ort_length(b, key, 1), before = sal_b_scalar(b, SAL_I64, 0.0);
    sal_vid at = sal_ort_range(b, keys), filled = SAL_NONE;
    sal_vid i = sal_b_unsqueeze(b, at, 1, &column);
    if (past != SAL_NONE) {
        sal_vid room = sal_ort_length(b, past, 2), all = sal_b2(b, "Add", room, keys);
        sal_vid j = sal_ort_range(b, all), is_new = sal_b2(b, "GreaterOrEqual", j, room);
        before = gqa_past(b, n, key);
        at = sal_b3(b, "Where", is_new, sal_b2(b, "Add", before, sal_b2(b, "Sub", j, room)), j);
        filled = sal_b2(b, "Or", is_new, sal_b2(b, "Less", j, before));
    }
    i = sal_b2(b, "Add", before, i);
    sal_vid rows = sal_b_cast(b, n->in[5], SAL_I64);
    if (b->st != SAL_OK)
        return SAL_NONE;
    const int64_t dims[] = {sal_val(b->g, key)->dims[0], 1, 1, 1};
    rows = sal_b_reshape(b, rows, 4, dims, key);
    sal_vid seen = sal_b2(b, "LessOrEqual", at, i);
    if (window > 0)
        seen = sal_b2(b, "And", seen,
                      sal_b2(b, "Greater", at,
                             sal_b2(b, "Sub", i, sal_b_scalar(b, SAL_I64, (double)window))));
    seen = sal_b2(b, "And", seen, sal_b2(b, "LessOrEqual", at, rows));
    return filled == SAL_NONE ? seen : sal_b2(b, "And", seen, filled);
}

/* Length of the present, as a number where it is one. */
static sal_vid gqa_present_length(sal_builder *b, const sal_node *n, sal_vid key, sal_vid past)
{
    int64_t room = sal_val(b->g, past)->dims[2], queries = sal_val(b->g, key)->dims[1];
    const sal_tensor *total =
        sal_node_in(n, 6) == SAL_NONE ? NULL : sal_val(b->g, n->in[6])->constant;
    if (room < 0 || queries < 0)
        return sal_b2(b, "Add", sal_ort_length(b, past, 2), sal_ort_length(b, key, 1));
    int64_t all = room + queries;
    if (total != NULL && total->data != NULL && sal_tensor_count(total) == 1) {
        double said = sal_tensor_get(total, 0);
        all = said < (double)room ? room : said < (double)all ? (int64_t)said : all;
    }
    return sal_b_scalar(b, SAL_I64, (double)all);
}

/* Keys or values in the order of their positions: x [batch, heads, room + queries, size] has the
 * past's tensor first. What a row has no keys for is 0. */
static sal_vid gqa_present(sal_builder *b, const sal_node *n, sal_vid x, sal_vid key, sal_vid past)
{
    static const int64_t ends[] = {0, 1, 3};
    if (b->st != SAL_OK)
        return SAL_NONE;
    sal_vid keys = sal_ort_length(b, key, 1), room = sal_ort_length(b, past, 2);
    sal_vid all = gqa_present_length(b, n, key, past), before = gqa_past(b, n, key);
    sal_vid j = sal_b_unsqueeze(b, sal_ort_range(b, all), 3, ends);
    sal_vid since = sal_b2(b, "Sub", j, before), zero = sal_b_scalar(b, SAL_I64, 0.0);
    sal_vid is_new =
        sal_b2(b, "And", sal_b2(b, "GreaterOrEqual", since, zero), sal_b2(b, "Less", since, keys));
    sal_vid from = sal_b3(b, "Where", is_new, sal_b2(b, "Add", since, room), j);
    /* One index for each element: [batch, heads, positions, size]. */
    sal_vid shape = sal_b_shape_of(b, x);
    sal_vid part[3] = {sal_b_slice(b, shape, 0, 0, 2, 1),
                       sal_b_reshape(b, all, 1, (const int64_t[]){1}, all),
                       sal_b_slice(b, shape, 0, 3, 4, 1)};
    sal_attr axis = SAL_AI("axis", 2);
    from = sal_b2(b, "Expand", from, sal_b_concat(b, 3, part, 0));
    sal_vid y = sal_b_op(b, "GatherElements", 2, (sal_vid[]){x, from}, 1, &axis);
    return sal_b3(b, "Where", sal_b2(b, "Less", since, keys), y, sal_b_like(b, x, 0.0));
}

static sal_status ort_group_query_attention_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    if (!sal_ort_given(b, n, 1u << 0 | 1u << 5))
        return b->st;
    int64_t heads = sal_node_int(n, "num_heads", 1), kv = sal_node_int(n, "kv_num_heads", 1),
            window = sal_node_int(n, "local_window_size", -1);
    sal_vid part[3] = {n->in[0], sal_node_in(n, 1), sal_node_in(n, 2)}, y[3];
    sal_vid past = sal_node_in(n, 3);
    if (heads < 1 || kv < 1 || heads > SAL_DIM_MAX || kv > SAL_DIM_MAX)
        return sal_ort_refuse(b, n, "the numbers of heads are not plausible");
    if (n->n_in > 11 || sal_node_int(n, "smooth_softmax", 0) > 0 ||
        sal_node_int(n, "k_quant_type", 0) != 0)
        return sal_ort_refuse(b, n, "smooth softmax, sinks and quantised caches are not supported");
    if (gqa_unpack(b, n, heads, kv, part) != SAL_OK)
        return b->st;
    bool first =
        past == SAL_NONE || (sal_val(b->g, past)->rank == 4 && sal_val(b->g, past)->dims[2] == 0);
    sal_ort_attention a = {part[0],
                           part[1],
                           part[2],
                           SAL_NONE,
                           SAL_NONE,
                           SAL_NONE,
                           heads,
                           kv,
                           sal_node_float(n, "scale", 0.0),
                           sal_node_float(n, "softcap", 0.0),
                           false};
    if (!first) {
        a.past_k = past;
        a.past_v = sal_node_in(n, 4);
    }
    if (sal_node_int(n, "do_rotary", 0) != 0) {
        sal_vid at = sal_node_in(n, 9);
        if (sal_node_in(n, 7) == SAL_NONE || sal_node_in(n, 8) == SAL_NONE)
            return sal_ort_refuse(b, n, "do_rotary needs tables of cosines and sines");
        if (at == SAL_NONE)
            at = gqa_positions(b, part[0], n->in[5], first);
        a.q = gqa_rotate(b, n, part[0], heads, at);
        a.k = gqa_rotate(b, n, part[1], kv, at);
    }
    a.mask = gqa_mask(b, n, part[1], first ? SAL_NONE : past, window);
    if (sal_node_in(n, 10) != SAL_NONE && b->st == SAL_OK) {
        sal_vid none = sal_b_like(b, n->in[10], 0.0);
        a.mask = sal_b3(b, "Where", a.mask, none, sal_b_like(b, n->in[10], -1e30));
        a.mask = sal_b2(b, "Add", a.mask, n->in[10]);
    }
    sal_ort_attend(b, &a, true, y);
    for (int i = 0; i < 3; i++)
        if (sal_node_out(n, i) != SAL_NONE)
            out[i] = i == 0 || first ? y[i] : gqa_present(b, n, y[i], part[1], past);
    return b->st;
}

static const char *const ort_group_query_attention_cases[] = {
    "f32[1,3,32] f32[1,3,16] f32[1,3,16] f32[1,2,0,8] f32[1,2,0,8] i32[1]{2} i32[]{3} ; "
    "num_heads=4 kv_num_heads=2 ; out=3 wrt=0,1,2 nofd2",
    "f32[1,3,32] f32[1,3,16] f32[1,3,16] f32[1,1,2,16] f32[1,1,2,16] i32[1]{4} i32[]{5} f32[6,8] "
    "f32[6,8] ; num_heads=2 kv_num_heads=1 do_rotary=1 ; out=3 nofd2",
    "f32[2,3,32] f32[2,3,16] f32[2,3,16] f32[2,2,0,8] f32[2,2,0,8] i32[2]{2,2} i32[]{3} ; "
    "num_heads=4 kv_num_heads=2 scale=0.3 softcap=2.0 ; out=3 wrt=0,1,2 nofd2",
    "f32[1,1,32] f32[1,1,16] f32[1,1,16] f32[1,2,6,8] f32[1,2,6,8] i32[1]{3} i32[]{4} ; "
    "num_heads=4 kv_num_heads=2 ; out=3 const=5,6 nofd2",
    "f32[2,1,32] f32[2,1,16] f32[2,1,16] f32[2,1,5,16] f32[2,1,5,16] i32[2]{2,4} i32[]{5} f32[6,8] "
    "f32[6,8] ; num_heads=2 kv_num_heads=1 do_rotary=1 local_window_size=2 ; out=3 const=5,6 nofd2",
    "f32[1,4,64] _ _ f32[1,1,0,16] f32[1,1,0,16] i32[1]{3} i32[]{4} f32[6,8] f32[6,8] ; "
    "num_heads=2 kv_num_heads=1 local_window_size=2 do_rotary=1 rotary_interleaved=1 ; out=3 wrt=0 "
    "nofd2",
    NULL,
};

const sal_op_desc sal_op_ort_group_query_attention = {
    SAL_ORT_OP("GroupQueryAttention", 1, 14, 4),
    .expand = ort_group_query_attention_expand,
    .cases = ort_group_query_attention_cases,
};
