/* Order of execution: cheap nodes that make a big value unnecessary move up.
 *
 * Differentiation appends its nodes at the end, so the mask y > 0 of an activation would be formed
 * in the backward half and keep y alive until then. Formed right after y it costs a byte an element
 * instead of four. */
#include "exec/schedule.h"

static bool schedule_hoists(const sal_graph *g, const sal_node *n)
{
    return (n->op->flags & SAL_OP_ELEMENTWISE) != 0 && n->n_out == 1 &&
           sal_val(g, n->out[0])->dtype == SAL_BOOL;
}

typedef struct schedule_links {
    int32_t *head, *next; /* followers of each node, in order of appearance; -1 = none */
    sal_node **order;
    size_t n;
} schedule_links;

static void schedule_emit(const sal_graph *g, schedule_links *l, int32_t id)
{
    /* Followers of followers: chains of masks are short, but a hostile graph may have long ones: no
     * recursion. */
    l->order[l->n++] = g->nodes[id];
    for (int32_t f = l->head[id]; f >= 0; f = l->next[f])
        l->order[l->n++] = g->nodes[f];
}

sal_status sal_schedule_masks(sal_graph *g, sal_error *err)
{
    sal_status st = SAL_OK;
    size_t n = g->n_nodes;
    schedule_links l = {NULL, NULL, NULL, 0};
    int32_t *tail = NULL, *lead = NULL;
    l.head = sal_malloc((n + 1) * sizeof *l.head);
    l.next = sal_malloc((n + 1) * sizeof *l.next);
    tail = sal_malloc((n + 1) * sizeof *tail);
    lead = sal_malloc((n + 1) *
                      sizeof *lead); /* the node after which this one runs; itself when it stays */
    l.order = sal_malloc((n + 1) * sizeof *l.order);
    if (l.head == NULL || l.next == NULL || tail == NULL || lead == NULL || l.order == NULL)
        SAL_TRY(sal_fail_nomem(err));
    for (size_t i = 0; i < n; i++) {
        const sal_node *node = g->nodes[i];
        l.head[i] = l.next[i] = tail[i] = -1;
        lead[i] = (int32_t)i;
        if (!schedule_hoists(g, node))
            continue;
        int32_t after = -1;
        for (int k = 0; k < node->n_in; k++) {
            int32_t from = node->in[k] == SAL_NONE ? -1 : sal_val(g, node->in[k])->producer;
            if (from >= 0)
                after = SAL_MAX(after, lead[from]);
        }
        if (after < 0)
            continue;
        lead[i] = after;
        if (tail[after] < 0)
            l.head[after] = (int32_t)i;
        else
            l.next[tail[after]] = (int32_t)i;
        tail[after] = (int32_t)i;
    }
    for (size_t i = 0; i < n; i++)
        if (lead[i] == (int32_t)i)
            schedule_emit(g, &l, (int32_t)i);
    for (size_t i = 0; i < n; i++) {
        g->nodes[i] = l.order[i];
        g->nodes[i]->id = (int32_t)i;
        for (int k = 0; k < g->nodes[i]->n_out; k++)
            if (g->nodes[i]->out[k] != SAL_NONE)
                sal_val(g, g->nodes[i]->out[k])->producer = (int32_t)i;
    }
done:
    sal_free(l.head);
    sal_free(l.next);
    sal_free(tail);
    sal_free(lead);
    sal_free(l.order);
    return st;
}

static bool schedule_same_dims(const sal_value *x, const sal_value *y)
{
    return x->rank == y->rank && memcmp(x->dims, y->dims, (size_t)x->rank * sizeof *x->dims) == 0;
}

/* True when another operand of n alone gives the output its shape. */
static bool schedule_shaped_by_other(const sal_graph *g, const sal_node *n, sal_vid expanded)
{
    if ((n->op->flags & SAL_OP_ELEMENTWISE) == 0)
        return false;
    for (int k = 0; k < n->n_in; k++)
        if (n->in[k] != SAL_NONE && n->in[k] != expanded &&
            schedule_same_dims(sal_val(g, n->in[k]), sal_val(g, n->out[0])))
            return true;
    return false;
}

sal_status sal_schedule_broadcasts(sal_graph *g, sal_error *err)
{
    sal_vid *source = sal_malloc((g->n_values + 1) * sizeof *source);
    if (source == NULL)
        return sal_fail_nomem(err);
    for (size_t v = 0; v < g->n_values; v++)
        source[v] = SAL_NONE;
    for (size_t i = 0; i < g->n_nodes; i++) {
        sal_node *n = g->nodes[i];
        if (strcmp(n->op->name, "Expand") == 0 &&
            sal_val(g, n->in[0])->rank <= sal_val(g, n->out[0])->rank)
            source[n->out[0]] = n->in[0];
        for (int k = 0; k < n->n_in; k++)
            if (n->in[k] != SAL_NONE && source[n->in[k]] != SAL_NONE &&
                schedule_shaped_by_other(g, n, n->in[k]))
                n->in[k] = source[n->in[k]];
    }
    sal_free(source);
    return SAL_OK;
}
