/* Reference evaluation (ops/core/evaluate.h). */
#include "ops/core/evaluate.h"
#include "ops/builder.h"

static sal_dtype evaluate_wide(sal_dtype t)
{
    return t == SAL_F16 || t == SAL_BF16 ? SAL_F32 : t;
}

/* A graph of this one node with the inputs as constants, inferred. Symbols become numbers in it. */
static sal_status evaluate_scratch(sal_graph **out, sal_node **made, const sal_node *node,
                                   const sal_tensor *const *in, sal_error *err)
{
    sal_graph *g = NULL;
    sal_vid *ids = NULL;
    sal_status st;
    SAL_TRY(sal_graph_new(&g, "node", err));
    ids = sal_calloc((size_t)(node->n_in + node->n_out) + 1, sizeof *ids);
    if (ids == NULL) {
        st = sal_fail_nomem(err);
        goto done;
    }
    for (int i = 0; i < node->n_in; i++) {
        ids[i] = SAL_NONE;
        if (in[i] != NULL)
            SAL_TRY(sal_graph_constant(g, NULL, in[i], &ids[i], err));
    }
    for (int i = 0; i < node->n_out; i++) {
        ids[node->n_in + i] = SAL_NONE;
        if (node->out[i] != SAL_NONE)
            SAL_TRY(sal_graph_value(g, NULL, "out", &ids[node->n_in + i], err));
    }
    SAL_TRY(sal_graph_node(g, node->op, node->name, node->n_in, ids, node->n_out, ids + node->n_in,
                           node->n_attr, node->attr, made, err));
    SAL_TRY(sal_node_infer(g, *made, err));
    *out = g;
    g = NULL;
done:
    sal_free(ids);
    sal_graph_free(g);
    return st;
}

static sal_status evaluate_by_expansion(const sal_node *node, const sal_tensor *const *in,
                                        sal_tensor *const *out, sal_error *err)
{
    sal_graph *g = NULL;
    sal_node *n = NULL;
    sal_vid *ids = NULL;
    sal_tensor *res = NULL;
    int wanted = 0;
    sal_status st;
    SAL_TRY(evaluate_scratch(&g, &n, node, in, err));
    ids = sal_calloc((size_t)node->n_out + 1, sizeof *ids);
    res = sal_calloc((size_t)node->n_out + 1, sizeof *res);
    if (ids == NULL || res == NULL) {
        st = sal_fail_nomem(err);
        goto done;
    }
    for (int i = 0; i < node->n_out; i++)
        ids[i] = SAL_NONE;
    sal_builder b = SAL_BUILDER(g, err, node->name);
    SAL_TRY(node->op->expand(&b, n, ids));
    SAL_TRY(b.st);
    for (int i = 0; i < node->n_out; i++) {
        if (out[i] == NULL)
            continue;
        if (ids[i] == SAL_NONE) {
            st = sal_fail(err, SAL_EUNSUPPORTED,
                          "%s node '%s': output %d is not made by its expansion", node->op->name,
                          node->name, i);
            goto done;
        }
        SAL_TRY(sal_graph_add_output(g, ids[i], err));
    }
    SAL_TRY(sal_graph_evaluate(g, NULL, res, err));
    for (int i = 0; i < node->n_out; i++) {
        if (out[i] == NULL)
            continue;
        *out[i] = res[wanted++];
        sal_tensor empty = SAL_TENSOR_INIT;
        res[wanted - 1] = empty;
    }
done:
    for (int i = 0; res != NULL && i < node->n_out; i++)
        sal_tensor_free(&res[i]);
    sal_free(res);
    sal_free(ids);
    sal_graph_free(g);
    return st;
}

static bool evaluate_as_declared(const sal_value *v, const sal_tensor *t)
{
    return v->rank == t->rank && memcmp(v->dims, t->dims, (size_t)t->rank * sizeof *t->dims) == 0;
}

/* Allocate the outputs with the types that g (or else the scratch graph) says. */
static sal_status evaluate_alloc(const sal_graph *g, const sal_node *node,
                                 const sal_tensor *const *in, sal_tensor *const *out,
                                 sal_error *err)
{
    sal_graph *scratch = NULL;
    sal_node *n = NULL;
    bool fixed = true;
    sal_status st = SAL_OK;
    if (node->op->flags & SAL_OP_DATA_SHAPE)
        return SAL_OK;
    for (int i = 0; i < node->n_out; i++)
        fixed = fixed && (out[i] == NULL || (sal_value_is_static(sal_val(g, node->out[i])) &&
                                             sal_val(g, node->out[i])->dtype != SAL_DT_NONE));
    /* Where a declared input shape has symbols, or is not what is at hand, the checks of inference
     * are still to be made. */
    for (int i = 0; i < node->n_in && fixed; i++)
        fixed = in[i] == NULL || evaluate_as_declared(sal_val(g, node->in[i]), in[i]);
    if (!fixed)
        SAL_TRY(evaluate_scratch(&scratch, &n, node, in, err));
    for (int i = 0; i < node->n_out; i++) {
        if (out[i] == NULL)
            continue;
        const sal_value *v = fixed ? sal_val(g, node->out[i]) : sal_val(scratch, n->out[i]);
        if (!sal_value_is_static(v)) {
            st =
                sal_fail(err, SAL_ESHAPE, "%s node '%s': the shape of output %d cannot be inferred",
                         node->op->name, node->name, i);
            goto done;
        }
        SAL_TRY(sal_tensor_new(out[i], evaluate_wide(v->dtype), v->rank, v->dims, err));
    }
done:
    sal_graph_free(scratch);
    return st;
}

/* 16-bit results: the type that the node declares. */
static sal_status evaluate_narrow(const sal_graph *g, const sal_node *node,
                                  const sal_tensor *const *in, sal_tensor *const *out,
                                  sal_error *err)
{
    sal_status st = SAL_OK;
    for (int i = 0; i < node->n_out; i++) {
        if (out[i] == NULL || out[i]->dtype != SAL_F32)
            continue;
        sal_dtype want = sal_val(g, node->out[i])->dtype;
        if (want == SAL_DT_NONE && node->n_in > 0 && in[0] != NULL)
            want = in[0]->dtype;
        if (want != SAL_F16 && want != SAL_BF16)
            continue;
        sal_tensor half = SAL_TENSOR_INIT;
        SAL_TRY(sal_tensor_cast(&half, out[i], want, err));
        sal_tensor_free(out[i]);
        *out[i] = half;
    }
done:
    return st;
}

static sal_status evaluate_wide_inputs(const sal_node *node, const sal_tensor *const *in,
                                       const sal_tensor **view, sal_tensor *wide, sal_error *err)
{
    sal_status st = SAL_OK;
    for (int i = 0; i < node->n_in; i++) {
        view[i] = in[i];
        if (in[i] == NULL || evaluate_wide(in[i]->dtype) == in[i]->dtype)
            continue;
        SAL_TRY(sal_tensor_cast(&wide[i], in[i], SAL_F32, err));
        view[i] = &wide[i];
    }
done:
    return st;
}

/* Evaluators trust that inputs have the shapes from which the outputs' were inferred. */
static sal_status evaluate_check(const sal_graph *g, const sal_node *node,
                                 const sal_tensor *const *in, sal_error *err)
{
    for (int i = 0; i < node->n_in; i++) {
        const sal_value *v =
            in[i] == NULL || node->in[i] == SAL_NONE ? NULL : sal_val(g, node->in[i]);
        if (v == NULL || v->rank < 0)
            continue;
        bool same = v->rank == in[i]->rank && (v->dtype == SAL_DT_NONE || v->dtype == in[i]->dtype);
        for (int k = 0; same && k < v->rank; k++)
            same = v->dims[k] < 0 || v->dims[k] == in[i]->dims[k];
        if (!same)
            return sal_fail(err, SAL_ESHAPE,
                            "%s node '%s': input %d has another type or shape than was inferred",
                            node->op->name, node->name, i);
    }
    return SAL_OK;
}

sal_status sal_node_eval(const sal_graph *g, const sal_node *node, const sal_tensor *const *in,
                         sal_tensor *const *out, sal_error *err)
{
    const sal_op_desc *op = node->op;
    const sal_tensor **view = sal_calloc((size_t)node->n_in + 1, sizeof *view);
    sal_tensor *wide = sal_calloc((size_t)node->n_in + 1, sizeof *wide);
    sal_status st;
    if (view == NULL || wide == NULL) {
        st = sal_fail_nomem(err);
        goto done;
    }
    SAL_TRY(evaluate_check(g, node, in, err));
    SAL_TRY(evaluate_wide_inputs(node, in, view, wide, err));
    if (op->eval != NULL && (op->flags & SAL_OP_COMPOSITE) == 0) {
        SAL_TRY(evaluate_alloc(g, node, in, out, err));
        sal_eval e = {node, view, out, err};
        st = op->eval(&e);
        if (st != SAL_OK) {
            sal_fail_prefix(err, st, "%s node '%s'", op->name, node->name);
            goto done;
        }
    } else if (op->expand != NULL) {
        SAL_TRY(evaluate_by_expansion(node, view, out, err));
    } else {
        st = sal_fail(err, SAL_EUNSUPPORTED, "%s node '%s': the operator cannot be computed",
                      op->name, node->name);
        goto done;
    }
    SAL_TRY(evaluate_narrow(g, node, in, out, err));
done:
    for (int i = 0; wide != NULL && i < node->n_in; i++)
        sal_tensor_free(&wide[i]);
    sal_free(wide);
    sal_free(view);
    return st;
}

sal_status sal_node_eval_expanded(const sal_node *node, const sal_tensor *const *in,
                                  sal_tensor *const *out, sal_error *err)
{
    if (node->op->expand == NULL)
        return sal_fail(err, SAL_EUNSUPPORTED, "%s has no expansion", node->op->name);
    return evaluate_by_expansion(node, in, out, err);
}

/* ---- whole graphs ---- */

typedef struct evaluate_run {
    const sal_graph *g;
    bool *needed;             /* by node id */
    int32_t *uses;            /* readers still to come, by value */
    const sal_tensor **value; /* where each value lies; NULL when not computed (any more) */
    sal_tensor *own;          /* results of nodes, by value */
} evaluate_run;

/* Which nodes the outputs depend on, and how often each value will be read. */
static void evaluate_mark(evaluate_run *r)
{
    const sal_graph *g = r->g;
    for (size_t i = 0; i < g->n_outputs; i++)
        r->uses[g->outputs[i]]++;
    for (size_t i = g->n_nodes; i-- > 0;) {
        const sal_node *n = g->nodes[i];
        for (int k = 0; k < n->n_out; k++)
            r->needed[i] = r->needed[i] || (n->out[k] != SAL_NONE && r->uses[n->out[k]] > 0);
        for (int k = 0; r->needed[i] && k < n->n_in; k++)
            if (n->in[k] != SAL_NONE)
                r->uses[n->in[k]]++;
    }
}

static void evaluate_release(evaluate_run *r, sal_vid v)
{
    if (v == SAL_NONE || --r->uses[v] > 0)
        return;
    sal_tensor_free(&r->own[v]);
}

static sal_status evaluate_step(evaluate_run *r, const sal_node *n, sal_error *err)
{
    const sal_tensor **in = sal_calloc((size_t)n->n_in + 1, sizeof *in);
    sal_tensor **out = sal_calloc((size_t)n->n_out + 1, sizeof *out);
    sal_status st;
    if (in == NULL || out == NULL) {
        st = sal_fail_nomem(err);
        goto done;
    }
    for (int k = 0; k < n->n_in; k++) {
        if (n->in[k] == SAL_NONE)
            continue;
        in[k] = r->value[n->in[k]];
        if (in[k] == NULL) {
            st = sal_fail(err, SAL_EINVAL, "%s node '%s' reads '%s', which has no value",
                          n->op->name, n->name, sal_val(r->g, n->in[k])->name);
            goto done;
        }
    }
    for (int k = 0; k < n->n_out; k++)
        out[k] = n->out[k] == SAL_NONE || r->uses[n->out[k]] == 0 ? NULL : &r->own[n->out[k]];
    SAL_TRY(sal_node_eval(r->g, n, in, out, err));
    for (int k = 0; k < n->n_out; k++)
        if (out[k] != NULL)
            r->value[n->out[k]] = out[k];
    for (int k = 0; k < n->n_in; k++)
        evaluate_release(r, n->in[k]);
done:
    sal_free(out);
    sal_free(in);
    return st;
}

sal_status sal_graph_evaluate(const sal_graph *g, const sal_tensor *inputs, sal_tensor *outputs,
                              sal_error *err)
{
    evaluate_run r = {.g = g};
    sal_status st;
    r.needed = sal_calloc(g->n_nodes + 1, sizeof *r.needed);
    r.uses = sal_calloc(g->n_values + 1, sizeof *r.uses);
    r.value = sal_calloc(g->n_values + 1, sizeof *r.value);
    r.own = sal_calloc(g->n_values + 1, sizeof *r.own);
    if (r.needed == NULL || r.uses == NULL || r.value == NULL || r.own == NULL) {
        st = sal_fail_nomem(err);
        goto done;
    }
    for (size_t i = 0; i < g->n_values; i++)
        r.value[i] = g->values[i]->constant;
    for (size_t i = 0; i < g->n_inputs; i++)
        r.value[g->inputs[i]] = &inputs[i];
    evaluate_mark(&r);
    for (size_t i = 0; i < g->n_nodes; i++)
        if (r.needed[i])
            SAL_TRY(evaluate_step(&r, g->nodes[i], err));
    for (size_t i = 0; i < g->n_outputs; i++) {
        const sal_tensor *t = r.value[g->outputs[i]];
        if (t == NULL) {
            st = sal_fail(err, SAL_EINVAL, "output '%s' has no value",
                          sal_val(g, g->outputs[i])->name);
            goto done;
        }
        outputs[i] = sal_tensor_ref(t);
    }
    st = SAL_OK;
done:
    for (size_t i = 0; r.own != NULL && i < g->n_values; i++)
        sal_tensor_free(&r.own[i]);
    for (size_t i = 0; st != SAL_OK && i < g->n_outputs; i++)
        sal_tensor_free(&outputs[i]);
    sal_free(r.own);
    sal_free(r.value);
    sal_free(r.uses);
    sal_free(r.needed);
    return st;
}
