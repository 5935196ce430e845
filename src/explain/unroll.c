/* Gradients at variants of the input, as one graph. The variants [S, N, ...] become a batch of S *
 * N samples; the nodes between input and logits are appended once more for them, so that the
 * model's own outputs stay those of the input itself. */
#include "explain/unroll.h"

/* Marks by value id: `until` and what it is computed from. */
static void unroll_mark(const sal_graph *g, sal_vid until, size_t n_nodes, bool *needed)
{
    needed[until] = true;
    for (size_t i = n_nodes; i-- > 0;) {
        const sal_node *n = g->nodes[i];
        bool any = false;

        for (int k = 0; k < n->n_out; k++)
            any = any || (n->out[k] != SAL_NONE && needed[n->out[k]]);
        for (int k = 0; any && k < n->n_in; k++) {
            if (n->in[k] != SAL_NONE)
                needed[n->in[k]] = true;
        }
    }
}

/* Append a copy of one node that reads map[v] in place of v; its outputs enter the map. */
static sal_status unroll_node(sal_builder *b, const sal_node *n, sal_vid *map)
{
    sal_graph *g = b->g;
    sal_vid *ids = sal_malloc((size_t)(n->n_in + n->n_out + 1) * sizeof(*ids));
    sal_node *copy;
    sal_status st = SAL_OK;

    if (ids == NULL)
        return sal_fail_nomem(b->err);
    for (int k = 0; k < n->n_in; k++)
        ids[k] = n->in[k] != SAL_NONE && map[n->in[k]] != SAL_NONE ? map[n->in[k]] : n->in[k];
    for (int k = 0; k < n->n_out; k++) {
        ids[n->n_in + k] = SAL_NONE;
        if (n->out[k] == SAL_NONE)
            continue;
        SAL_TRY(sal_graph_value(g, NULL, sal_val(g, n->out[k])->name, &ids[n->n_in + k], b->err));
        map[n->out[k]] = ids[n->n_in + k];
    }
    SAL_TRY(sal_graph_node(g, n->op, NULL, n->n_in, ids, n->n_out, ids + n->n_in, n->n_attr,
                           n->attr, &copy, b->err));
    st = sal_node_infer(g, copy, b->err);
done:
    sal_free(ids);
    return st;
}

/* Of the first n_nodes nodes those between `from` and `until` once more, reading `to`. Returns the
 * copies by value id, of *n_values values; NULL after a failure. sal_free(). */
static sal_vid *unroll_copy(sal_builder *b, sal_vid from, sal_vid to, sal_vid until, size_t n_nodes,
                            size_t *n_values)
{
    *n_values = b->g->n_values;
    sal_vid *map = sal_malloc((*n_values + 1) * sizeof(*map));
    bool *needed = sal_calloc(*n_values + 1, sizeof(*needed));

    if (map == NULL || needed == NULL) {
        b->st = sal_fail_nomem(b->err);
    } else {
        unroll_mark(b->g, until, n_nodes, needed);
        for (size_t i = 0; i < *n_values; i++)
            map[i] = SAL_NONE;
        map[from] = to;
    }
    for (size_t i = 0; b->st == SAL_OK && i < n_nodes; i++) {
        const sal_node *n = b->g->nodes[i];
        bool reads = false, wanted = false;

        for (int k = 0; k < n->n_in; k++)
            reads = reads || (n->in[k] != SAL_NONE && map[n->in[k]] != SAL_NONE);
        for (int k = 0; k < n->n_out; k++)
            wanted = wanted || (n->out[k] != SAL_NONE && needed[n->out[k]]);
        if (reads && wanted)
            b->st = unroll_node(b, n, map);
    }
    sal_free(needed);
    if (b->st == SAL_OK)
        return map;
    sal_free(map);
    return NULL;
}

/* [S, N, rest] as [S * N, rest]. */
static sal_vid unroll_flatten(sal_builder *b, sal_vid v)
{
    int64_t dims[SAL_MAX_RANK];

    if (b->st != SAL_OK)
        return SAL_NONE;
    const sal_value *x = sal_val(b->g, v);
    int rank = x->rank - 1;
    memcpy(dims, x->dims + 1, (size_t)rank * sizeof(*dims));
    dims[0] = sal_dim_mul(b->g, x->dims[1], x->dims[0]);
    return sal_b_reshape(b, v, rank, dims, v);
}

/* Ones of shape [s, 1, 1, ...] with `rank` axes. */
static sal_vid unroll_ones(sal_builder *b, sal_dtype dtype, int rank, int64_t s)
{
    int64_t dims[SAL_MAX_RANK] = {s, 1, 1, 1, 1, 1, 1, 1};
    sal_tensor t = SAL_TENSOR_INIT;
    sal_vid v = SAL_NONE;

    if (b->st == SAL_OK)
        b->st = sal_tensor_new(&t, dtype, rank, dims, b->err);
    for (int64_t i = 0; b->st == SAL_OK && i < s; i++)
        sal_tensor_set(&t, i, 1.0);
    v = sal_b_tensor(b, &t);
    sal_tensor_free(&t);
    return v;
}

/* Twins by value id of the copies in `map`: the same values' copies in `other`. */
static sal_vid *unroll_twins(sal_builder *b, const sal_vid *map, size_t n, const sal_vid *other,
                             size_t *count)
{
    *count = b->g->n_values;
    sal_vid *twins = sal_malloc((*count + 1) * sizeof(*twins));

    if (twins == NULL) {
        b->st = sal_fail_nomem(b->err);
        return NULL;
    }
    for (size_t i = 0; i < *count; i++)
        twins[i] = SAL_NONE;
    for (size_t i = 0; i < n; i++) {
        if (map[i] != SAL_NONE)
            twins[map[i]] = other[i];
    }
    return twins;
}

/* The gradient by the copy's input `x`; map and its twins as above. */
static sal_vid unroll_differentiate(sal_method_build *m, sal_vid x, const sal_vid *map, int64_t s)
{
    static const int64_t first = 0;
    sal_builder *b = m->b;
    sal_target t = *m->target;
    sal_method_build inner = *m;
    int rank = sal_val(b->g, t.seed)->rank + 1;

    t.input = x;
    t.logits = map[t.logits];
    sal_vid seeds = sal_b2(b, "Mul", sal_b_unsqueeze(b, t.seed, 1, &first),
                           unroll_ones(b, sal_val(b->g, t.seed)->dtype, rank, s));
    t.seed = unroll_flatten(b, seeds);
    inner.target = &t;
    return sal_build_gradient(&inner, x);
}

sal_vid sal_unroll_gradient(sal_method_build *m, sal_vid variants, sal_vid baselines)
{
    return sal_unroll_gradient_of(m, m->target->input, variants, baselines);
}

bool sal_unroll_is_cut(sal_method_build *m, sal_vid v)
{
    enum { BEHIND = 1, LIVE = 2 };
    const sal_graph *g = m->b->g;
    uint8_t *mark = sal_calloc(g->n_values + 1, 1);
    bool *needed = sal_calloc(g->n_values + 1, sizeof(*needed)), cut = true;

    if (mark == NULL || needed == NULL) {
        m->b->st = sal_fail_nomem(m->b->err);
        cut = false;
    } else {
        unroll_mark(g, m->target->logits, g->n_nodes, needed);
        mark[m->target->input] = LIVE;
        mark[v] = BEHIND | LIVE;
    }
    for (size_t i = 0; cut && i < g->n_nodes; i++) {
        const sal_node *n = g->nodes[i];
        uint8_t all = 0;

        for (int k = 0; k < n->n_in; k++)
            all |= n->in[k] == SAL_NONE ? 0 : mark[n->in[k]];
        for (int k = 0; k < n->n_out; k++) {
            if (n->out[k] != SAL_NONE && n->out[k] != v)
                mark[n->out[k]] = all;
        }
        bool wanted = n->n_out > 0 && n->out[0] != SAL_NONE && needed[n->out[0]];
        for (int k = 0; wanted && (all & BEHIND) != 0 && k < n->n_in; k++)
            cut = cut &&
                  (n->in[k] == SAL_NONE || mark[n->in[k]] == 0 || (mark[n->in[k]] & BEHIND) != 0);
    }
    sal_free(mark);
    sal_free(needed);
    return cut;
}

sal_vid sal_build_gradient_at(sal_method_build *m, sal_vid from, sal_vid instead)
{
    sal_builder *b = m->b;
    sal_target t = *m->target;
    sal_method_build inner = *m;
    sal_vid *map = NULL, grad = SAL_NONE;
    size_t n = 0;

    if (b->st == SAL_OK)
        map = unroll_copy(b, from, instead, t.logits, b->g->n_nodes, &n);
    if (b->st == SAL_OK) {
        t.logits = map[t.logits];
        inner.target = &t;
        grad = sal_build_gradient(&inner, instead);
    }
    sal_free(map);
    return b->st == SAL_OK ? grad : SAL_NONE;
}

sal_vid sal_build_value_at(sal_method_build *m, sal_vid v, sal_vid instead)
{
    sal_builder *b = m->b;
    sal_vid *map = NULL;
    size_t n = 0;

    if (b->st == SAL_OK)
        map = unroll_copy(b, m->target->input, instead, v, b->g->n_nodes, &n);
    if (b->st == SAL_OK && map[v] != SAL_NONE)
        v = map[v];
    sal_free(map);
    return b->st == SAL_OK ? v : SAL_NONE;
}

sal_vid sal_unroll_gradient_of(sal_method_build *m, sal_vid from, sal_vid variants,
                               sal_vid baselines)
{
    sal_builder *b = m->b;
    sal_graph *g = b->g;
    const sal_target *t = m->target;
    size_t n_nodes = g->n_nodes, n = 0, n_other = 0;
    sal_vid *map = NULL, *other = NULL, *twins = NULL, grad = SAL_NONE;

    if (b->st != SAL_OK)
        return SAL_NONE;
    if (!t->batched || sal_val(g, t->input)->dims[0] >= 0) {
        b->st = sal_fail(
            b->err, SAL_EUNSUPPORTED,
            "%s can only be exported when the first dimension of input %s is free, but it is fixed",
            m->method->info.name, sal_val(g, t->input)->name);
        return SAL_NONE;
    }
    sal_vid x = unroll_flatten(b, variants);
    if (b->st == SAL_OK)
        map = unroll_copy(b, from, x, t->logits, n_nodes, &n);
    if (b->st == SAL_OK && baselines != SAL_NONE) {
        sal_vid flat = unroll_flatten(b, baselines);

        if (b->st == SAL_OK)
            other = unroll_copy(b, from, flat, t->logits, n_nodes, &n_other);
        if (b->st == SAL_OK)
            twins = unroll_twins(b, map, n, other, &m->n_pair);
        m->pair = twins;
    }
    if (b->st == SAL_OK)
        grad = unroll_differentiate(m, x, map, sal_val(g, variants)->dims[0]);
    m->pair = NULL;
    m->n_pair = 0;
    sal_free(twins);
    sal_free(other);
    sal_free(map);
    if (b->st != SAL_OK)
        return SAL_NONE;
    const sal_value *v = sal_val(g, variants);
    return sal_b_reshape(b, grad, v->rank, v->dims, variants);
}

sal_vid sal_unroll_mean_gradient(sal_method_build *m, sal_vid variants)
{
    static const int64_t first = 0;

    return sal_b_reduce(m->b, "ReduceMean", sal_unroll_gradient(m, variants, SAL_NONE), 1, &first,
                        false);
}

sal_vid sal_build_multipliers(sal_method_build *m, sal_vid baseline)
{
    sal_builder *b = m->b;
    sal_vid *map = NULL, grad = SAL_NONE;
    size_t n = 0;

    if (b->st == SAL_OK)
        map = unroll_copy(b, m->target->input, baseline, m->target->logits, b->g->n_nodes, &n);
    if (b->st == SAL_OK) {
        m->pair = map;
        m->n_pair = n;
        grad = sal_build_gradient(m, m->target->input);
    }
    m->pair = NULL;
    m->n_pair = 0;
    sal_free(map);
    return b->st == SAL_OK ? grad : SAL_NONE;
}
