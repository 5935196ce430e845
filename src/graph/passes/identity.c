/* Nodes that give back their input: Identity, Dropout outside of training, Cast to the same type,
 * moves that move nothing, x * 1. Chains: Transpose of Transpose, Reshape of Reshape. */
#include "graph/passes/passes.h"
#include "graph/passes/rewrite.h"

/* Readers of the output may as well read input 0. */
static bool identity_applies(const sal_rewrite *r, const sal_node *n)
{
    const sal_graph *g = r->g;
    int64_t v[2 * SAL_MAX_RANK + 2];
    double number;
    sal_vid x = sal_rewrite_now(r, n->in[0]), y = n->out[0];
    const sal_value *in = sal_val(g, x);
    if (sal_node_is(n, "Identity"))
        return true;
    if (sal_node_is(n, "Dropout"))
        return sal_node_out(n, 1) == SAL_NONE &&
               (sal_node_in(n, 2) == SAL_NONE ||
                (sal_value_number(g, n->in[2], &number) && number == 0));
    if (in->dtype != sal_val(g, y)->dtype || in->dtype == SAL_DT_NONE)
        return false;
    if (sal_node_is(n, "Cast") || sal_node_is(n, "CastLike"))
        return true;
    if ((sal_node_is(n, "Sum") || sal_node_is(n, "Max") || sal_node_is(n, "Min") ||
         sal_node_is(n, "Mean") || sal_node_is(n, "Concat")) &&
        n->n_in == 1)
        return true;
    if (!sal_value_same_shape(g, x, y))
        return false;
    if ((n->op->flags & SAL_OP_VIEW) != 0 || sal_node_is(n, "Expand"))
        return true;
    if (sal_node_is(n, "Transpose")) {
        size_t count;
        const int64_t *perm = sal_node_ints(n, "perm", &count);
        bool same = perm != NULL || in->rank < 2;
        for (size_t i = 0; i < count; i++)
            same = same && perm[i] == (int64_t)i;
        return same;
    }
    if (sal_node_is(n, "Pad")) {
        int count = sal_value_integers(g, sal_node_in(n, 1), v, (int)SAL_COUNTOF(v));
        bool same = count >= 0;
        for (int i = 0; i < count; i++)
            same = same && v[i] == 0;
        return same;
    }
    if (sal_node_is(n, "Slice") && sal_value_is_static(in)) {
        /* The same length along every axis: nothing was cut off, unless the direction was turned.
         */
        int count = sal_node_in(n, 4) == SAL_NONE
                        ? 0
                        : sal_value_integers(g, n->in[4], v, (int)SAL_COUNTOF(v));
        bool same = count >= 0;
        for (int i = 0; i < count; i++)
            same = same && v[i] > 0;
        return same;
    }
    if (sal_node_is(n, "Mul") || sal_node_is(n, "Div"))
        return sal_value_number(g, n->in[1], &number) && number == 1;
    return false;
}

/* Transpose(Transpose(x, p), q) = Transpose(x, p[q]). */
static sal_status identity_transpose(sal_rewrite *r, sal_node *n)
{
    size_t nq, np;
    int64_t perm[SAL_MAX_RANK];
    const sal_node *before = sal_rewrite_producer(r, n->in[0], "Transpose");
    const int64_t *q = sal_node_ints(n, "perm", &nq);
    if (before == NULL || q == NULL || nq > SAL_MAX_RANK)
        return SAL_OK;
    const int64_t *p = sal_node_ints(before, "perm", &np);
    if (p == NULL || np != nq)
        return SAL_OK;
    bool same = true;
    for (size_t i = 0; i < nq; i++) {
        if (q[i] < 0 || (size_t)q[i] >= np)
            return SAL_OK;
        perm[i] = p[q[i]];
        same = same && perm[i] == (int64_t)i;
    }
    if (same) {
        if (sal_rewrite_replace(r, n->out[0], before->in[0]))
            sal_rewrite_kill(r, n);
        return SAL_OK;
    }
    sal_attr attr[] = {SAL_AINTS("perm", perm, nq)}, *copy;
    sal_status st = sal_graph_copy_attrs(r->g, 1, attr, &copy, r->err);
    if (st != SAL_OK)
        return st;
    n->attr = copy;
    n->n_attr = 1;
    n->in[0] = before->in[0];
    r->changed = true;
    return SAL_OK;
}

/* Reshape(any view of x, shape) = Reshape(x, shape), unless the shape copies a length from its
 * input (0). */
static void identity_reshape(sal_rewrite *r, sal_node *n)
{
    int64_t shape[SAL_MAX_RANK];
    const sal_node *before = sal_rewrite_producer(r, n->in[0], NULL);
    int count = sal_value_integers(r->g, sal_node_in(n, 1), shape, SAL_MAX_RANK);
    if (before == NULL || (before->op->flags & SAL_OP_VIEW) == 0 || count < 0)
        return;
    for (int i = 0; i < count; i++)
        if (shape[i] == 0)
            return;
    n->in[0] = before->in[0];
    r->changed = true;
}

sal_status sal_pass_identity(sal_graph *g, sal_error *err)
{
    sal_rewrite r;
    sal_status st = SAL_OK;
    SAL_TRY(sal_rewrite_begin(&r, g, err));
    for (size_t i = 0; i < g->n_nodes; i++) {
        sal_node *n = g->nodes[i];
        if (n->n_in < 1 || n->n_out < 1 || n->in[0] == SAL_NONE || n->out[0] == SAL_NONE)
            continue;
        if (identity_applies(&r, n)) {
            if (sal_rewrite_replace(&r, n->out[0], n->in[0]))
                sal_rewrite_kill(&r, n);
        } else if (sal_node_is(n, "Transpose")) {
            SAL_TRY(identity_transpose(&r, n));
        } else if (sal_node_is(n, "Reshape")) {
            identity_reshape(&r, n);
        }
    }
done:
    return sal_rewrite_end(&r, st);
}
