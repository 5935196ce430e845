/* If: one of two graphs, by a truth value. The values that either graph reads from around it follow
 * the condition (graph.h). It has no derivative of its own: as soon as the condition is known, the
 * chosen graph takes the node's place. */
#include "graph/passes/unfold.h"
#include "ops/core/control.h"

static sal_status if_infer(sal_infer *c)
{
    const sal_graph *a = sal_control_graph(c->node, "then_branch");
    const sal_graph *b = sal_control_graph(c->node, "else_branch");
    sal_status st = SAL_OK;
    if (a == NULL || b == NULL)
        return sal_fail(c->err, SAL_EFORMAT, "it has no graphs");
    if (sal_node_in(c->node, 0) == SAL_NONE)
        return sal_fail(c->err, SAL_EFORMAT, "it has no condition");
    for (int i = 0; st == SAL_OK && i < c->node->n_out; i++) {
        const sal_value *x = sal_val(a, a->outputs[i]), *y = sal_val(b, b->outputs[i]);
        int64_t dims[SAL_MAX_RANK];
        int rank = x->rank == y->rank ? x->rank : -1;
        if (x->dtype != y->dtype && x->dtype != SAL_DT_NONE && y->dtype != SAL_DT_NONE)
            return sal_fail(c->err, SAL_EFORMAT,
                            "output %d is %s in one branch and %s in the other", i,
                            sal_dtype_name(x->dtype), sal_dtype_name(y->dtype));
        for (int k = 0; k < rank; k++)
            dims[k] =
                x->dims[k] >= 0 && x->dims[k] == y->dims[k] ? x->dims[k] : sal_dim_fresh(c->g);
        st = sal_infer_out(c, i, x->dtype != SAL_DT_NONE ? x->dtype : y->dtype, rank, dims);
    }
    return st;
}

static sal_status if_unfold(sal_unfold *u, const sal_node *n, bool *done)
{
    int64_t cond;
    sal_vid *constants = NULL, *out = NULL;
    sal_status st = SAL_OK;
    *done = false;
    if (!sal_unfold_known(u, n->in[0], &cond))
        return SAL_OK;
    const sal_graph *g = sal_control_graph(n, cond != 0 ? "then_branch" : "else_branch");
    SAL_TRY(sal_control_room(g, &constants, &out, u->err));
    SAL_TRY(sal_unfold_body(u, g, n->name, constants, n->in + 1, out));
    for (int i = 0; i < n->n_out; i++)
        SAL_TRY(sal_unfold_result(u, n, i, out[i]));
    *done = true;
done:
    sal_free(constants);
    sal_free(out);
    return st;
}

static sal_status if_eval(const sal_eval *e)
{
    if (sal_tensor_count(e->in[0]) != 1)
        return sal_fail(e->err, SAL_ESHAPE, "the condition is no single truth value");
    bool cond = sal_tensor_get(e->in[0], 0) != 0.0;
    const sal_graph *g = sal_control_graph(e->node, cond ? "then_branch" : "else_branch");
    sal_tensor *out = sal_calloc(g->n_outputs + 1, sizeof *out);
    if (out == NULL)
        return sal_fail_nomem(e->err);
    sal_status st = sal_control_run(g, e->in + 1, out, e->err);
    for (int i = 0; st == SAL_OK && i < e->node->n_out; i++)
        sal_control_give(e, i, &out[i]);
    for (size_t i = 0; i < g->n_outputs; i++)
        sal_tensor_free(&out[i]);
    sal_free(out);
    return st;
}

const sal_op_desc sal_op_if = {
    .name = "If",
    .min_in = 1,
    .max_in = -1,
    .min_out = 1,
    .max_out = -1,
    .flags = SAL_OP_CONTROL | SAL_OP_DATA_SHAPE,
    .since = 13,
    .infer = if_infer,
    .eval = if_eval,
    .unfold = if_unfold,
};
