/* One row is picked: compute only this row, as far back as rows do not meet.
 *
 * A transformer classifies by one token: Gather(x, 0, axis 1) behind the last layer. Everything
 * behind the last attention works on each token alone, so of y = Gather(f(x), i) only f(Gather(x,
 * i)) is needed: the feed-forward network of the last layer, its derivative, and what the forward
 * pass would keep for it. The axis stays, with length 1, so that ranks and axes do not change. */
#include "graph/passes/passes.h"
#include "graph/passes/rewrite.h"

typedef struct narrow {
    sal_rewrite r;
    sal_graph *g;
    const sal_node *seed;
    int axis, rank;
    int64_t full;
    int32_t *reads;   /* by value: readers that need the one row only */
    uint8_t *node;    /* by node: works on the row alone */
    uint8_t *value;   /* by value: shrinks */
    sal_vid *instead; /* by value: its row, where it does not shrink itself */
} narrow;

/* Does operand v of a node have all rows? */
static bool narrow_is_full(const narrow *w, sal_vid v)
{
    const sal_value *x = v == SAL_NONE ? NULL : sal_val(w->g, v);
    return x != NULL && x->rank == w->rank && x->dims[w->axis] == w->full;
}

/* Operand k does not need to shrink: it has no such axis, or one that is broadcast. */
static bool narrow_is_common(const narrow *w, sal_vid v)
{
    const sal_value *x = v == SAL_NONE ? NULL : sal_val(w->g, v);
    if (x == NULL)
        return true;
    if (x->rank < 0)
        return false;
    int at = w->axis - (w->rank - x->rank);
    return at < 0 || x->dims[at] == 1;
}

/* Rows of n's output 0 depend on the same row of its inputs only. */
static bool narrow_by_rows(const narrow *w, const sal_node *n)
{
    const sal_value *y = sal_val(w->g, n->out[0]);
    for (int k = 1; k < n->n_out; k++)
        if (n->out[k] != SAL_NONE)
            return false;
    if (y->rank != w->rank || y->dims[w->axis] != w->full)
        return false;
    if ((n->op->flags & SAL_OP_ELEMENTWISE) != 0) {
        for (int k = 0; k < n->n_in; k++)
            if (!narrow_is_common(w, n->in[k]) && !narrow_is_full(w, n->in[k]))
                return false;
        return true;
    }
    if (!narrow_is_full(w, n->in[0]))
        return false;
    if (sal_node_is(n, "MatMul"))
        return sal_val(w->g, n->in[1])->rank == 2 && w->axis < w->rank - 1;
    if (sal_node_is_ours(n, "PackedMatMul"))
        return w->axis < w->rank - 1;
    if (sal_node_is(n, "LayerNormalization") || sal_node_is(n, "RMSNormalization")) {
        int64_t axis = sal_node_int(n, "axis", -1);
        bool plain = true; /* scale and shift lie behind the axis */
        for (int k = 1; k < n->n_in; k++)
            plain = plain && narrow_is_common(w, n->in[k]);
        return plain && (axis < 0 ? axis + w->rank : axis) > w->axis;
    }
    return false;
}

/* Inputs of a narrowed node that hold rows; the weights of a product are none, whatever their
 * rank. */
static bool narrow_operand(const narrow *w, const sal_node *n, int k)
{
    return narrow_is_full(w, n->in[k]) && (k == 0 || (n->op->flags & SAL_OP_ELEMENTWISE) != 0);
}

/* From the last node to the first: a value shrinks when all its readers want the row alone. Returns
 * how many matrix products become smaller. */
static int narrow_mark(narrow *w)
{
    int products = 0;
    w->reads[w->seed->in[0]] = 1;
    for (int32_t i = w->seed->id - 1; i >= 0; i--) {
        const sal_node *n = w->g->nodes[i];
        sal_vid v = n->n_out > 0 ? n->out[0] : SAL_NONE;
        if (v == SAL_NONE || w->reads[v] == 0 || w->reads[v] != w->r.uses[v] || w->r.is_out[v] ||
            !narrow_by_rows(w, n))
            continue;
        w->node[i] = w->value[v] = 1;
        products += sal_node_is(n, "MatMul") || sal_node_is_ours(n, "PackedMatMul");
        for (int k = 0; k < n->n_in; k++)
            w->reads[SAL_MAX(n->in[k], 0)] += n->in[k] >= 0 && narrow_operand(w, n, k);
    }
    return products;
}

/* The row of v, made once. */
static sal_status narrow_row(narrow *w, sal_vid v, sal_vid index, sal_vid *out)
{
    sal_status st = SAL_OK;
    sal_attr axis = {.name = "axis", .kind = SAL_ATTR_INT, .i = w->axis};
    if (w->instead[v] == SAL_NONE)
        SAL_TRY(sal_rewrite_append(&w->r, "Gather", 2, (sal_vid[]){v, index}, 1, &axis,
                                   &w->instead[v]));
    *out = w->instead[v];
done:
    return st;
}

static sal_status narrow_apply(narrow *w, int64_t index)
{
    sal_graph *g = w->g;
    sal_status st = SAL_OK;
    const int64_t one = 1, zero = 0;
    const size_t n_nodes = g->n_nodes;
    const sal_tensor *was = sal_value_constant(g, w->seed->in[1]);
    sal_tensor at = sal_tensor_borrow(SAL_I64, 1, &one, &index);
    sal_tensor first = sal_tensor_borrow(SAL_I64, was->rank, was->dims, (void *)(uintptr_t)&zero);
    sal_vid row, start;
    SAL_TRY(sal_graph_constant(g, NULL, &at, &row, w->r.err));
    SAL_TRY(sal_graph_constant(g, NULL, &first, &start, w->r.err));
    SAL_TRY(sal_rewrite_fit(&w->r));
    for (size_t i = 0; i < n_nodes; i++) {
        sal_node *n = g->nodes[i];
        for (int k = 0; w->node[i] && k < n->n_in; k++)
            if (narrow_operand(w, n, k) && !w->value[n->in[k]])
                SAL_TRY(narrow_row(w, n->in[k], row, &n->in[k]));
    }
    for (size_t i = 0; i < n_nodes; i++)
        if (w->node[i])
            sal_val(g, g->nodes[i]->out[0])->dims[w->axis] = 1;
    g->nodes[w->seed->id]->in[1] = start;
    w->r.changed = true;
done:
    return st;
}

static sal_status narrow_seed(sal_graph *g, const sal_node *seed, bool *done, sal_error *err)
{
    narrow w = {.g = g, .seed = seed};
    const sal_value *x = sal_val(g, seed->in[0]);
    int64_t index, axis = sal_node_int(seed, "axis", 0);
    double number;
    sal_status st = SAL_OK;
    if (x->rank < 2 || !sal_value_number(g, seed->in[1], &number))
        return SAL_OK;
    w.axis = (int)(axis < 0 ? axis + x->rank : axis);
    if (w.axis < 0 || w.axis >= x->rank || x->dims[w.axis] < 2)
        return SAL_OK;
    w.rank = x->rank;
    w.full = x->dims[w.axis];
    index = (int64_t)number;
    if (index < -w.full || index >= w.full)
        return SAL_OK;
    SAL_TRY(sal_rewrite_begin(&w.r, g, err));
    w.reads = sal_calloc(g->n_values + 1, sizeof *w.reads);
    w.value = sal_calloc(g->n_values + 1, 1);
    w.node = sal_calloc(g->n_nodes + 1, 1);
    w.instead = sal_malloc((g->n_values + 1) * sizeof *w.instead);
    if (w.reads == NULL || w.value == NULL || w.node == NULL || w.instead == NULL)
        SAL_TRY(sal_fail_nomem(err));
    for (size_t v = 0; v < g->n_values; v++)
        w.instead[v] = SAL_NONE;
    if (narrow_mark(&w) > 0) {
        *done = true;
        SAL_TRY(narrow_apply(&w, index));
    }
done:
    st = sal_rewrite_end(&w.r, st);
    sal_free(w.reads);
    sal_free(w.value);
    sal_free(w.node);
    sal_free(w.instead);
    return st;
}

sal_status sal_pass_narrow(sal_graph *g, sal_error *err)
{
    /* What is picked stands near the end, and few are. */
    enum { NARROW_SEEDS = 4 };
    sal_status st = SAL_OK;
    int seeds = 0;
    for (size_t i = g->n_nodes; st == SAL_OK && i-- > 0 && seeds < NARROW_SEEDS;) {
        bool done = false;
        if (!sal_node_is(g->nodes[i], "Gather"))
            continue;
        seeds++;
        st = narrow_seed(g, g->nodes[i], &done, err);
        if (done) /* the nodes have new places */
            break;
    }
    return st;
}
