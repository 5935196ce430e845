/* LinearAttention: a state S [features of keys, features of values] for each head that every step
 * decays (exp g), rewrites by k v^T and reads by queries: linear  S += k v^T         gated        S
 * = exp(g) S + k v^T delta   S += b k (v - S^T k)^T   gated_delta  S = exp(g) S, then as delta
 * Inputs query, key, value [N, T, heads * features], past_state [N, heads, dk, dv], decay, beta;
 * outputs the result and the last state. The steps are written out. */
#include "ops/builder.h"
#include "ops/infer.h"

#include <math.h>

enum { LINEAR_STEPS_MAX = 4096 };

/* x [N, T, heads * size] at step t: [N, heads, size]. */
static sal_vid linear_step(sal_builder *b, sal_vid x, int64_t t, int64_t heads, int64_t size)
{
    if (b->st != SAL_OK)
        return SAL_NONE;
    const int64_t dims[3] = {sal_val(b->g, x)->dims[0], heads, size};
    return sal_b_reshape(b, sal_b_slice(b, x, 1, t, t + 1, 1), 3, dims, x);
}

typedef struct linear {
    int64_t heads, shared, dk, dv, steps; /* heads of keys; queries that share one */
    bool gated, delta;
    double scale;
    int64_t decay, beta; /* features of a head; heads */
} linear;

static sal_status linear_read(sal_builder *b, const sal_node *n, linear *l)
{
    const char *rule = sal_node_str(n, "update_rule", "gated_delta");
    int64_t q_heads = sal_node_int(n, "q_num_heads", 0);
    const sal_value *q = sal_val(b->g, n->in[0]), *k = sal_val(b->g, n->in[1]),
                    *v = sal_val(b->g, n->in[2]);
    l->heads = sal_node_int(n, "kv_num_heads", 0);
    l->gated = strcmp(rule, "gated") == 0 || strcmp(rule, "gated_delta") == 0;
    l->delta = strcmp(rule, "delta") == 0 || strcmp(rule, "gated_delta") == 0;
    bool fits = (l->gated || l->delta || strcmp(rule, "linear") == 0) && l->heads > 0 &&
                q_heads > 0 && q_heads % l->heads == 0 && q->rank == 3 && k->rank == 3 &&
                v->rank == 3 && q->dims[2] > 0 && k->dims[2] > 0 && v->dims[2] > 0 &&
                k->dims[2] % l->heads == 0 && v->dims[2] % l->heads == 0 &&
                q->dims[2] % q_heads == 0 && q->dims[2] / q_heads == k->dims[2] / l->heads &&
                q->dims[1] >= 0 && q->dims[1] == k->dims[1] && q->dims[1] == v->dims[1] &&
                q->dims[1] <= LINEAR_STEPS_MAX && q->dims[1] > 0;
    for (int i = 4; fits && i < 6; i++) {
        bool needed = i == 4 ? l->gated : l->delta;
        sal_vid g = sal_node_in(n, i);
        fits = !needed ||
               (g != SAL_NONE && sal_val(b->g, g)->rank == 3 && sal_val(b->g, g)->dims[2] > 0);
        if (fits && needed && i == 4)
            l->decay = sal_val(b->g, g)->dims[2] / l->heads;
        if (fits && needed && i == 5)
            l->beta = sal_val(b->g, g)->dims[2];
    }
    if (!fits)
        return b->st = sal_fail(
                   b->err, SAL_ESHAPE,
                   "node %s: heads, shapes (fixed, up to %d steps) or update_rule do not fit",
                   n->name, (int)LINEAR_STEPS_MAX);
    l->shared = q_heads / l->heads;
    l->steps = q->dims[1];
    l->dk = k->dims[2] / l->heads;
    l->dv = v->dims[2] / l->heads;
    l->scale = sal_node_float(n, "scale", 0.0);
    l->scale = l->scale == 0.0 ? 1.0 / sqrt((double)l->dk) : l->scale;
    return SAL_OK;
}

/* The state after step t. */
static sal_vid linear_update(sal_builder *b, const sal_node *n, const linear *l, sal_vid state,
                             int64_t t)
{
    static const int64_t row = 2, column = 3;
    sal_vid k = sal_b_unsqueeze(b, linear_step(b, n->in[1], t, l->heads, l->dk), 1, &column);
    sal_vid v = sal_b_unsqueeze(b, linear_step(b, n->in[2], t, l->heads, l->dv), 1, &row);
    if (l->gated && state != SAL_NONE) {
        sal_vid g = sal_b1(b, "Exp", linear_step(b, n->in[4], t, l->heads, l->decay));
        state = sal_b2(b, "Mul", state, sal_b_unsqueeze(b, g, 1, &column));
    }
    if (l->delta) {
        if (state != SAL_NONE)
            v = sal_b2(b, "Sub", v,
                       sal_b_reduce(b, "ReduceSum", sal_b2(b, "Mul", state, k), 1, &row, true));
        v = sal_b2(b, "Mul", v,
                   sal_b_unsqueeze(b, linear_step(b, n->in[5], t, l->beta, 1), 1, &column));
    }
    return sal_b_add_opt(b, state, sal_b2(b, "Mul", k, v));
}

static sal_status linear_attention_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    static const int64_t first = 1;
    linear l = {.decay = 1, .beta = 1};
    sal_vid state = sal_node_in(n, 3), part[64], all = SAL_NONE;
    int parts = 0;
    if (linear_read(b, n, &l) != SAL_OK)
        return b->st;
    const sal_value *q = sal_val(b->g, n->in[0]);
    const int64_t query[4] = {q->dims[0], l.heads, l.shared, l.dk};
    const int64_t row[3] = {q->dims[0], 1, l.heads * l.shared * l.dv};
    for (int64_t t = 0; t < l.steps && b->st == SAL_OK; t++) {
        state = linear_update(b, n, &l, state, t);
        sal_vid x = sal_b_reshape(b, sal_b_slice(b, n->in[0], 1, t, t + 1, 1), 4, query, n->in[0]);
        sal_vid y = sal_b2(b, "MatMul", x, state);
        part[parts++] = sal_b_reshape(b, y, 3, row, n->in[0]);
        if (parts == (int)SAL_COUNTOF(part)) {
            all = sal_b_concat(b, parts, part, first);
            part[0] = all;
            parts = 1;
        }
    }
    all = sal_b_concat(b, parts, part, first);
    out[0] = sal_b2(b, "Mul", all, b->st == SAL_OK ? sal_b_like(b, all, l.scale) : all);
    if (sal_node_out(n, 1) != SAL_NONE)
        out[1] = state;
    return b->st;
}

static const char *const linear_attention_cases[] = {
    "f32[2,3,8] f32[2,3,4] f32[2,3,6] f32[2,2,2,3] f32[2,3,4] f32[2,3,2] ; q_num_heads=4 "
    "kv_num_heads=2 ; out=2 nofd2",
    "f32[1,4,4] f32[1,4,4] f32[1,4,4] ; q_num_heads=2 kv_num_heads=2 "
    "update_rule=\"linear\" scale=0.5 ; out=2 nofd2",
    "f32[1,3,4] f32[1,3,4] f32[1,3,4] _ _ f32[1,3,1] ; q_num_heads=2 kv_num_heads=2 "
    "update_rule=\"delta\" ; out=2 nofd2",
    "f32[1,3,4] f32[1,3,4] f32[1,3,4] f32[1,2,2,2] f32[1,3,2] ; q_num_heads=2 kv_num_heads=2 "
    "update_rule=\"gated\" ; out=2 nofd2",
    NULL,
};

const sal_op_desc sal_op_linear_attention = {
    .name = "LinearAttention",
    .min_in = 3,
    .max_in = 6,
    .min_out = 1,
    .max_out = 2,
    .flags = SAL_OP_COMPOSITE,
    .since = 27,
    .alike = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5,
    .infer = sal_infer_expansion,
    .expand = linear_attention_expand,
    .cases = linear_attention_cases,
};
