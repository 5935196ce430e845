/* Methods that average gradients over variants of the input, as one graph. The variants [S, N, ...]
 * become a batch of S * N samples; the nodes between input and logits are appended once more for
 * them, so that the model's own outputs stay those of the input itself. */
#include "explain/unroll.h"

/* Append copies of the nodes that depend on `from`, reading `to` in its place. map: by value id,
 * the copy. */
static sal_status unroll_copy(sal_builder *b, sal_vid from, sal_vid to, sal_vid *map,
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

sal_vid sal_unroll_mean_gradient(sal_method_build *m, sal_vid variants)
{
    static const int64_t first = 0;
    sal_builder *b = m->b;
    sal_graph *g = b->g;
    sal_target t = *m->target;
    sal_method_build inner = *m;
    size_t n_nodes = g->n_nodes;
    sal_vid *map = NULL, grad = SAL_NONE;

    if (b->st != SAL_OK)
        return SAL_NONE;
    if (!t.batched || sal_val(g, t.input)->dims[0] >= 0) {
        b->st = sal_fail(
            b->err, SAL_EUNSUPPORTED,
            "%s can only be exported when the first dimension of input %s is free, but it is fixed",
            m->method->info.name, sal_val(g, t.input)->name);
        return SAL_NONE;
    }
    int64_t s = sal_val(g, variants)->dims[0];
    t.input = unroll_flatten(b, variants);
    map = sal_malloc((g->n_values + 1) * sizeof(*map));
    if (map == NULL)
        b->st = sal_fail_nomem(b->err);
    if (b->st == SAL_OK)
        b->st = unroll_copy(b, m->target->input, t.input, map, g->n_values, n_nodes);
    if (b->st == SAL_OK) {
        int rank = sal_val(g, t.seed)->rank + 1;

        t.logits = map[t.logits];
        sal_vid seeds = sal_b2(b, "Mul", sal_b_unsqueeze(b, t.seed, 1, &first),
                               unroll_ones(b, sal_val(g, t.seed)->dtype, rank, s));
        t.seed = unroll_flatten(b, seeds);
        inner.target = &t;
        grad = sal_build_gradient(&inner, t.input);
    }
    sal_free(map);
    if (b->st != SAL_OK)
        return SAL_NONE;
    const sal_value *v = sal_val(g, variants);
    grad = sal_b_reshape(b, grad, v->rank, v->dims, variants);
    return sal_b_reduce(b, "ReduceMean", grad, 1, &first, false);
}
