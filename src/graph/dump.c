/* The graph as text in aligned columns. */
#include "graph/dump.h"

#include "graph/op.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    DUMP_NAME_MAX = 48, /* wider names push the rest of their line, not of all lines */
    DUMP_OP_MAX = 24,
    DUMP_INPUTS_MAX = 12,
    DUMP_LIST_MAX = 8,
    DUMP_TYPE_WIDTH = 24,
};

/* Small integer constants are worth more than their type: "{1,-1,768}". */
static sal_status dump_constant(const sal_tensor *t, sal_bytes *out, sal_error *err)
{
    int64_t n = sal_tensor_count(t);
    sal_status st = sal_bytes_printf(out, err, "%s", t->rank == 0 ? "" : "{");
    for (int64_t i = 0; st == SAL_OK && i < n; i++)
        st = sal_bytes_printf(out, err, "%s%.7g", i == 0 ? "" : ",", sal_tensor_get(t, i));
    return st == SAL_OK ? sal_bytes_printf(out, err, "%s", t->rank == 0 ? "" : "}") : st;
}

static sal_status dump_input(const sal_graph *g, sal_vid v, sal_bytes *out, sal_error *err)
{
    char text[256];
    if (v == SAL_NONE)
        return sal_bytes_printf(out, err, "-");
    const sal_value *x = sal_val(g, v);
    if (x->constant != NULL && x->rank <= 1 && sal_tensor_count(x->constant) <= DUMP_LIST_MAX)
        return dump_constant(x->constant, out, err);
    return sal_bytes_printf(out, err, "%s %s", x->name, sal_value_text(g, v, text, sizeof text));
}

static sal_status dump_attr(const sal_attr *a, sal_bytes *out, sal_error *err)
{
    sal_status st = SAL_OK;
    size_t n = SAL_MIN(a->n, (size_t)DUMP_LIST_MAX);
    SAL_TRY(sal_bytes_printf(out, err, " %s=", a->name));
    switch (a->kind) {
    case SAL_ATTR_INT:
        return sal_bytes_printf(out, err, "%" PRId64, a->i);
    case SAL_ATTR_FLOAT:
        return sal_bytes_printf(out, err, "%.7g", a->f);
    case SAL_ATTR_STRING:
        return sal_bytes_printf(out, err, "%.40s", a->s);
    case SAL_ATTR_INTS:
        for (size_t i = 0; i < n; i++)
            SAL_TRY(sal_bytes_printf(out, err, "%s%" PRId64, i == 0 ? "[" : ",", a->ints[i]));
        break;
    case SAL_ATTR_FLOATS:
        for (size_t i = 0; i < n; i++)
            SAL_TRY(sal_bytes_printf(out, err, "%s%.7g", i == 0 ? "[" : ",", a->floats[i]));
        break;
    case SAL_ATTR_STRINGS:
        for (size_t i = 0; i < n; i++)
            SAL_TRY(sal_bytes_printf(out, err, "%s%.40s", i == 0 ? "[" : ",", a->strings[i]));
        break;
    case SAL_ATTR_TENSOR:
        return sal_bytes_printf(out, err, "<%s>", sal_dtype_name(a->tensor->dtype));
    default:
        return sal_bytes_printf(out, err, "<graph of %zu nodes>", a->graph->n_nodes);
    }
    SAL_TRY(sal_bytes_printf(out, err, "%s%s]", n == 0 ? "[" : "", a->n > n ? ",..." : ""));
done:
    return st;
}

static sal_status dump_node(const sal_graph *g, const sal_node *n, int name_width, int op_width,
                            sal_bytes *out, sal_error *err)
{
    char text[256];
    bool any = false;
    sal_status st = SAL_OK;
    SAL_TRY(sal_bytes_printf(out, err, "%-*s  %-*s  ", name_width, n->name, op_width, n->op->name));
    size_t start = out->len;
    for (int k = 0; k < n->n_out; k++) {
        if (n->out[k] == SAL_NONE)
            continue;
        /* The value's name only where it says more than the node's. */
        const char *name = sal_val(g, n->out[k])->name;
        bool same = strcmp(name, n->name) == 0;
        SAL_TRY(sal_bytes_printf(out, err, "%s%s%s%s", any ? ", " : "", same ? "" : name,
                                 same ? "" : " ", sal_value_text(g, n->out[k], text, sizeof text)));
        any = true;
    }
    /* Types line up as far as they are of ordinary length. */
    int pad = DUMP_TYPE_WIDTH - (int)SAL_MIN(out->len - start, (size_t)DUMP_TYPE_WIDTH);
    SAL_TRY(sal_bytes_printf(out, err, "%*s <- ", pad, ""));
    for (int k = 0; k < SAL_MIN(n->n_in, DUMP_INPUTS_MAX); k++) {
        if (k > 0)
            SAL_TRY(sal_bytes_printf(out, err, ", "));
        SAL_TRY(dump_input(g, n->in[k], out, err));
    }
    if (n->n_in > DUMP_INPUTS_MAX)
        SAL_TRY(sal_bytes_printf(out, err, ", and %d more", n->n_in - DUMP_INPUTS_MAX));
    for (int k = 0; k < n->n_attr; k++) {
        if (k == 0)
            SAL_TRY(sal_bytes_printf(out, err, " "));
        SAL_TRY(dump_attr(&n->attr[k], out, err));
    }
    SAL_TRY(sal_bytes_printf(out, err, "\n"));
done:
    return st;
}

static sal_status dump_list(const sal_graph *g, const char *what, const sal_vid *ids, size_t n,
                            sal_bytes *out, sal_error *err)
{
    char text[256];
    sal_status st = SAL_OK;
    for (size_t i = 0; st == SAL_OK && i < n; i++)
        st = sal_bytes_printf(out, err, "%-6s  %s %s\n", what, sal_val(g, ids[i])->name,
                              sal_value_text(g, ids[i], text, sizeof text));
    return st;
}

sal_status sal_graph_dump_text(const sal_graph *g, sal_bytes *out, sal_error *err)
{
    int name_width = 4, op_width = 4;
    sal_status st = SAL_OK;
    for (size_t i = 0; i < g->n_nodes; i++) {
        int name = (int)SAL_MIN(strlen(g->nodes[i]->name), (size_t)DUMP_NAME_MAX);
        int op = (int)SAL_MIN(strlen(g->nodes[i]->op->name), (size_t)DUMP_OP_MAX);
        name_width = SAL_MAX(name_width, name);
        op_width = SAL_MAX(op_width, op);
    }
    SAL_TRY(dump_list(g, "input", g->inputs, g->n_inputs, out, err));
    for (size_t i = 0; i < g->n_nodes; i++)
        SAL_TRY(dump_node(g, g->nodes[i], name_width, op_width, out, err));
    SAL_TRY(dump_list(g, "output", g->outputs, g->n_outputs, out, err));
done:
    return st;
}
