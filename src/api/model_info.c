/* Counting what a model consists of. */
#include "api/api.h"

#include "graph/dump.h"
#include "graph/op.h"
#include "ops/core/evaluate.h"
#include "ops/expand.h"

/* ---- packed matrices ---- */

/* The input of a node that is a packed matrix; SAL_NONE for other nodes. */
static sal_vid stats_packed(const sal_node *n)
{
    if (strcmp(n->op->name, "PackedMatMul") == 0)
        return sal_node_in(n, 1);
    return strcmp(n->op->name, "PackedGather") == 0 || strcmp(n->op->name, "Unpack") == 0
               ? sal_node_in(n, 0)
               : SAL_NONE;
}

/* Packed matrices hold `columns` numbers in each row of bytes; each counts once, however many nodes
 * read it. */
static sal_status stats_add_packed(const sal_graph *g, sal_model_stats *out, sal_error *err)
{
    bool *seen = sal_calloc(g->n_values + 1, sizeof(*seen));

    if (seen == NULL)
        return sal_fail_nomem(err);
    for (size_t i = 0; i < g->n_nodes; i++) {
        sal_vid v = stats_packed(g->nodes[i]);
        const sal_tensor *c = v == SAL_NONE ? NULL : sal_val(g, v)->constant;

        if (c == NULL || seen[v])
            continue;
        seen[v] = true;
        out->parameters += c->dims[0] * sal_node_int(g->nodes[i], "columns", 0);
        out->parameter_bytes += sal_tensor_bytes(c);
    }
    sal_free(seen);
    return SAL_OK;
}

/* ---- work ---- */

static int64_t stats_count(const sal_graph *g, sal_vid v)
{
    return v == SAL_NONE ? -1 : sal_value_count(sal_val(g, v));
}

/* Multiply-adds of one node; -1 when a shape is not known. Only products of matrices and
 * convolutions count, as is usual. */
static int64_t stats_macs(const sal_graph *g, const sal_node *n)
{
    const char *op = n->op->name;
    int64_t out = n->n_out > 0 ? stats_count(g, n->out[0]) : -1;
    sal_vid a = sal_node_in(n, 0), b = sal_node_in(n, 1);

    if (strcmp(op, "Conv") == 0 || strcmp(op, "ConvTranspose") == 0) {
        const sal_value *w = sal_val(g, b);
        int64_t weights = stats_count(g, b);
        bool transposed = op[4] != '\0';
        /* Each output (transposed: input) element meets the weights of one output (input) channel.
         */
        int64_t places = transposed ? stats_count(g, a) : out;

        return places < 0 || weights < 0 || w->dims[0] < 1 ? -1 : places * (weights / w->dims[0]);
    }
    if (strcmp(op, "MatMul") == 0 || strcmp(op, "Gemm") == 0) {
        const sal_value *x = sal_val(g, a);
        int axis = strcmp(op, "Gemm") == 0 && sal_node_int(n, "transA", 0) != 0 ? 0 : x->rank - 1;

        return out < 0 || axis < 0 || x->dims[axis] < 0 ? -1 : out * x->dims[axis];
    }
    if (strcmp(op, "PackedMatMul") == 0) {
        const sal_value *x = sal_val(g, a);

        return out < 0 || x->rank < 1 || x->dims[x->rank - 1] < 0 ? -1 : out * x->dims[x->rank - 1];
    }
    return 0;
}

static bool stats_composite(const sal_graph *g, const sal_node *n, void *ctx)
{
    (void)g;
    (void)ctx;
    return (n->op->flags & SAL_OP_COMPOSITE) != 0 || strcmp(n->op->name, "Einsum") == 0 ||
           strcmp(n->op->name, "Attention") == 0;
}

/* Inputs without given shapes: the first free dimension is one sample. */
static void stats_default_shapes(const sal_graph *g, sal_tensor *shapes)
{
    for (size_t i = 0; i < g->n_inputs; i++) {
        const sal_value *v = sal_val(g, g->inputs[i]);

        if (shapes[i].rank >= 0)
            continue;
        shapes[i].rank = v->rank;
        for (int k = 0; k < v->rank; k++) {
            shapes[i].dims[k] = v->dims[k] < 0 && k == 0 ? 1 : v->dims[k];
            if (shapes[i].dims[k] < 0)
                shapes[i].rank = -1; /* other free dimensions: not known */
        }
    }
}

static sal_status stats_count_macs(const sal_graph *model, const sal_tensor *shapes, int64_t *macs,
                                   sal_error *err)
{
    static const sal_fold how = SAL_FOLD(sal_node_eval);
    sal_tensor *own = sal_calloc(model->n_inputs + 1, sizeof(*own));
    sal_bound *bounds = sal_calloc(model->n_inputs + 1, sizeof(*bounds));
    sal_graph *g = NULL;
    sal_status st = SAL_OK;

    *macs = 0;
    if (own == NULL || bounds == NULL)
        SAL_TRY(sal_fail_nomem(err));
    for (size_t i = 0; i < model->n_inputs; i++)
        own[i] = shapes != NULL ? shapes[i] : (sal_tensor){.rank = -1};
    stats_default_shapes(model, own);
    st = sal_graph_bind(&g, model, api_bounds(model, own, bounds), bounds, &how, err);
    if (st == SAL_ESHAPE && shapes == NULL) {
        st = SAL_OK; /* free dimensions: only the caller can tell */
        *macs = -1;
        goto done;
    }
    SAL_TRY(st);
    SAL_TRY(sal_pass_expand(g, stats_composite, NULL, err));
    for (size_t i = 0; i < g->n_nodes && *macs >= 0; i++) {
        int64_t one = stats_macs(g, g->nodes[i]);

        *macs = one < 0 ? -1 : *macs + one;
    }
done:
    sal_graph_free(g);
    sal_free(own);
    sal_free(bounds);
    return st;
}

sal_status sal_model_get_stats(const sal_model *m, const sal_tensor *shapes, sal_model_stats *out,
                               sal_error *err)
{
    const sal_graph *g = m->structure;

    *out = (sal_model_stats){.nodes = g->n_nodes, .opset = g->opset, .producer = g->producer};
    if (g->producer != NULL && g->producer[0] == '\0')
        out->producer = NULL;
    for (size_t i = 0; i < g->n_values; i++) {
        const sal_tensor *c = g->values[i]->constant;

        if (c == NULL)
            continue;
        out->constants++;
        if (!sal_dtype_is_float(c->dtype))
            continue;
        out->parameters += sal_tensor_count(c);
        out->parameter_bytes += sal_tensor_bytes(c);
    }
    sal_graph *own = NULL;
    sal_status st = stats_add_packed(g, out, err);
    if (st == SAL_OK)
        st = api_graph(m, &own, &g, err);
    if (st == SAL_OK)
        st = stats_count_macs(g, shapes, &out->macs, err);
    sal_graph_free(own);
    return st;
}

/* ---- operators ---- */

static int stats_by_count(const void *a, const void *b)
{
    const sal_model_op *x = a, *y = b;

    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return strcmp(x->name, y->name);
}

sal_status sal_model_ops(const sal_model *m, sal_model_op **ops, size_t *n, sal_error *err)
{
    const sal_graph *g = m->structure;
    size_t count = 0, cap = 0;
    sal_model_op *list = NULL;
    sal_status st = SAL_OK;

    *ops = NULL;
    *n = 0;
    for (size_t i = 0; i < g->n_nodes; i++) {
        const sal_op_desc *op = g->nodes[i]->op;
        size_t k = 0;

        while (k < count && strcmp(list[k].name, op->name) != 0)
            k++;
        if (k == count) {
            SAL_TRY(sal_grow(&list, count + 1, &cap, sizeof(*list), err));
            list[count++] = (sal_model_op){op->name, 0, api_derivative(op)};
        }
        list[k].count++;
    }
    if (count > 0)
        qsort(list, count, sizeof(*list), stats_by_count);
    *ops = list;
    *n = count;
    list = NULL;
done:
    sal_free(list);
    return st;
}

/* ---- pictures of the graph ---- */

sal_status sal_model_text(const sal_model *m, sal_model_view view, char **out, sal_error *err)
{
    sal_bytes text = {NULL, 0, 0};
    sal_status st = SAL_OK;

    *out = NULL;
    SAL_TRY(view == SAL_VIEW_DOT ? sal_graph_dump_dot(m->structure, &text, err)
                                 : sal_graph_dump_text(m->structure, &text, err));
    st = api_hand_over(&text, out, err);
done:
    sal_bytes_free(&text);
    return st;
}
