/* What If, Loop and Scan share (control.h). */
#include "ops/core/control.h"

#include "ops/core/evaluate.h"

const sal_graph *sal_control_graph(const sal_node *n, const char *name)
{
    const sal_attr *a = sal_node_attr(n, name);
    return a == NULL || a->kind != SAL_ATTR_GRAPH ? NULL : a->graph;
}

sal_status sal_control_room(const sal_graph *g, sal_vid **constants, sal_vid **out, sal_error *err)
{
    *constants = sal_malloc((g->n_values + 1) * sizeof **constants);
    *out = sal_malloc((g->n_outputs + 1) * sizeof **out);
    if (*constants == NULL || *out == NULL)
        return sal_fail_nomem(err);
    for (size_t v = 0; v < g->n_values; v++)
        (*constants)[v] = SAL_NONE;
    return SAL_OK;
}

sal_status sal_control_run(const sal_graph *body, const sal_tensor *const *in, sal_tensor *out,
                           sal_error *err)
{
    sal_tensor *views = sal_calloc(body->n_inputs + 1, sizeof *views);
    sal_status st = SAL_OK;
    if (views == NULL)
        return sal_fail_nomem(err);
    for (size_t i = 0; st == SAL_OK && i < body->n_inputs; i++) {
        if (in[i] == NULL)
            st = sal_fail(err, SAL_EINVAL, "input %zu of the graph inside is missing", i);
        else
            views[i] = sal_tensor_borrow(in[i]->dtype, in[i]->rank, in[i]->dims, in[i]->data);
    }
    if (st == SAL_OK)
        st = sal_graph_evaluate(body, views, out, err);
    /* What is handed through must outlive the input it borrows from. */
    for (size_t i = 0; st == SAL_OK && i < body->n_outputs; i++) {
        sal_tensor own = SAL_TENSOR_INIT;
        if (out[i].buffer != NULL)
            continue;
        st = sal_tensor_new(&own, out[i].dtype, out[i].rank, out[i].dims, err);
        if (st == SAL_OK && sal_tensor_bytes(&own) > 0)
            memcpy(own.data, out[i].data, sal_tensor_bytes(&own));
        if (st == SAL_OK)
            out[i] = own;
    }
    sal_free(views);
    return st;
}

sal_status sal_control_stack(const sal_tensor *t, size_t count, int64_t axis, sal_tensor *out,
                             sal_error *err)
{
    int64_t dims[SAL_MAX_RANK + 1], outer = 1, inner;
    int rank = t[0].rank;
    if (axis < 0)
        axis += rank + 1;
    if (rank >= SAL_MAX_RANK || axis < 0 || axis > rank)
        return sal_fail(err, SAL_EINVAL, "there is no axis %d to stack along", (int)axis);
    for (int k = 0; k <= rank; k++)
        dims[k] = k < axis ? t[0].dims[k] : k == axis ? (int64_t)count : t[0].dims[k - 1];
    for (int k = 0; k < axis; k++)
        outer *= dims[k];
    for (size_t i = 1; i < count; i++)
        if (t[i].rank != rank || t[i].dtype != t[0].dtype ||
            memcmp(t[i].dims, t[0].dims, (size_t)rank * sizeof *dims) != 0)
            return sal_fail(err, SAL_ESHAPE, "what is collected changes its shape");
    sal_status st = sal_tensor_new(out, t[0].dtype, rank + 1, dims, err);
    if (st != SAL_OK || sal_tensor_bytes(out) == 0)
        return st;
    inner = (int64_t)sal_tensor_bytes(&t[0]) / outer;
    for (int64_t o = 0; o < outer; o++)
        for (size_t i = 0; i < count; i++)
            memcpy((char *)out->data + (o * (int64_t)count + (int64_t)i) * inner,
                   (const char *)t[i].data + o * inner, (size_t)inner);
    return SAL_OK;
}

void sal_control_give(const sal_eval *e, int i, sal_tensor *t)
{
    if (e->out[i] == NULL)
        return;
    *e->out[i] = *t;
    *t = (sal_tensor)SAL_TENSOR_INIT;
}
