/* Copying a graph; constants share their storage, ids stay. */
#include "graph/graph.h"

#include "graph/names.h"

static sal_status clone_values(sal_graph *c, const sal_graph *g, sal_error *err)
{
    sal_status st = sal_grow(&c->values, g->n_values, &c->cap_values, sizeof *c->values, err);
    for (size_t i = 0; st == SAL_OK && i < g->n_values; i++) {
        const sal_value *from = g->values[i];
        sal_value *v = sal_arena_memdup(&c->arena, from, sizeof *from);
        if (v == NULL || (v->name = sal_arena_strdup(&c->arena, from->name)) == NULL)
            return sal_fail_nomem(err);
        v->constant = NULL;
        v->known = NULL;
        v->known_n = 0;
        c->values[c->n_values++] = v;
        if (from->constant != NULL)
            st = sal_graph_set_constant(c, (sal_vid)i, from->constant, err);
        else if (from->known != NULL)
            st = sal_value_set_known(c, (sal_vid)i, from->known, from->known_n, err);
    }
    return st == SAL_OK ? sal_names_rebuild(c->names, c, err) : st;
}

static sal_status clone_symbols(sal_graph *c, const sal_graph *g, sal_error *err)
{
    sal_status st = sal_grow(&c->symbols, g->n_symbols, &c->cap_symbols, sizeof *c->symbols, err);
    for (size_t i = 0; st == SAL_OK && i < g->n_symbols; i++) {
        c->symbols[i] = g->symbols[i];
        c->symbols[i].name = sal_arena_strdup(&c->arena, g->symbols[i].name);
        if (c->symbols[i].name == NULL)
            return sal_fail_nomem(err);
        c->n_symbols++;
    }
    return st;
}

static sal_status clone_ids(sal_vid **out, size_t *n_out, size_t *cap, const sal_vid *in, size_t n,
                            sal_error *err)
{
    sal_status st = sal_grow(out, n, cap, sizeof **out, err);
    if (st == SAL_OK && n > 0)
        memcpy(*out, in, n * sizeof *in);
    *n_out = st == SAL_OK ? n : 0;
    return st;
}

void sal_graph_strip(sal_graph *g)
{
    enum { LARGE = 1 << 10 };
    for (size_t i = 0; i < g->n_values; i++) {
        sal_tensor *t = (sal_tensor *)(uintptr_t)g->values[i]->constant; /* the graph's own */
        if (t == NULL || t->buffer == NULL || sal_tensor_bytes(t) < LARGE)
            continue;
        sal_buffer_unref(t->buffer);
        t->buffer = NULL;
        t->data = NULL;
    }
}

sal_status sal_graph_clone(sal_graph **out, const sal_graph *g, sal_error *err)
{
    sal_status st = SAL_OK;
    sal_graph *c = NULL;
    *out = NULL;
    SAL_TRY(sal_graph_new(&c, g->name, err));
    c->opset = g->opset;
    c->unique = g->unique;
    if (g->producer != NULL && (c->producer = sal_arena_strdup(&c->arena, g->producer)) == NULL)
        SAL_TRY(sal_fail_nomem(err));
    SAL_TRY(clone_symbols(c, g, err));
    SAL_TRY(clone_values(c, g, err));
    for (size_t i = 0; i < g->n_nodes; i++) {
        const sal_node *n = g->nodes[i];
        SAL_TRY(sal_graph_node(c, n->op, n->name, n->n_in, n->in, n->n_out, n->out, n->n_attr,
                               n->attr, NULL, err));
    }
    SAL_TRY(clone_ids(&c->inputs, &c->n_inputs, &c->cap_inputs, g->inputs, g->n_inputs, err));
    SAL_TRY(clone_ids(&c->outputs, &c->n_outputs, &c->cap_outputs, g->outputs, g->n_outputs, err));
    for (size_t i = 0; i < g->n_meta; i++)
        SAL_TRY(sal_graph_set_meta(c, g->meta[i].key, g->meta[i].text, err));
    *out = c;
    c = NULL;
done:
    sal_graph_free(c);
    return st;
}
