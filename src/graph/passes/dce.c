/* Dead code: nodes, outputs of nodes and constants that no graph output needs. */
#include "graph/passes/passes.h"
#include "graph/passes/rewrite.h"

/* Mark what is needed, from the last node to the first: order is topological, one sweep is enough.
 */
static void dce_mark(const sal_graph *g, uint8_t *value, uint8_t *dead)
{
    for (size_t i = 0; i < g->n_outputs; i++)
        value[g->outputs[i]] = 1;
    for (size_t i = g->n_nodes; i-- > 0;) {
        const sal_node *n = g->nodes[i];
        bool live = false;
        for (int k = 0; k < n->n_out; k++)
            live = live || (n->out[k] != SAL_NONE && value[n->out[k]]);
        dead[i] = !live;
        for (int k = 0; live && k < n->n_in; k++)
            if (n->in[k] != SAL_NONE)
                value[n->in[k]] = 1;
    }
}

/* Optional outputs that nobody reads are not asked for any more. A list of outputs of any length
 * (Split) has no optional ones. */
static void dce_outputs(sal_graph *g, const uint8_t *value)
{
    for (size_t i = 0; i < g->n_nodes; i++) {
        sal_node *n = g->nodes[i];
        for (int k = SAL_MAX(n->op->min_out, 1);
             n->op->max_out >= 0 && n->op->max_out <= 8 && k < n->n_out; k++) {
            if (n->out[k] == SAL_NONE || value[n->out[k]])
                continue;
            sal_val(g, n->out[k])->producer = -1;
            n->out[k] = SAL_NONE;
        }
    }
}

/* The tensor is the graph's own; its place in the list of constants stays, empty. */
static void dce_constant(sal_value *x)
{
    sal_tensor_free((sal_tensor *)(uintptr_t)x->constant);
    x->constant = NULL;
}

sal_status sal_pass_dce(sal_graph *g, sal_error *err)
{
    sal_rewrite r;
    uint8_t *value = NULL;
    sal_status st = SAL_OK;
    SAL_TRY(sal_rewrite_begin(&r, g, err));
    value = sal_calloc(g->n_values + 1, 1);
    if (value == NULL)
        SAL_TRY(sal_fail_nomem(err));
    dce_mark(g, value, r.dead);
    for (size_t i = 0; i < g->n_nodes; i++)
        r.changed = r.changed || r.dead[i];
    dce_outputs(g, value);
    for (size_t i = 0; i < g->n_inputs; i++)
        value[g->inputs[i]] = 1;
    for (size_t v = 0; v < g->n_values; v++)
        if (!value[v] && g->values[v]->constant != NULL)
            dce_constant(g->values[v]);
done:
    sal_free(value);
    return sal_rewrite_end(&r, st);
}
