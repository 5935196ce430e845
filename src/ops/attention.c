/* Attention: softmax(softcap(Q K^T scale) + masks) V for every head; groups of query heads may
 * share a head of keys and values. Inputs Q, K, V, attn_mask, past_key, past_value,
 * nonpad_kv_seqlen; outputs Y, present_key, present_value, qk_matmul_output. */
#include "ops/core/attention_build.h"
#include "ops/infer.h"

#include <math.h>

static sal_status attention_infer(sal_infer *c)
{
    const sal_value *q = sal_infer_in(c, 0), *k = sal_infer_in(c, 1), *v = sal_infer_in(c, 2);
    sal_attention a;
    if (q->rank < 0 || k->rank < 0 || v->rank < 0) {
        for (int i = 0; i < c->node->n_out; i++) {
            sal_status st =
                c->node->out[i] == SAL_NONE ? SAL_OK : sal_infer_out(c, i, q->dtype, -1, NULL);
            if (st != SAL_OK)
                return st;
        }
        return SAL_OK;
    }
    sal_status st = sal_attention_shape(&a, c->g, c->node, c->err);
    if (st != SAL_OK)
        return st;
    int64_t mode = sal_node_int(c->node, "qk_matmul_output_mode", 0);
    if (mode < 0 || mode > 3)
        return sal_fail(c->err, SAL_EINVAL, "qk_matmul_output_mode is %lld; 0 to 3 is allowed",
                        (long long)mode);
    int64_t flat[3] = {a.batch, a.queries, sal_dim_mul(c->g, a.value_size, a.heads)};
    int64_t deep[4] = {a.batch, a.heads, a.queries, a.value_size};
    int64_t keys[4] = {a.batch, a.kv_heads, a.total, a.size};
    int64_t values[4] = {a.batch, a.kv_heads, a.total, a.value_size};
    int64_t logits[4] = {a.batch, a.heads, a.queries, a.total};
    const int64_t *dims[4] = {a.flat ? flat : deep, keys, values, logits};
    for (int i = 0; i < c->node->n_out && st == SAL_OK; i++)
        if (c->node->out[i] != SAL_NONE)
            st = sal_infer_out(c, i, i == 2 ? v->dtype : q->dtype, i == 0 && a.flat ? 3 : 4,
                               dims[i]);
    return st;
}

/* [batch, sequence, heads * size] -> [batch, heads, sequence, size] */
static sal_vid attention_split(sal_builder *b, sal_vid x, int64_t heads, int64_t size)
{
    static const int64_t perm[] = {0, 2, 1, 3};
    const sal_value *v = sal_val(b->g, x);
    const int64_t dims[] = {v->dims[0], v->dims[1], heads, size};
    return sal_b_transpose(b, sal_b_reshape(b, x, 4, dims, x), perm);
}

/* Keys or values after those of the past. */
static sal_vid attention_present(sal_builder *b, const sal_node *n, const sal_attention *a,
                                 int which, int64_t size)
{
    sal_vid x = n->in[1 + which], past = sal_node_in(n, 4 + which);
    if (a->flat)
        x = attention_split(b, x, a->kv_heads, size);
    return past == SAL_NONE ? x : sal_b_concat(b, 2, (sal_vid[]){past, x}, 2);
}

/* Heads that share keys stand in one axis: [batch, heads, s, d] -> [batch, kv_heads, shared, s, d].
 * Keys and values [batch, kv_heads, 1, s, d] then broadcast instead of being repeated. */
static sal_vid attention_group(sal_builder *b, const sal_attention *a, sal_vid x)
{
    if (b->st != SAL_OK || a->heads == a->kv_heads)
        return x;
    const sal_value *v = sal_val(b->g, x);
    const int64_t dims[] = {v->dims[0], a->kv_heads, a->heads / a->kv_heads, v->dims[2],
                            v->dims[3]};
    return sal_b_reshape(b, x, 5, dims, x);
}

static sal_vid attention_ungroup(sal_builder *b, const sal_attention *a, sal_vid x)
{
    if (b->st != SAL_OK || a->heads == a->kv_heads)
        return x;
    const sal_value *v = sal_val(b->g, x);
    const int64_t dims[] = {v->dims[0], a->heads, v->dims[3], v->dims[4]};
    return sal_b_reshape(b, x, 4, dims, x);
}

static sal_vid attention_shared(sal_builder *b, const sal_attention *a, sal_vid x)
{
    static const int64_t axis[] = {2};
    return a->heads == a->kv_heads ? x : sal_b_unsqueeze(b, x, 1, axis);
}

static sal_vid attention_transposed(sal_builder *b, const sal_attention *a, sal_vid x)
{
    static const int64_t plain[] = {0, 1, 3, 2}, shared[] = {0, 1, 2, 4, 3};
    return sal_b_transpose(b, x, a->heads == a->kv_heads ? plain : shared);
}

/* Softmax over the keys. A row that is masked altogether is zero, not NaN: its mask is lifted
 * before the softmax, which keeps derivatives finite, and the result replaced after it. */
static sal_vid attention_softmax(sal_builder *b, const sal_node *n, sal_vid logits, sal_vid bias,
                                 bool guard)
{
    static const int64_t last[] = {-1};
    sal_attr axis = SAL_AI("axis", -1);
    sal_dtype dtype = sal_val(b->g, n->in[0])->dtype;
    sal_dtype precise = (sal_dtype)sal_node_int(n, "softmax_precision", dtype);
    sal_vid none = SAL_NONE;
    if (guard && bias != SAL_NONE) {
        sal_vid top = sal_b_reduce(b, "ReduceMax", bias, 1, last, true);
        none = sal_b2(b, "Equal", top, sal_b_like(b, top, (double)-INFINITY));
        bias = sal_b3(b, "Where", none, sal_b_like(b, bias, 0.0), bias);
    }
    sal_vid x = sal_b_add_opt(b, logits, bias);
    if (precise == SAL_F64 || (precise == SAL_F32 && dtype != SAL_F64))
        x = precise == dtype ? x : sal_b_cast(b, x, precise);
    sal_vid y = sal_b_op(b, "Softmax", 1, &x, 1, &axis);
    if (b->st == SAL_OK && sal_val(b->g, y)->dtype != dtype)
        y = sal_b_cast(b, y, dtype);
    return none == SAL_NONE ? y : sal_b3(b, "Where", none, sal_b_like(b, y, 0.0), y);
}

static sal_status attention_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    sal_attention a;
    sal_vid q = n->in[0];
    bool guard = false;
    int64_t mode = sal_node_int(n, "qk_matmul_output_mode", 0);
    double softcap = sal_node_float(n, "softcap", 0.0);
    sal_status st = sal_attention_shape(&a, b->g, n, b->err);
    if (st != SAL_OK)
        return b->st = st;

    /* Half of the scale on each side keeps the product of 16-bit floats in range. */
    double scale = sal_node_float(n, "scale", 1.0 / sqrt((double)a.size));
    double sign = scale < 0.0 ? -1.0 : 1.0, root = sqrt(fabs(scale));
    if (a.flat)
        q = attention_split(b, q, a.heads, a.size);
    sal_vid key = attention_present(b, n, &a, 0, a.size);
    sal_vid value = attention_present(b, n, &a, 1, a.value_size);
    if (b->st != SAL_OK)
        return b->st;
    sal_vid qs = sal_b2(b, "Mul", attention_group(b, &a, q), sal_b_like(b, q, root * sign));
    sal_vid ks = sal_b2(b, "Mul", attention_shared(b, &a, key), sal_b_like(b, key, root));
    sal_vid raw =
        attention_ungroup(b, &a, sal_b2(b, "MatMul", qs, attention_transposed(b, &a, ks)));
    sal_vid capped = raw;
    if (softcap > 0.0) {
        sal_vid cap = sal_b_like(b, q, softcap);
        capped = sal_b2(b, "Mul", sal_b1(b, "Tanh", sal_b2(b, "Div", raw, cap)), cap);
    }
    sal_vid bias = sal_attention_bias(b, &a, n, key, &guard);
    if (b->st != SAL_OK)
        return b->st;
    sal_vid weights = attention_softmax(b, n, capped, bias, guard);
    sal_vid y =
        sal_b2(b, "MatMul", attention_group(b, &a, weights), attention_shared(b, &a, value));
    y = attention_ungroup(b, &a, y);
    if (b->st != SAL_OK)
        return b->st;
    if (a.flat) {
        static const int64_t perm[] = {0, 2, 1, 3};
        const int64_t dims[] = {a.batch, a.queries, a.value_size * a.heads};
        y = sal_b_reshape(b, sal_b_transpose(b, y, perm), 3, dims, n->in[0]);
    }
    out[0] = y;
    if (sal_node_out(n, 1) != SAL_NONE)
        out[1] = key == n->in[1] ? sal_b1(b, "Identity", key) : key;
    if (sal_node_out(n, 2) != SAL_NONE)
        out[2] = value == n->in[2] ? sal_b1(b, "Identity", value) : value;
    if (sal_node_out(n, 3) != SAL_NONE) {
        sal_vid full = mode == 2 ? sal_b_add_opt(b, capped, bias) : SAL_NONE;
        out[3] = mode == 0 ? raw : mode == 1 ? capped : mode == 2 ? full : weights;
    }
    return b->st;
}

static const char *const attention_cases[] = {
    "f32[2,3,4,5] f32[2,3,6,5] f32[2,3,6,4] ; ;",
    "f32[2,4,6] f32[2,5,6] f32[2,5,4] ; q_num_heads=2 kv_num_heads=2 scale=0.3 ;",
    "f32[1,4,3,4] f32[1,2,5,4] f32[1,2,5,4] ; softcap=2.0 ;",
    "f32[2,3,8] f32[2,4,4] f32[2,4,6] ; q_num_heads=4 kv_num_heads=2 ;",
    "f32[1,2,4,4] f32[1,2,4,4] f32[1,2,4,4] ; is_causal=1 ;",
    "f32[1,2,3,4] f32[1,2,3,4] f32[1,2,3,4] _ f32[1,2,2,4] f32[1,2,2,4] ; is_causal=1 ; out=3",
    "f32[1,2,3,4] f32[1,2,3,4] f32[1,2,3,4] f32[3,5] f32[1,2,2,4] f32[1,2,2,4] ; ; out=3",
    "f32[1,2,3,4] f32[1,2,4,4] f32[1,2,4,4] f32[3,4] ; ; out=4",
    "f32[1,2,3,4] f32[1,2,4,4] f32[1,2,4,4] f32[2,3,4] ; qk_matmul_output_mode=2 softcap=1.5 ; "
    "out=4",
    "f32[1,2,3,4] f32[1,2,4,4] f32[1,2,4,4] f32[1,1,3,4] ; qk_matmul_output_mode=1 softcap=1.5 ; "
    "out=4",
    "f32[1,2,3,4] f32[1,2,4,4] f32[1,2,4,4] bool[3,4]{1,0,1,1,0,1,1,0,1,1,0,0} ; "
    "qk_matmul_output_mode=3 ; out=4",
    "f32[1,2,3,4] f32[1,2,4,4] f32[1,2,4,4] bool[3,4]{1,0,1,1,0,0,0,0,1,1,0,0} ; ;",
    /* A mask shorter than the keys is padded; ONNX Runtime refuses it. */
    "f32[1,2,3,4] f32[1,2,5,4] f32[1,2,5,4] f32[3,4] ; ; noort",
    /* This needs opset 24; the next, of opset 25, is written expanded. */
    "f32[2,2,3,4] f32[2,2,5,4] f32[2,2,5,4] f32[3,5] _ _ i64[2]{4,3} ; is_causal=1 ; noort",
    "f32[1,2,5,4] f32[1,2,5,4] f32[1,2,5,4] ; left_window_size=2 right_window_size=1 ;",
    NULL,
};

const sal_op_desc sal_op_attention = {
    .name = "Attention",
    .min_in = 3,
    .max_in = 7,
    .alike = 1 << 1 | 1 << 2,
    .min_out = 1,
    .max_out = 4,
    .flags = SAL_OP_COMPOSITE,
    .since = 23,
    .infer = attention_infer,
    .expand = attention_expand,
    .cases = attention_cases,
};
