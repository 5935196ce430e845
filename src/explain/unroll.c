/* Gradients at variants of the input, as one graph. The variants [S, N, ...] become a batch of S *
 * N samples; the nodes between input and logits are appended once more for them, so that the
 * model's own outputs stay those of the input itself. */
#include "explain/unroll.h"

/* Append copies of the nodes that depend on `from`, reading `to` in its place. map: by value id,
 * the copy. */
static sal_status unroll_copy_nodes(sal_builder *b, sal_vid from, sal_vid to, sal_vid *map,
                                    size_t n_values, size_t n_nodes)
{
    sal_graph *g = b->g;
    sal_vid *ids = NULL;
    sal_status st = SAL_OK;

    for (size_t i = 0; i < n_values; i++)
        map[i] = SAL_NONE;
    map[from] = to;
    for (size_t i = 0; i < n_nodes; i++) {
        const sal_node *n = g->nodes[i];
        sal_node *copy;
        bool any = false;

        for (int k = 0; k < n->n_in; k++)
            any = any || (n->in[k] != SAL_NONE && map[n->in[k]] != SAL_NONE);
        if (!any)
            continue;
        ids = sal_malloc((size_t)(n->n_in + n->n_out + 1) * sizeof(*ids));
        if (ids == NULL)
            return sal_fail_nomem(b->err);
        for (int k = 0; k < n->n_in; k++)
            ids[k] = n->in[k] != SAL_NONE && map[n->in[k]] != SAL_NONE ? map[n->in[k]] : n->in[k];
        for (int k = 0; k < n->n_out; k++) {
            ids[n->n_in + k] = SAL_NONE;
            if (n->out[k] == SAL_NONE)
                continue;
            SAL_TRY(
                sal_graph_value(g, NULL, sal_val(g, n->out[k])->name, &ids[n->n_in + k], b->err));
            map[n->out[k]] = ids[n->n_in + k];
        }
        SAL_TRY(sal_graph_node(g, n->op, NULL, n->n_in, ids, n->n_out, ids + n->n_in, n->n_attr,
                               n->attr, &copy, b->err));
        SAL_TRY(sal_node_infer(g, copy, b->err));
        sal_free(ids);
        ids = NULL;
    }
done:
    sal_free(ids);
    return st;
}

/* The first n_nodes nodes behind `from` once more, reading `to`. Returns the copies by value id, of
 * *n_values values; NULL after a failure. sal_free(). */
static sal_vid *unroll_copy(sal_builder *b, sal_vid from, sal_vid to, size_t n_nodes,
                            size_t *n_values)
{
    *n_values = b->g->n_values;
    sal_vid *map = sal_malloc((*n_values + 1) * sizeof(*map));

    if (map == NULL) {
        b->st = sal_fail_nomem(b->err);
        return NULL;
    }
    b->st = unroll_copy_nodes(b, from, to, map, *n_values, n_nodes);
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
        map = unroll_copy(b, t->input, x, n_nodes, &n);
    if (b->st == SAL_OK && baselines != SAL_NONE) {
        sal_vid flat = unroll_flatten(b, baselines);

        if (b->st == SAL_OK)
            other = unroll_copy(b, t->input, flat, n_nodes, &n_other);
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
        map = unroll_copy(b, m->target->input, baseline, b->g->n_nodes, &n);
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
