/* Masks of Attention. */
#include "ops/core/attention_build.h"

#include <math.h>

static sal_status attention_heads(sal_attention *a, sal_graph *g, const sal_node *n, sal_error *err)
{
    const sal_value *q = sal_val(g, n->in[0]), *k = sal_val(g, n->in[1]), *v = sal_val(g, n->in[2]);
    if (a->flat) {
        a->heads = sal_node_int(n, "q_num_heads", 0);
        a->kv_heads = sal_node_int(n, "kv_num_heads", 0);
        if (a->heads < 1 || a->kv_heads < 1)
            return sal_fail(err, SAL_EINVAL,
                            "q_num_heads and kv_num_heads are needed for inputs of rank 3");
        if (q->dims[2] < 0 || k->dims[2] < 0 || v->dims[2] < 0 || q->dims[2] % a->heads != 0 ||
            k->dims[2] % a->kv_heads != 0 || v->dims[2] % a->kv_heads != 0)
            return sal_fail(err, SAL_ESHAPE,
                            "%lld query heads and %lld key heads do not divide the features",
                            (long long)a->heads, (long long)a->kv_heads);
        a->size = q->dims[2] / a->heads;
        a->value_size = v->dims[2] / a->kv_heads;
        if (k->dims[2] / a->kv_heads != a->size)
            return sal_fail(err, SAL_ESHAPE,
                            "heads of queries have %lld features, those of keys %lld",
                            (long long)a->size, (long long)(k->dims[2] / a->kv_heads));
    } else {
        a->heads = q->dims[1];
        a->kv_heads = k->dims[1];
        a->size = q->dims[3];
        a->value_size = v->dims[3];
    }
    if (a->heads < 1 || a->kv_heads < 1 || a->size < 1 || a->heads % a->kv_heads != 0)
        return sal_fail(err, SAL_ESHAPE,
                        "%lld query heads and %lld key heads of known size are needed, the "
                        "first a multiple of the second",
                        (long long)a->heads, (long long)a->kv_heads);
    return SAL_OK;
}

sal_status sal_attention_shape(sal_attention *a, sal_graph *g, const sal_node *n, sal_error *err)
{
    const sal_value *q = sal_val(g, n->in[0]), *k = sal_val(g, n->in[1]), *v = sal_val(g, n->in[2]);
    sal_vid past = sal_node_in(n, 4);

    memset(a, 0, sizeof(*a));
    if ((q->rank != 3 && q->rank != 4) || k->rank != q->rank || v->rank != q->rank)
        return sal_fail(err, SAL_ESHAPE, "inputs of rank %d, %d and %d; all 3 or all 4 is needed",
                        (int)q->rank, (int)k->rank, (int)v->rank);
    if ((past == SAL_NONE) != (sal_node_in(n, 5) == SAL_NONE))
        return sal_fail(err, SAL_EINVAL, "past_key and past_value must be given together");
    if (past != SAL_NONE && sal_node_in(n, 6) != SAL_NONE)
        return sal_fail(err, SAL_EINVAL, "nonpad_kv_seqlen cannot be given together with past_key");
    a->flat = q->rank == 3;
    sal_status st = attention_heads(a, g, n, err);
    if (st != SAL_OK)
        return st;
    a->batch = q->dims[0];
    a->queries = q->dims[a->flat ? 1 : 2];
    a->keys = k->dims[a->flat ? 1 : 2];
    if (past != SAL_NONE) {
        const sal_value *p = sal_val(g, past);
        if (p->rank >= 0 && p->rank != 4)
            return sal_fail(err, SAL_ESHAPE, "past_key of rank %d; 4 is needed", (int)p->rank);
        a->past = p->rank == 4 ? p->dims[2] : sal_dim_fresh(g);
    }
    a->total = a->past == 0 ? a->keys : sal_dim_add(g, a->past, a->keys);
    return SAL_OK;
}

/* 0, 1 .. count-1 as int64. */
static sal_vid attention_range(sal_builder *b, sal_vid count)
{
    sal_vid zero = sal_b_scalar(b, SAL_I64, 0.0), one = sal_b_scalar(b, SAL_I64, 1.0);
    return sal_b3(b, "Range", zero, count, one);
}

static sal_vid attention_length(sal_builder *b, sal_vid v, int64_t axis)
{
    if (b->st != SAL_OK)
        return SAL_NONE;
    int64_t d = sal_val(b->g, v)->dims[axis];
    if (d >= 0)
        return sal_b_scalar(b, SAL_I64, (double)d);
    sal_vid shape = sal_b_slice(b, sal_b_shape_of(b, v), 0, axis, axis + 1, 1);
    return sal_b_squeeze(b, shape, 1, (const int64_t[]){0});
}

/* Where `allowed` 0, else -infinity. */
static sal_vid attention_where(sal_builder *b, sal_vid allowed, sal_vid like)
{
    return sal_b3(b, "Where", allowed, sal_b_like(b, like, 0.0),
                  sal_b_like(b, like, (double)-INFINITY));
}

/* Position of key j less that of query i, j - (offset + i), int64 [.., queries, keys]. The offset
 * is the length of the past, or what nonpad_kv_seqlen leaves before the queries in each image. */
static sal_vid attention_distance(sal_builder *b, const sal_attention *a, const sal_node *n,
                                  sal_vid total)
{
    static const int64_t column[] = {1}, matrix[] = {1, 2, 3};
    sal_vid nonpad = sal_node_in(n, 6);
    sal_vid queries = attention_length(b, n->in[0], a->flat ? 1 : 2);
    sal_vid i = sal_b_unsqueeze(b, attention_range(b, queries), 1, column);
    sal_vid j = attention_range(b, attention_length(b, total, 2));
    sal_vid d = sal_b2(b, "Sub", j, i);
    if (nonpad != SAL_NONE)
        return sal_b2(b, "Sub", d,
                      sal_b_unsqueeze(b, sal_b2(b, "Sub", nonpad, queries), 3, matrix));
    if (a->past != 0)
        return sal_b2(b, "Sub", d, attention_length(b, sal_node_in(n, 4), 2));
    return d;
}

/* Masks shorter than the keys are padded: what is missing is not attended to (so a last axis of 1
 * does not broadcast). */
static sal_vid attention_mask(sal_builder *b, const sal_attention *a, sal_vid mask, sal_vid like)
{
    if (b->st != SAL_OK)
        return SAL_NONE;
    const sal_value *m = sal_val(b->g, mask);
    int rank = m->rank;
    if (rank < 1 || rank > 4) {
        b->st = sal_fail(b->err, SAL_ESHAPE, "node %s: attn_mask of rank %d; 1 to 4 is needed",
                         b->origin != NULL ? b->origin : "Attention", rank);
        return SAL_NONE;
    }
    int64_t last = m->dims[rank - 1];
    if (m->dtype == SAL_BOOL)
        mask = attention_where(b, mask, like);
    else if (m->dtype != sal_val(b->g, like)->dtype)
        mask = sal_b_cast(b, mask, sal_val(b->g, like)->dtype);
    /* A mask of another unknown length is taken to be as long as the keys. */
    if (last < 0 || a->total < 0 || last >= a->total)
        return mask;
    int64_t pads[2 * SAL_MAX_RANK] = {0};
    pads[2 * rank - 1] = a->total - last;
    return sal_b3(b, "Pad", mask, sal_b_ints(b, pads, 2 * rank),
                  sal_b_like(b, like, (double)-INFINITY));
}

sal_vid sal_attention_bias(sal_builder *b, const sal_attention *a, const sal_node *n, sal_vid total,
                           bool *guard)
{
    sal_vid mask = sal_node_in(n, 3), nonpad = sal_node_in(n, 6), like = n->in[0], bias = SAL_NONE;
    sal_vid zero = sal_b_scalar(b, SAL_I64, 0.0), distance = SAL_NONE;
    bool causal = sal_node_int(n, "is_causal", 0) != 0;
    int64_t left = sal_node_int(n, "left_window_size", -1),
            right = sal_node_int(n, "right_window_size", -1);

    *guard = mask != SAL_NONE || nonpad != SAL_NONE || left >= 0;
    if (mask != SAL_NONE)
        bias = attention_mask(b, a, mask, like);
    if (causal || left >= 0 || right >= 0)
        distance = attention_distance(b, a, n, total);
    if (causal)
        bias = sal_b_add_opt(b, bias,
                             attention_where(b, sal_b2(b, "LessOrEqual", distance, zero), like));
    if (left >= 0) {
        sal_vid low = sal_b_scalar(b, SAL_I64, (double)-left);
        bias = sal_b_add_opt(b, bias,
                             attention_where(b, sal_b2(b, "GreaterOrEqual", distance, low), like));
    }
    if (right >= 0) {
        sal_vid high = sal_b_scalar(b, SAL_I64, (double)right);
        bias = sal_b_add_opt(b, bias,
                             attention_where(b, sal_b2(b, "LessOrEqual", distance, high), like));
    }
    if (nonpad != SAL_NONE) {
        static const int64_t axes[] = {1, 2, 3};
        sal_vid j = attention_range(b, attention_length(b, total, 2));
        sal_vid valid = sal_b2(b, "Less", j, sal_b_unsqueeze(b, nonpad, 3, axes));
        bias = sal_b_add_opt(b, bias, attention_where(b, valid, like));
    }
    return bias;
}
