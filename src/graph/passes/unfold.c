/* Control flow whose course is known becomes plain nodes (unfold.h). The graph is built up anew
 * from its own nodes, in their order: each is inferred and folded, so that what decides the next
 * branch or the number of rounds is constant by the time it is looked at. */
#include "graph/passes/unfold.h"

#include <stdio.h>

bool sal_graph_has_control(const sal_graph *g)
{
    for (size_t i = 0; i < g->n_nodes; i++)
        if ((g->nodes[i]->op->flags & SAL_OP_CONTROL) != 0)
            return true;
    return false;
}

static sal_status unfold_push(sal_unfold *u, sal_node *n)
{
    sal_graph *g = u->g;
    sal_status st = sal_grow(&g->nodes, g->n_nodes + 1, &g->cap_nodes, sizeof *g->nodes, u->err);
    if (st != SAL_OK)
        return st;
    n->id = (int32_t)g->n_nodes;
    g->nodes[g->n_nodes++] = n;
    for (int k = 0; k < n->n_out; k++) {
        if (n->out[k] == SAL_NONE)
            continue;
        sal_val(g, n->out[k])->producer = n->id;
        sal_val(g, n->out[k])->producer_out = k;
    }
    return SAL_OK;
}

/* Take a node over that stands in no list: as constants, as what its graphs make, or as it is. */
static sal_status unfold_take(sal_unfold *u, sal_node *n)
{
    bool done = false;
    sal_status st = sal_node_reinfer(u->g, n, u->err);
    if (st != SAL_OK)
        return st;
    if (n->op->unfold != NULL) {
        if (u->depth >= SAL_UNFOLD_DEPTH_MAX)
            return sal_fail(u->err, SAL_EUNSUPPORTED, "node '%s': graphs are more than %d deep",
                            n->name, SAL_UNFOLD_DEPTH_MAX);
        u->depth++;
        st = n->op->unfold(u, n, &done);
        u->depth--;
        if (st != SAL_OK)
            return sal_fail_prefix(u->err, st, "node '%s' (%s)", n->name, n->op->name);
    } else {
        st = sal_fold_node(u->g, n, u->how, &u->grown, &done, u->err);
    }
    return st != SAL_OK || done ? st : unfold_push(u, n);
}

/* A new node that is taken over at once. */
sal_status sal_unfold_append(sal_unfold *u, const sal_op_desc *op, const char *name, int n_in,
                             const sal_vid *in, int n_out, const sal_vid *out, int n_attr,
                             const sal_attr *attr)
{
    sal_node *n;
    if (++u->added > SAL_UNFOLD_NODES_MAX)
        return sal_fail(u->err, SAL_EUNSUPPORTED, "loops amount to more than %d nodes",
                        SAL_UNFOLD_NODES_MAX);
    sal_status st = sal_graph_node(u->g, op, name, n_in, in, n_out, out, n_attr, attr, &n, u->err);
    if (st != SAL_OK)
        return st;
    u->g->n_nodes--;
    return unfold_take(u, n);
}

/* ---- copies of graphs ---- */

static sal_status unfold_value(sal_unfold *u, const char *prefix, const char *name, sal_vid *out)
{
    char full[256];
    snprintf(full, sizeof full, "%.120s/%.120s", prefix, name);
    bool is_free = sal_graph_find(u->g, full) == SAL_NONE;
    return sal_graph_value(u->g, is_free ? full : NULL, full, out, u->err);
}

static sal_status unfold_operand(sal_unfold *u, const sal_graph *body, const char *name,
                                 sal_vid *map, sal_vid *constants, sal_vid v, sal_vid *out)
{
    *out = v == SAL_NONE ? SAL_NONE : map[v];
    if (v == SAL_NONE || *out != SAL_NONE || sal_val(body, v)->constant == NULL)
        return SAL_OK;
    if (constants[v] == SAL_NONE) {
        sal_status st = unfold_value(u, name, sal_val(body, v)->name, &constants[v]);
        if (st == SAL_OK)
            st = sal_graph_set_constant(u->g, constants[v], sal_val(body, v)->constant, u->err);
        if (st != SAL_OK)
            return st;
    }
    *out = map[v] = constants[v];
    return SAL_OK;
}

static sal_status unfold_copy(sal_unfold *u, const sal_graph *body, const char *name, sal_vid *map,
                              sal_vid *constants, const sal_node *n)
{
    sal_vid *ids = sal_malloc((size_t)(n->n_in + n->n_out + 1) * sizeof *ids);
    char label[256];
    sal_status st = SAL_OK;
    if (ids == NULL)
        return sal_fail_nomem(u->err);
    for (int k = 0; k < n->n_in; k++)
        SAL_TRY(unfold_operand(u, body, name, map, constants, n->in[k], &ids[k]));
    for (int k = 0; k < n->n_out; k++) {
        sal_vid *out = &ids[n->n_in + k];
        *out = SAL_NONE;
        if (n->out[k] == SAL_NONE)
            continue;
        SAL_TRY(unfold_value(u, name, sal_val(body, n->out[k])->name, out));
        map[n->out[k]] = *out;
    }
    snprintf(label, sizeof label, "%.120s/%.120s", name, n->name);
    st = sal_unfold_append(u, n->op, label, n->n_in, ids, n->n_out, ids + n->n_in, n->n_attr,
                           n->attr);
done:
    sal_free(ids);
    return st;
}

sal_status sal_unfold_body(sal_unfold *u, const sal_graph *body, const char *name,
                           sal_vid *constants, const sal_vid *in, sal_vid *out)
{
    sal_vid *map = sal_malloc((body->n_values + 1) * sizeof *map);
    sal_status st = SAL_OK;
    if (map == NULL)
        return sal_fail_nomem(u->err);
    for (size_t v = 0; v < body->n_values; v++)
        map[v] = SAL_NONE;
    for (size_t i = 0; i < body->n_inputs; i++)
        map[body->inputs[i]] = in[i];
    for (size_t i = 0; i < body->n_nodes; i++)
        SAL_TRY(unfold_copy(u, body, name, map, constants, body->nodes[i]));
    for (size_t i = 0; i < body->n_outputs; i++) {
        SAL_TRY(unfold_operand(u, body, name, map, constants, body->outputs[i], &out[i]));
        if (out[i] == SAL_NONE)
            SAL_TRY(sal_fail(u->err, SAL_EFORMAT, "output '%s' of the graph inside has no value",
                             sal_val(body, body->outputs[i])->name));
    }
done:
    sal_free(map);
    return st;
}

/* ---- single nodes ---- */

sal_status sal_unfold_node(sal_unfold *u, const char *op, const char *name, int n_in,
                           const sal_vid *in, int n_attr, const sal_attr *attr, sal_vid *out)
{
    const sal_op_desc *d = sal_op_find(SAL_DOMAIN_ONNX, op);
    sal_status st = SAL_OK;
    if (d == NULL)
        return sal_fail(u->err, SAL_EUNSUPPORTED, "the operator %s is not in the table", op);
    if (*out == SAL_NONE)
        st = unfold_value(u, name, op, out);
    return st == SAL_OK
               ? sal_unfold_append(u, d, sal_val(u->g, *out)->name, n_in, in, 1, out, n_attr, attr)
               : st;
}

sal_status sal_unfold_result(sal_unfold *u, const sal_node *n, int i, sal_vid v)
{
    sal_vid out = sal_node_out(n, i);
    return out == SAL_NONE ? SAL_OK : sal_unfold_node(u, "Identity", n->name, 1, &v, 0, NULL, &out);
}

sal_status sal_unfold_int(sal_unfold *u, sal_dtype dtype, int rank, int64_t v, sal_vid *out)
{
    const int64_t one = 1;
    sal_tensor t = SAL_TENSOR_INIT;
    sal_status st = sal_tensor_new(&t, dtype, rank, &one, u->err);
    if (st == SAL_OK && dtype == SAL_I64)
        *(int64_t *)t.data = v;
    else if (st == SAL_OK)
        sal_tensor_set(&t, 0, (double)v);
    if (st == SAL_OK)
        st = sal_graph_constant(u->g, NULL, &t, out, u->err);
    sal_tensor_free(&t);
    return st;
}

sal_status sal_unfold_stack(sal_unfold *u, const char *name, int64_t axis, size_t count,
                            const sal_vid *v, sal_vid *out)
{
    sal_vid at, *wide = sal_malloc((count + 1) * sizeof *wide);
    sal_attr attr = SAL_AI("axis", axis);
    sal_status st = SAL_OK;
    *out = SAL_NONE;
    if (wide == NULL)
        return sal_fail_nomem(u->err);
    SAL_TRY(sal_unfold_int(u, SAL_I64, 1, axis, &at));
    for (size_t i = 0; i < count; i++) {
        wide[i] = SAL_NONE;
        SAL_TRY(
            sal_unfold_node(u, "Unsqueeze", name, 2, (sal_vid[2]){v[i], at}, 0, NULL, &wide[i]));
    }
    if (count == 1)
        *out = wide[0];
    else
        st = sal_unfold_node(u, "Concat", name, (int)count, wide, 1, &attr, out);
done:
    sal_free(wide);
    return st;
}

bool sal_unfold_known(const sal_unfold *u, sal_vid v, int64_t *out)
{
    const sal_tensor *t = v == SAL_NONE ? NULL : sal_val(u->g, v)->constant;
    if (t == NULL || sal_tensor_count(t) != 1)
        return false;
    *out = t->dtype == SAL_I64 ? *(const int64_t *)t->data : (int64_t)sal_tensor_get(t, 0);
    return true;
}

/* ---- the pass ---- */

sal_status sal_pass_unfold(sal_graph *g, const sal_fold *how, bool run, sal_error *err)
{
    sal_unfold u = {g, how, run, 0, 0, 0, err};
    sal_node **old = g->nodes;
    size_t n = g->n_nodes;
    sal_status st = SAL_OK;
    if (!sal_graph_has_control(g))
        return SAL_OK;
    g->nodes = NULL;
    g->n_nodes = g->cap_nodes = 0;
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < old[i]->n_out; k++) {
            if (old[i]->out[k] == SAL_NONE)
                continue;
            sal_value *v = sal_val(g, old[i]->out[k]);
            v->producer = -1;
            v->rank = -1;
            v->known = NULL;
            v->known_n = 0;
        }
    for (size_t i = 0; st == SAL_OK && i < n; i++)
        st = unfold_take(&u, old[i]);
    sal_free(old);
    return st;
}
