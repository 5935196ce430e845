/* Expansion of nodes in place.
 *
 * A builder appends at the end, so the expansion of an early node comes behind its consumers. After
 * a round of expansions the consumers are pointed at the new values and the nodes are put back into
 * topological order, stably, without those that were replaced. Expansions may contain nodes to be
 * expanded: hence the rounds. */
#include "ops/expand.h"
#include "graph/names.h"
#include "ops/builder.h"

#include <stdio.h>

#define EXPAND_MAX_ROUNDS 16

typedef struct expand_order {
    const sal_graph *g;
    const bool *dead;  /* by node id: replaced */
    uint8_t *state;    /* by node id: 0 new, 1 on the stack, 2 placed */
    sal_node **placed; /* in order */
    size_t n_placed;
    int32_t *stack;
} expand_order;

/* Depth-first placement: producers before the node itself. The stack holds at most every node once.
 */
static sal_status expand_place(expand_order *o, int32_t root, sal_error *err)
{
    size_t top = 0;

    if (o->state[root] != 0)
        return SAL_OK;
    o->stack[top++] = root;
    o->state[root] = 1;
    while (top > 0) {
        const sal_node *n = o->g->nodes[o->stack[top - 1]];
        bool pushed = false;

        for (int k = 0; k < n->n_in && !pushed; k++) {
            int32_t p = n->in[k] == SAL_NONE ? -1 : sal_val(o->g, n->in[k])->producer;

            if (p < 0 || o->dead[p] || o->state[p] == 2)
                continue;
            if (o->state[p] == 1)
                return sal_fail(err, SAL_EFORMAT, "node %s reads its own result", n->name);
            o->state[p] = 1;
            o->stack[top++] = p;
            pushed = true;
        }
        if (!pushed) {
            top--;
            o->state[n->id] = 2;
            o->placed[o->n_placed++] = o->g->nodes[n->id];
        }
    }
    return SAL_OK;
}

/* Drop the dead nodes and restore topological order. */
static sal_status expand_reorder(sal_graph *g, const bool *dead, sal_error *err)
{
    size_t n = g->n_nodes;
    expand_order o = {.g = g, .dead = dead};
    sal_status st = SAL_OK;

    o.state = sal_calloc(n + 1, 1);
    o.placed = sal_malloc((n + 1) * sizeof(*o.placed));
    o.stack = sal_malloc((n + 1) * sizeof(*o.stack));
    if (o.state == NULL || o.placed == NULL || o.stack == NULL) {
        st = sal_fail_nomem(err);
        goto done;
    }
    for (size_t i = 0; i < n; i++) {
        if (!dead[i])
            SAL_TRY(expand_place(&o, (int32_t)i, err));
    }
    for (size_t i = 0; i < n; i++) {
        for (int k = 0; dead[i] && k < g->nodes[i]->n_out; k++) {
            if (g->nodes[i]->out[k] != SAL_NONE)
                sal_val(g, g->nodes[i]->out[k])->producer = -1;
        }
    }
    for (size_t i = 0; i < o.n_placed; i++) {
        sal_node *node = o.placed[i];

        node->id = (int32_t)i;
        g->nodes[i] = node;
        for (int k = 0; k < node->n_out; k++) {
            if (node->out[k] != SAL_NONE)
                sal_val(g, node->out[k])->producer = (int32_t)i;
        }
    }
    g->n_nodes = o.n_placed;
done:
    sal_free(o.state);
    sal_free(o.placed);
    sal_free(o.stack);
    return st;
}

/* Expand one node; map[] takes the replacement of each of its outputs. */
static sal_status expand_node(sal_graph *g, const sal_node *n, sal_vid *map, size_t cap,
                              sal_error *err)
{
    sal_builder b = SAL_BUILDER(g, err, n->name);
    sal_vid small[8], *out = small;
    sal_status st = SAL_OK;

    if (n->op->expand == NULL)
        return sal_fail(err, SAL_EUNSUPPORTED,
                        "node %s: operator %s cannot be written in simpler ones", n->name,
                        n->op->name);
    if (n->n_out > (int)SAL_COUNTOF(small)) {
        out = sal_malloc((size_t)n->n_out * sizeof(*out));
        if (out == NULL)
            return sal_fail_nomem(err);
    }
    for (int k = 0; k < n->n_out; k++)
        out[k] = SAL_NONE;
    SAL_TRY(n->op->expand(&b, n, out));
    SAL_TRY(b.st);
    for (int k = 0; k < n->n_out; k++) {
        if (n->out[k] != SAL_NONE && (size_t)n->out[k] < cap)
            map[n->out[k]] = out[k];
    }
done:
    if (out != small)
        sal_free(out);
    return st;
}

static sal_vid expand_follow(const sal_vid *map, size_t cap, sal_vid v)
{
    while (v != SAL_NONE && (size_t)v < cap && map[v] != SAL_NONE)
        v = map[v];
    return v;
}

/* A graph output that was replaced: the new value takes the name over. When the new value already
 * is an input, a constant or another output, an Identity stands between. */
static sal_status expand_output(sal_graph *g, size_t i, sal_vid to, sal_error *err)
{
    sal_vid from = g->outputs[i];
    const char *name = sal_val(g, from)->name;
    sal_builder b = SAL_BUILDER(g, err, NULL);
    bool shared = sal_val(g, to)->producer < 0;
    char old[64];
    sal_status st = SAL_OK;

    for (size_t k = 0; k < g->n_outputs; k++)
        shared = shared || (k != i && g->outputs[k] == to);
    if (shared)
        to = sal_b1(&b, "Identity", to);
    SAL_TRY(b.st);
    (void)snprintf(old, sizeof(old), "expanded/%d", (int)from);
    SAL_TRY(sal_graph_rename(g, from, old, err));
    SAL_TRY(sal_graph_rename(g, to, name, err));
    for (size_t k = i; k < g->n_outputs; k++) /* one value may be an output several times */
        if (g->outputs[k] == from)
            g->outputs[k] = to;
done:
    return st;
}

/* What takes the place of a value takes its name, by which users ask for it. */
static sal_status expand_names(sal_graph *g, const sal_vid *map, size_t cap, sal_error *err)
{
    bool any = false;

    for (size_t v = 0; v < cap; v++) {
        sal_vid to = expand_follow(map, cap, (sal_vid)v);
        bool output = false;

        for (size_t k = 0; to != (sal_vid)v && k < g->n_outputs; k++)
            output = output || g->outputs[k] == to;
        if (to == (sal_vid)v || (size_t)to < cap || output)
            continue;
        const char *name = sal_val(g, to)->name;
        sal_val(g, to)->name = g->values[v]->name;
        g->values[v]->name = name;
        any = true;
    }
    return any ? sal_names_rebuild(g->names, g, err) : SAL_OK;
}

static sal_status expand_round(sal_graph *g, sal_expand_predicate want, void *ctx, bool *any,
                               sal_error *err)
{
    size_t n = g->n_nodes, cap = g->n_values;
    sal_vid *map = sal_malloc((cap + 1) * sizeof(*map));
    bool *dead = NULL;
    sal_status st = SAL_OK;

    *any = false;
    if (map == NULL)
        return sal_fail_nomem(err);
    for (size_t i = 0; i < cap; i++)
        map[i] = SAL_NONE;
    for (size_t i = 0; i < n; i++) {
        if (!want(g, g->nodes[i], ctx))
            continue;
        *any = true;
        SAL_TRY(expand_node(g, g->nodes[i], map, cap, err));
    }
    if (!*any)
        goto done;
    for (size_t i = 0; i < g->n_outputs; i++) {
        sal_vid to = expand_follow(map, cap, g->outputs[i]);

        if (to != g->outputs[i])
            SAL_TRY(expand_output(g, i, to, err));
    }
    SAL_TRY(expand_names(g, map, cap, err));
    for (size_t i = 0; i < g->n_nodes; i++) {
        for (int k = 0; k < g->nodes[i]->n_in; k++)
            g->nodes[i]->in[k] = expand_follow(map, cap, g->nodes[i]->in[k]);
    }
    dead = sal_calloc(g->n_nodes + 1, sizeof(*dead));
    if (dead == NULL) {
        st = sal_fail_nomem(err);
        goto done;
    }
    for (size_t i = 0; i < n; i++)
        dead[i] = want(g, g->nodes[i], ctx);
    st = expand_reorder(g, dead, err);
done:
    sal_free(map);
    sal_free(dead);
    return st;
}

sal_status sal_pass_expand(sal_graph *g, sal_expand_predicate want, void *ctx, sal_error *err)
{
    bool any = true;

    for (int round = 0; any; round++) {
        if (round == EXPAND_MAX_ROUNDS)
            return sal_fail(err, SAL_EUNSUPPORTED, "an operator's expansion never ends");
        sal_status st = expand_round(g, want, ctx, &any, err);
        if (st != SAL_OK)
            return st;
    }
    return SAL_OK;
}

static bool expand_is_windowed(const sal_node *n)
{
    return strcmp(n->op->name, "Attention") == 0 && (sal_node_int(n, "left_window_size", -1) >= 0 ||
                                                     sal_node_int(n, "right_window_size", -1) >= 0);
}

int sal_node_since(const sal_node *n)
{
    if (strcmp(n->op->name, "Attention") != 0)
        return n->op->since;
    if (sal_node_attr(n, "left_window_size") != NULL ||
        sal_node_attr(n, "right_window_size") != NULL)
        return 25;
    return sal_node_in(n, 6) != SAL_NONE ? 24 : n->op->since;
}

bool sal_expand_if_internal(const sal_graph *g, const sal_node *n, void *ctx)
{
    (void)g;
    (void)ctx;
    if (expand_is_windowed(n))
        return true;
    return n->op->domain != NULL && strcmp(n->op->domain, SAL_DOMAIN_INTERNAL) == 0;
}

bool sal_expand_if_on_read(const sal_graph *g, const sal_node *n, void *ctx)
{
    (void)g;
    (void)ctx;
    return (n->op->flags & SAL_OP_ON_READ) != 0;
}
