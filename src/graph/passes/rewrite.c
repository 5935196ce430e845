/* Shared machinery of the passes (rewrite.h). */
#include "graph/passes/rewrite.h"

/* Grow a per-value or per-node array, new entries filled with `fill`. */
static sal_status rewrite_grow(void *array, size_t old, size_t cap, size_t size, int fill,
                               sal_error *err)
{
    void *p;
    size_t bytes;
    memcpy(&p, array, sizeof p);
    if (!sal_mul_ok(cap, size, &bytes))
        return sal_fail_nomem(err);
    p = sal_realloc(p, bytes);
    if (p == NULL)
        return sal_fail_nomem(err);
    memset((char *)p + old * size, fill, bytes - old * size);
    memcpy(array, &p, sizeof p);
    return SAL_OK;
}

sal_status sal_rewrite_fit(sal_rewrite *r)
{
    sal_status st = SAL_OK;
    size_t want = r->g->n_values + r->g->n_values / 4 + 64;
    if (r->g->n_values >= r->cap) {
        SAL_TRY(
            rewrite_grow(&r->alias, r->cap, want, sizeof *r->alias, 0xff, r->err)); /* SAL_NONE */
        SAL_TRY(rewrite_grow(&r->uses, r->cap, want, sizeof *r->uses, 0, r->err));
        SAL_TRY(rewrite_grow(&r->is_out, r->cap, want, sizeof *r->is_out, 0, r->err));
        r->cap = want;
    }
    want = r->g->n_nodes + r->g->n_nodes / 4 + 64;
    if (r->g->n_nodes >= r->cap_nodes) {
        SAL_TRY(rewrite_grow(&r->dead, r->cap_nodes, want, sizeof *r->dead, 0, r->err));
        r->cap_nodes = want;
    }
done:
    return st;
}

sal_status sal_rewrite_begin(sal_rewrite *r, sal_graph *g, sal_error *err)
{
    memset(r, 0, sizeof *r);
    r->g = g;
    r->err = err;
    sal_status st = sal_rewrite_fit(r);
    if (st != SAL_OK)
        return st;
    sal_graph_uses(g, r->uses);
    for (size_t i = 0; i < g->n_outputs; i++)
        r->is_out[g->outputs[i]] = 1;
    return SAL_OK;
}

sal_vid sal_rewrite_now(const sal_rewrite *r, sal_vid v)
{
    while (v != SAL_NONE && r->alias[v] != SAL_NONE)
        v = r->alias[v];
    return v;
}

bool sal_rewrite_replace(sal_rewrite *r, sal_vid from, sal_vid to)
{
    to = sal_rewrite_now(r, to);
    if (from == to || r->alias[from] != SAL_NONE)
        return false;
    if (r->is_out[from] && (r->is_out[to] || sal_val(r->g, to)->producer < 0))
        return false;
    /* `to` takes the place of an output: mark it, so that no second output claims it. */
    r->is_out[to] = (uint8_t)(r->is_out[to] | r->is_out[from]);
    r->uses[to] += r->uses[from];
    r->alias[from] = to;
    r->changed = true;
    return true;
}

void sal_rewrite_kill(sal_rewrite *r, const sal_node *n)
{
    r->dead[n->id] = 1;
    r->changed = true;
    for (int k = 0; k < n->n_in; k++)
        if (n->in[k] != SAL_NONE)
            r->uses[sal_rewrite_now(r, n->in[k])]--;
}

sal_status sal_rewrite_supplant(sal_rewrite *r, const sal_node *last, const char *op,
                                const char *name, int n_in, const sal_vid *in, int n_attr,
                                const sal_attr *attr)
{
    const sal_op_desc *desc = sal_op_find(SAL_DOMAIN_ONNX, op);
    sal_node *node;
    sal_status st = SAL_OK;
    if (desc == NULL)
        return sal_fail(r->err, SAL_EUNSUPPORTED, "the operator %s is not in the table", op);
    SAL_TRY(sal_graph_node(r->g, desc, name, n_in, in, 1, last->out, n_attr, attr, &node, r->err));
    SAL_TRY(sal_rewrite_fit(r)); /* constants may have been added as well */
    SAL_TRY(sal_node_reinfer(r->g, node, r->err));
    for (int k = 0; k < n_in; k++)
        if (in[k] != SAL_NONE)
            r->uses[sal_rewrite_now(r, in[k])]++;
    sal_rewrite_kill(r, last);
done:
    return st;
}

sal_status sal_rewrite_append(sal_rewrite *r, const char *op, int n_in, const sal_vid *in,
                              int n_attr, const sal_attr *attr, sal_vid *out)
{
    const sal_op_desc *desc = sal_op_find(SAL_DOMAIN_ONNX, op);
    sal_node *node;
    sal_status st = SAL_OK;
    if (desc == NULL)
        return sal_fail(r->err, SAL_EUNSUPPORTED, "the operator %s is not in the table", op);
    SAL_TRY(sal_graph_value(r->g, NULL, op, out, r->err));
    SAL_TRY(sal_graph_node(r->g, desc, NULL, n_in, in, 1, out, n_attr, attr, &node, r->err));
    SAL_TRY(sal_rewrite_fit(r));
    SAL_TRY(sal_node_reinfer(r->g, node, r->err));
    for (int k = 0; k < n_in; k++)
        if (in[k] != SAL_NONE)
            r->uses[sal_rewrite_now(r, in[k])]++;
    r->changed = true;
done:
    return st;
}

const sal_node *sal_rewrite_producer(const sal_rewrite *r, sal_vid v, const char *op)
{
    v = sal_rewrite_now(r, v);
    if (v == SAL_NONE || sal_val(r->g, v)->producer < 0)
        return NULL;
    const sal_node *n = r->g->nodes[sal_val(r->g, v)->producer];
    return r->dead[n->id] || (op != NULL && !sal_node_is(n, op)) ? NULL : n;
}

bool sal_rewrite_single(const sal_rewrite *r, sal_vid v)
{
    v = sal_rewrite_now(r, v);
    return r->uses[v] == 1 && !r->is_out[v];
}

/* ---- the end of a pass ---- */

/* A graph output that was replaced keeps its name and id: the producer of the replacement writes it
 * instead. */
static void rewrite_outputs(sal_rewrite *r)
{
    sal_graph *g = r->g;
    for (size_t i = 0; i < g->n_outputs; i++) {
        sal_vid out = g->outputs[i], to = sal_rewrite_now(r, out);
        if (out == to)
            continue;
        sal_value *a = sal_val(g, out), *b = sal_val(g, to);
        /* The old producer lets go of the output. */
        if (a->producer >= 0) {
            sal_node *old = g->nodes[a->producer];
            old->out[a->producer_out] = SAL_NONE;
        }
        g->nodes[b->producer]->out[b->producer_out] = out;
        a->producer = b->producer;
        a->producer_out = b->producer_out;
        a->dtype = b->dtype;
        a->rank = b->rank;
        memcpy(a->dims, b->dims, sizeof a->dims);
        a->known = b->known;
        a->known_n = b->known_n;
        b->producer = -1;
        b->producer_out = 0;
        r->alias[out] = SAL_NONE;
        r->alias[to] = out;
    }
}

/* Stable topological order of the live nodes: depth first over producers, with a stack of its own.
 */
static sal_status rewrite_sort(sal_graph *g, const uint8_t *dead, sal_error *err)
{
    size_t n = g->n_nodes, placed = 0;
    sal_status st = SAL_OK;
    uint8_t *state = sal_calloc(n + 1, 1); /* 1 on the stack, 2 placed */
    sal_node **order = sal_malloc((n + 1) * sizeof *order);
    struct {
        int32_t node, input;
    } *stack = sal_malloc((n + 1) * sizeof *stack);
    if (state == NULL || order == NULL || stack == NULL)
        SAL_TRY(sal_fail_nomem(err));
    for (size_t i = 0; i < n; i++) {
        if (dead[i] || state[i] != 0)
            continue;
        size_t depth = 1;
        stack[0].node = (int32_t)i;
        stack[0].input = 0;
        state[i] = 1;
        while (depth > 0) {
            sal_node *node = g->nodes[stack[depth - 1].node];
            if (stack[depth - 1].input == node->n_in) {
                state[node->id] = 2;
                order[placed++] = node;
                depth--;
                continue;
            }
            sal_vid v = node->in[stack[depth - 1].input++];
            int32_t from = v == SAL_NONE ? -1 : sal_val(g, v)->producer;
            if (from < 0 || dead[from] || state[from] == 2)
                continue;
            if (state[from] == 1)
                SAL_TRY(
                    sal_fail(err, SAL_EINVAL, "node '%s' depends on its own output", node->name));
            state[from] = 1;
            stack[depth].node = from;
            stack[depth++].input = 0;
        }
    }
    for (size_t i = 0; i < n; i++)
        for (int k = 0; dead[i] && k < g->nodes[i]->n_out; k++) {
            sal_vid v = g->nodes[i]->out[k];
            if (v != SAL_NONE && sal_val(g, v)->producer == (int32_t)i)
                sal_val(g, v)->producer = -1;
        }
    for (size_t i = 0; i < placed; i++) {
        g->nodes[i] = order[i];
        order[i]->id = (int32_t)i;
        for (int k = 0; k < order[i]->n_out; k++)
            if (order[i]->out[k] != SAL_NONE)
                sal_val(g, order[i]->out[k])->producer = (int32_t)i;
    }
    g->n_nodes = placed;
done:
    sal_free(state);
    sal_free(order);
    sal_free(stack);
    return st;
}

sal_status sal_rewrite_end(sal_rewrite *r, sal_status st)
{
    sal_graph *g = r->g;
    if (st == SAL_OK && r->changed) {
        rewrite_outputs(r);
        for (size_t i = 0; i < g->n_nodes; i++)
            for (int k = 0; k < g->nodes[i]->n_in; k++)
                g->nodes[i]->in[k] = sal_rewrite_now(r, g->nodes[i]->in[k]);
        st = rewrite_sort(g, r->dead, r->err);
    }
    sal_free(r->alias);
    sal_free(r->uses);
    sal_free(r->is_out);
    sal_free(r->dead);
    return st;
}

/* ---- questions ---- */

bool sal_node_is(const sal_node *n, const char *op)
{
    return strcmp(n->op->name, op) == 0 && (n->op->domain == NULL || n->op->domain[0] == '\0');
}

bool sal_node_is_ours(const sal_node *n, const char *op)
{
    return strcmp(n->op->name, op) == 0 && n->op->domain != NULL &&
           strcmp(n->op->domain, SAL_DOMAIN_INTERNAL) == 0;
}

const sal_tensor *sal_value_constant(const sal_graph *g, sal_vid v)
{
    return v == SAL_NONE ? NULL : sal_val(g, v)->constant;
}

bool sal_value_number(const sal_graph *g, sal_vid v, double *out)
{
    const sal_tensor *t = sal_value_constant(g, v);
    if (t == NULL || sal_tensor_count(t) != 1)
        return false;
    *out = sal_tensor_get(t, 0);
    return true;
}

int sal_value_integers(const sal_graph *g, sal_vid v, int64_t *out, int cap)
{
    const sal_tensor *t = sal_value_constant(g, v);
    if (t == NULL || t->rank > 1 || sal_tensor_count(t) > cap ||
        (t->dtype != SAL_I64 && t->dtype != SAL_I32))
        return -1;
    int n = (int)sal_tensor_count(t);
    for (int i = 0; i < n; i++)
        out[i] =
            t->dtype == SAL_I64 ? ((const int64_t *)t->data)[i] : ((const int32_t *)t->data)[i];
    return n;
}

bool sal_value_same_shape(const sal_graph *g, sal_vid a, sal_vid b)
{
    const sal_value *x = sal_val(g, a), *y = sal_val(g, b);
    if (x->rank < 0 || x->rank != y->rank)
        return false;
    for (int i = 0; i < x->rank; i++)
        if (x->dims[i] != y->dims[i])
            return false;
    return true;
}

sal_status sal_node_reinfer(sal_graph *g, const sal_node *n, sal_error *err)
{
    if (n->op->infer == NULL)
        return SAL_OK;
    sal_infer c = {g, n, err};
    sal_status st = sal_infer_alike(&c);
    if (st == SAL_OK)
        st = n->op->infer(&c);
    return st == SAL_OK ? SAL_OK : sal_fail_prefix(err, st, "%s node '%s'", n->op->name, n->name);
}
