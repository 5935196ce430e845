/* The part of a graph between values: what computes the outputs from given values, which become its
 * inputs. */
#include "graph/passes/passes.h"

/* The value is given from outside now: nothing computes it. */
static void cut_free(sal_graph *g, sal_vid v)
{
    sal_value *x = sal_val(g, v);

    if (x->producer >= 0)
        g->nodes[x->producer]->out[x->producer_out] = SAL_NONE;
    x->producer = -1;
}

sal_status sal_graph_cut(sal_graph **out, const sal_graph *g, int n_in, const sal_vid *inputs,
                         int n_out, const sal_vid *outputs, sal_error *err)
{
    sal_graph *c = NULL;
    sal_status st = SAL_OK;

    *out = NULL;
    SAL_TRY(sal_graph_clone(&c, g, err));
    c->n_inputs = c->n_outputs = 0;
    for (int i = 0; i < n_in; i++) {
        cut_free(c, inputs[i]);
        SAL_TRY(sal_grow(&c->inputs, c->n_inputs + 1, &c->cap_inputs, sizeof(*c->inputs), err));
        c->inputs[c->n_inputs++] = inputs[i];
    }
    for (int i = 0; i < n_out; i++)
        SAL_TRY(sal_graph_add_output(c, outputs[i], err));
    SAL_TRY(sal_pass_dce(c, err));
    *out = c;
    c = NULL;
done:
    sal_graph_free(c);
    return st;
}
