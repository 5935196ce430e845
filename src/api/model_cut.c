/* Models that begin in the middle: an inner value becomes an input. */
#include "api/api.h"

#include "graph/op.h"

#include <stdio.h>

/* Where an integer input of the model ends up, through nodes that only reshape or convert. */
static bool cut_is_ids(const sal_graph *g, sal_vid v)
{
    for (int depth = 0; v != SAL_NONE && depth < 8; depth++) {
        const sal_value *x = sal_val(g, v);
        const char *op;

        if (x->producer < 0) {
            for (size_t i = 0; i < g->n_inputs; i++) {
                if (g->inputs[i] == v)
                    return x->dtype == SAL_I64 || x->dtype == SAL_I32;
            }
            return false;
        }
        op = g->nodes[x->producer]->op->name;
        if (strcmp(op, "Cast") != 0 && strcmp(op, "Identity") != 0 && strcmp(op, "Reshape") != 0 &&
            strcmp(op, "Squeeze") != 0 && strcmp(op, "Unsqueeze") != 0)
            return false;
        v = sal_node_in(g->nodes[x->producer], 0);
    }
    return false;
}

const char *sal_model_embedding(const sal_model *m)
{
    const sal_graph *g = m->structure;
    const char *found = NULL;
    int64_t most = 0;
    sal_vid scaled = sal_graph_find(g, "embeddings");

    if (scaled != SAL_NONE && sal_graph_meta(g, "lm.architecture") != NULL)
        return sal_val(g, scaled)->name; /* as format/language builds them */
    for (size_t i = 0; i < g->n_nodes; i++) {
        const sal_node *n = g->nodes[i];
        const sal_value *table;

        if (strcmp(n->op->name, "Gather") != 0 || sal_node_int(n, "axis", 0) != 0)
            continue;
        table = sal_val(g, n->in[0]);
        if (table->producer >= 0 || table->rank != 2 || !sal_dtype_is_float(table->dtype) ||
            table->dims[0] <= most || !cut_is_ids(g, n->in[1]))
            continue;
        most = table->dims[0];
        found = sal_val(g, n->out[0])->name;
    }
    return found;
}

/* Make v an input of g; what only led to it goes. */
static sal_status cut_at(sal_graph *g, sal_vid v, sal_error *err)
{
    sal_value *x = sal_val(g, v);
    sal_node *n = x->producer < 0 ? NULL : g->nodes[x->producer];
    const char *name = x->name;
    char before[512];
    sal_vid in = SAL_NONE;
    sal_status st = SAL_OK;

    if (n == NULL || x->constant != NULL)
        return sal_fail(err, SAL_EINVAL, "%s is no inner value of the model", name);
    if (!sal_dtype_is_float(x->dtype) || x->rank < 0)
        return sal_fail(err, SAL_EINVAL, "%s has no floating-point numbers of a known shape", name);
    SAL_TRY(sal_graph_input(g, NULL, x->dtype, x->rank, x->dims, &in, err));
    for (size_t i = 0; i < g->n_nodes; i++) {
        for (int32_t k = 0; k < g->nodes[i]->n_in; k++) {
            if (g->nodes[i]->in[k] == v)
                g->nodes[i]->in[k] = in;
        }
    }
    for (size_t i = 0; i < g->n_outputs; i++) {
        if (g->outputs[i] == v)
            g->outputs[i] = in;
    }
    (void)snprintf(before, sizeof(before), "%s/computed", name);
    SAL_TRY(sal_graph_rename(g, v, before, err));
    SAL_TRY(sal_graph_rename(g, in, name, err));
    st = sal_pass_dce(g, err);
done:
    return st;
}

sal_status sal_model_cut(sal_model **out, const sal_model *m, const char *value, sal_error *err)
{
    sal_model *cut = sal_calloc(1, sizeof(*cut));
    char name[512];
    sal_status st = SAL_OK;

    *out = NULL;
    if (cut == NULL)
        return sal_fail_nomem(err);
    (void)snprintf(name, sizeof(name), "%s", value);
    SAL_TRY(api_graph_own(m, &cut->structure, err));
    cut->path = sal_strdup(m->path);
    cut->in_memory = m->in_memory;
    if (cut->path == NULL)
        SAL_TRY(sal_fail_nomem(err));
    if (sal_graph_find(cut->structure, name) == SAL_NONE)
        SAL_TRY(sal_fail(err, SAL_EINVAL, "the model has no value named %s", name));
    SAL_TRY(cut_at(cut->structure, sal_graph_find(cut->structure, name), err));
    *out = cut;
    cut = NULL;
done:
    sal_model_free(cut);
    return st;
}
