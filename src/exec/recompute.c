/* What is cheap to form anew for the gradient is not kept for it.
 *
 * Attention probabilities are the largest thing the forward pass leaves for the backward one: heads
 * x tokens x tokens numbers a layer, which cost a small product over what is alive anyway. So the
 * chain
 *
 *     a = q * scale,  s = a k,  p = Softmax(s)
 *
 * is repeated in front of the first late reader of p, and late readers of p and a read the copies.
 *
 * After them come the inputs of the activations of feed-forward networks, x = LayerNorm(z) W + b:
 * their product is not small, a twelfth of a transformer layer's. So only one layer in a few gives
 * its x up, the first ones, which would keep it longest.
 *
 * The kernels are the same, so are the numbers. */
#include "exec/schedule.h"

enum {
    RECOMPUTE_GAP = 12,          /* nodes between an early reader and a late one */
    RECOMPUTE_INNER = 128,       /* longest inner dimension of a product that is repeated */
    RECOMPUTE_BYTES = 1 << 18,   /* smallest result that is worth it */
    RECOMPUTE_ONE_IN = 5,        /* feed-forward networks, of which one is repeated */
    RECOMPUTE_VIEWS = 8,         /* views on views that are followed */
    RECOMPUTE_READERS_MAX = 4096 /* nodes that may read one value */
};

typedef struct recompute {
    sal_graph *g;
    const int32_t *start, *node; /* readers of values */
    int32_t *before;             /* by new node: the old one in front of which it runs */
    size_t n_old;
    sal_error *err;
} recompute;

static bool recompute_is_view(const sal_node *n)
{
    return (n->op->flags & SAL_OP_VIEW) != 0 || strcmp(n->op->name, "Transpose") == 0 ||
           strcmp(n->op->name, "Split") == 0;
}

/* Does v, or a view of it, have a reader at node `from` or later? */
static bool recompute_read_late(const recompute *r, sal_vid v, int32_t from, int depth)
{
    for (int32_t c = r->start[v]; c < r->start[v + 1]; c++) {
        const sal_node *n = r->g->nodes[r->node[c]];
        if (n->id >= from)
            return true;
        for (int k = 0; recompute_is_view(n) && depth > 0 && k < n->n_out; k++)
            if (n->out[k] != SAL_NONE && recompute_read_late(r, n->out[k], from, depth - 1))
                return true;
    }
    return false;
}

/* Is what v shows in memory at node `from` in any case? */
static bool recompute_alive(const recompute *r, sal_vid v, int32_t from)
{
    for (int i = 0; i < RECOMPUTE_VIEWS; i++) {
        int32_t by = sal_val(r->g, v)->producer;
        if (by < 0)
            return true; /* inputs and constants */
        if (!recompute_is_view(r->g->nodes[by]))
            break;
        v = r->g->nodes[by]->in[0];
    }
    return recompute_read_late(r, v, from, RECOMPUTE_VIEWS);
}

/* The first reader behind the widest gap between two readers of v; -1 when none is wide enough. */
static int32_t recompute_late(const recompute *r, sal_vid v)
{
    int32_t best = RECOMPUTE_GAP, late = -1, last = -1;
    /* readers stand in ascending order */
    for (int32_t c = r->start[v]; c < r->start[v + 1]; c++) {
        if (last >= 0 && r->node[c] - last > best) {
            best = r->node[c] - last;
            late = r->node[c];
        }
        last = r->node[c];
    }
    return late;
}

static bool recompute_single(const recompute *r, sal_vid v)
{
    for (size_t i = 0; i < r->g->n_outputs; i++)
        if (r->g->outputs[i] == v)
            return false;
    return r->start[v + 1] - r->start[v] == 1;
}

/* A copy of node n that reads `in`, in front of node `before`; *out: its result. */
static sal_status recompute_copy(recompute *r, const sal_node *n, const sal_vid *in, int32_t before,
                                 sal_vid *out)
{
    sal_status st = SAL_OK;
    sal_node *made;
    const sal_value *y = sal_val(r->g, n->out[0]);
    SAL_TRY(sal_graph_value(r->g, NULL, n->op->name, out, r->err));
    SAL_TRY(sal_value_set_type(r->g, *out, y->dtype, y->rank, y->dims, r->err));
    SAL_TRY(
        sal_graph_node(r->g, n->op, NULL, n->n_in, in, 1, out, n->n_attr, n->attr, &made, r->err));
    r->before[(size_t)made->id - r->n_old] = before;
done:
    return st;
}

static void recompute_redirect(const recompute *r, sal_vid from, sal_vid to, int32_t late)
{
    for (int32_t c = r->start[from]; c < r->start[from + 1]; c++) {
        sal_node *n = r->g->nodes[r->node[c]];
        for (int k = 0; n->id >= late && k < n->n_in; k++)
            if (n->in[k] == from)
                n->in[k] = to;
    }
}

/* x * c or x / c with one number c; *x: which input is x. */
static bool recompute_is_scale(const sal_graph *g, const sal_node *n, int *x)
{
    bool mul = strcmp(n->op->name, "Mul") == 0, div = strcmp(n->op->name, "Div") == 0;
    if ((!mul && !div) || n->n_in != 2)
        return false;
    for (int k = 0; k < (mul ? 2 : 1); k++) {
        const sal_tensor *c = sal_val(g, n->in[1 - k])->constant;
        if (c != NULL && sal_tensor_count(c) == 1) {
            *x = k;
            return true;
        }
    }
    return false;
}

/* The scale once more. A view in front of it is repeated as well: otherwise the row-major copy that
 * was made for the first scale would wait for the second. */
static sal_status recompute_scale(recompute *r, const sal_node *scale, int x, int32_t late,
                                  sal_vid *out)
{
    sal_status st = SAL_OK;
    sal_vid in[2] = {scale->in[0], scale->in[1]};
    int32_t by = sal_val(r->g, in[x])->producer;
    const sal_node *view = by < 0 ? NULL : r->g->nodes[by];
    if (view != NULL && recompute_is_view(view) && view->n_out == 1)
        SAL_TRY(recompute_copy(r, view, view->in, late, &in[x]));
    SAL_TRY(recompute_copy(r, scale, in, late, out));
done:
    return st;
}

static sal_status recompute_softmax(recompute *r, const sal_node *n)
{
    sal_graph *g = r->g;
    const sal_value *p = sal_val(g, n->out[0]), *s = sal_val(g, n->in[0]);
    sal_status st = SAL_OK;
    if (p->dtype != SAL_F32 || sal_value_count(p) * (int64_t)sizeof(float) < RECOMPUTE_BYTES ||
        r->start[n->out[0] + 1] - r->start[n->out[0]] > RECOMPUTE_READERS_MAX || s->producer < 0 ||
        !recompute_single(r, n->in[0]))
        return SAL_OK;
    int32_t late = recompute_late(r, n->out[0]);
    const sal_node *m = g->nodes[s->producer];
    if (late < 0 || strcmp(m->op->name, "MatMul") != 0)
        return SAL_OK;
    const sal_value *a = sal_val(g, m->in[0]);
    if (a->rank < 3 || a->dims[a->rank - 1] > RECOMPUTE_INNER)
        return SAL_OK;
    sal_vid in[2] = {m->in[0], m->in[1]}, scaled = SAL_NONE, scores, again;
    int x = 0;
    for (int k = 0; k < 2; k++) {
        int32_t by = sal_val(g, in[k])->producer;
        const sal_node *scale = by < 0 ? NULL : g->nodes[by];
        if (k == 0 && scale != NULL && recompute_is_scale(g, scale, &x) &&
            recompute_alive(r, scale->in[x], late)) {
            SAL_TRY(recompute_scale(r, scale, x, late, &scaled));
            recompute_redirect(r, in[0], scaled, late);
            in[0] = scaled;
        } else if (!recompute_alive(r, in[k], late)) {
            return SAL_OK; /* a repeated scale alone does no harm */
        }
    }
    SAL_TRY(recompute_copy(r, m, in, late, &scores));
    SAL_TRY(recompute_copy(r, n, &scores, late, &again));
    recompute_redirect(r, n->out[0], again, late);
done:
    return st;
}

/* The product behind x = h W + b with constant W and b that is worth forming anew; *late: from
 * which node on. */
static const sal_node *recompute_hidden_product(const recompute *r, const sal_node *add,
                                                int32_t *late)
{
    const sal_graph *g = r->g;
    if (strcmp(add->op->name, "Add") != 0)
        return NULL;
    const sal_value *x = sal_val(g, add->out[0]);
    if (x->dtype != SAL_F32 || sal_value_count(x) * (int64_t)sizeof(float) < RECOMPUTE_BYTES ||
        r->start[add->out[0] + 1] - r->start[add->out[0]] > RECOMPUTE_READERS_MAX)
        return NULL;
    *late = recompute_late(r, add->out[0]);
    for (int k = 0; k < 2 && *late >= 0; k++) {
        int32_t by = sal_val(g, add->in[k])->producer;
        const sal_node *m = by < 0 ? NULL : g->nodes[by];
        if (m == NULL || strcmp(m->op->name, "MatMul") != 0 || !recompute_single(r, m->out[0]) ||
            sal_val(g, add->in[1 - k])->constant == NULL || sal_val(g, m->in[1])->constant == NULL)
            continue;
        by = sal_val(g, m->in[0])->producer;
        const sal_node *norm = by < 0 ? NULL : g->nodes[by];
        if (norm != NULL && strcmp(norm->op->name, "LayerNormalization") == 0 &&
            recompute_alive(r, norm->in[0], *late))
            return m;
    }
    return NULL;
}

static sal_status recompute_hidden(recompute *r)
{
    sal_graph *g = r->g;
    size_t found = 0;
    int32_t late;
    sal_status st = SAL_OK;
    for (size_t i = 0; i < r->n_old; i++)
        found += recompute_hidden_product(r, g->nodes[i], &late) != NULL;
    found /= RECOMPUTE_ONE_IN;
    for (size_t i = 0; i < r->n_old && found > 0; i++) {
        const sal_node *add = g->nodes[i], *m = recompute_hidden_product(r, add, &late);
        if (m == NULL)
            continue;
        sal_vid in[2] = {add->in[0], add->in[1]}, product[2] = {m->in[0], m->in[1]}, again;
        const sal_node *norm = g->nodes[sal_val(g, m->in[0])->producer];
        SAL_TRY(recompute_copy(r, norm, norm->in, late, &product[0]));
        SAL_TRY(recompute_copy(r, m, product, late, &in[in[0] == m->out[0] ? 0 : 1]));
        SAL_TRY(recompute_copy(r, add, in, late, &again));
        recompute_redirect(r, add->out[0], again, late);
        found--;
    }
done:
    return st;
}

/* New nodes stand behind the old ones: put each where it runs. */
static sal_status recompute_order(recompute *r)
{
    sal_graph *g = r->g;
    size_t at = 0, n_new = g->n_nodes - r->n_old, next = 0;
    sal_node **order = sal_malloc((g->n_nodes + 1) * sizeof *order);
    bool *placed = sal_calloc(n_new + 1, sizeof *placed);
    if (order == NULL || placed == NULL) {
        sal_free(order);
        sal_free(placed);
        return sal_fail_nomem(r->err);
    }
    for (size_t i = 0; i < r->n_old; i++) {
        for (size_t k = next; k < n_new; k++)
            if (!placed[k] && r->before[k] == (int32_t)i) {
                order[at++] = g->nodes[r->n_old + k];
                placed[k] = true;
            }
        while (next < n_new && placed[next])
            next++;
        order[at++] = g->nodes[i];
    }
    memcpy(g->nodes, order, at * sizeof *order);
    for (size_t i = 0; i < g->n_nodes; i++) {
        g->nodes[i]->id = (int32_t)i;
        for (int k = 0; k < g->nodes[i]->n_out; k++)
            if (g->nodes[i]->out[k] != SAL_NONE)
                sal_val(g, g->nodes[i]->out[k])->producer = (int32_t)i;
    }
    sal_free(order);
    sal_free(placed);
    return SAL_OK;
}

sal_status sal_schedule_recompute(sal_graph *g, sal_error *err)
{
    sal_status st = SAL_OK;
    recompute r = {.g = g, .n_old = g->n_nodes, .err = err};
    const size_t n_values = g->n_values;
    int32_t *start = sal_calloc(n_values + 2, sizeof *start), *node = NULL, *fill = NULL;
    size_t n_softmax = 0, n_add = 0;
    if (start == NULL)
        return sal_fail_nomem(err);
    for (size_t i = 0; i < g->n_nodes; i++) {
        n_softmax += strcmp(g->nodes[i]->op->name, "Softmax") == 0;
        n_add += strcmp(g->nodes[i]->op->name, "Add") == 0;
        for (int k = 0; k < g->nodes[i]->n_in; k++)
            if (g->nodes[i]->in[k] != SAL_NONE)
                start[g->nodes[i]->in[k] + 1]++;
    }
    for (size_t v = 0; v < n_values; v++)
        start[v + 1] += start[v];
    node = sal_malloc(((size_t)start[n_values] + 1) * sizeof *node);
    fill = sal_calloc(n_values + 1, sizeof *fill);
    r.before = sal_malloc((4 * n_softmax + 3 * n_add + 1) * sizeof *r.before);
    if (node == NULL || fill == NULL || r.before == NULL)
        SAL_TRY(sal_fail_nomem(err));
    for (size_t i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_in; k++) {
            sal_vid v = g->nodes[i]->in[k];
            if (v != SAL_NONE)
                node[start[v] + fill[v]++] = (int32_t)i;
        }
    r.start = start;
    r.node = node;
    for (size_t i = 0; i < r.n_old; i++)
        if (strcmp(g->nodes[i]->op->name, "Softmax") == 0)
            SAL_TRY(recompute_softmax(&r, g->nodes[i]));
    SAL_TRY(recompute_hidden(&r));
    if (g->n_nodes > r.n_old)
        SAL_TRY(recompute_order(&r));
done:
    sal_free(start);
    sal_free(node);
    sal_free(fill);
    sal_free(r.before);
    return st;
}
