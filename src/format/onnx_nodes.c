/* The nodes of a GraphProto or a FunctionProto -> nodes of the graph. */
#include "format/onnx_scope.h"
#include "ops/builder.h"

#include <stdio.h>

/* One NodeProto on its way. */
typedef struct nodes_item {
    const Onnx__NodeProto *p;
    const sal_op_desc *op;        /* NULL: Constant, already taken over, or a call */
    const Onnx__FunctionProto *f; /* called */
    sal_vid *out;                 /* ids of the outputs, n_output of them */
    bool list;                    /* works on sequences */
    uint8_t state;                /* of the sort: 0 not seen, 1 on the way, 2 placed */
} nodes_item;

typedef struct nodes_ctx {
    sal_onnx_scope *s;
    sal_graph *g;
    size_t n_node;
    Onnx__NodeProto *const *node;
    nodes_item *items;
    int32_t *producer; /* value id -> index of its item, -1 for inputs and constants */
    size_t n_producer;
    uint8_t *ready; /* value id -> it has been computed by now */
    sal_error *err;
} nodes_ctx;

const char *sal_onnx_label(const Onnx__NodeProto *p)
{
    if (p->name != NULL && p->name[0] != '\0')
        return p->name;
    for (size_t i = 0; i < p->n_output; i++)
        if (p->output[i][0] != '\0')
            return p->output[i];
    return "(no name)";
}

static bool nodes_is(const Onnx__NodeProto *p, const char *op)
{
    return sal_onnx_domain(p->domain)[0] == '\0' && strcmp(sal_onnx_text(p->op_type), op) == 0;
}

/* Built in, or a function of the file? */
static bool nodes_known(const nodes_ctx *c, const Onnx__NodeProto *p)
{
    return nodes_is(p, "Constant") ||
           sal_op_find(sal_onnx_domain(p->domain), sal_onnx_text(p->op_type)) != NULL ||
           sal_onnx_function(c->s->file, p) != NULL || sal_onnx_is_sequence(p);
}

/* One error for all operators that are missing: the first with its node, then the other types. */
static sal_status nodes_report_missing(const nodes_ctx *c, size_t first)
{
    enum { LIST_MAX = 24 };
    const Onnx__NodeProto *seen[LIST_MAX];
    size_t n = 0;
    bool more = false;
    sal_bytes list = {NULL, 0, 0};
    sal_status st = SAL_OK;
    for (size_t i = first; i < c->n_node && !more; i++) {
        const Onnx__NodeProto *p = c->node[i];
        const char *domain = sal_onnx_domain(p->domain);
        bool known = nodes_known(c, p);
        for (size_t k = 0; k < n && !known; k++)
            known = strcmp(sal_onnx_text(seen[k]->op_type), sal_onnx_text(p->op_type)) == 0 &&
                    strcmp(sal_onnx_domain(seen[k]->domain), domain) == 0;
        if (known)
            continue;
        more = n == LIST_MAX;
        if (more)
            break;
        if (n > 0)
            SAL_TRY(sal_bytes_printf(&list, c->err, "%s%s%s%s", n == 1 ? "; also missing: " : ", ",
                                     domain, domain[0] == '\0' ? "" : ".",
                                     sal_onnx_text(p->op_type)));
        seen[n++] = p;
    }
    const Onnx__NodeProto *p = c->node[first];
    const char *domain = sal_onnx_domain(p->domain);
    st = sal_fail(c->err, SAL_EUNSUPPORTED,
                  "node '%.80s': the operator %.60s%s%.60s is not supported%s%s", sal_onnx_label(p),
                  domain, domain[0] == '\0' ? "" : ".", sal_onnx_text(p->op_type),
                  list.len > 0 ? list.data : "", more ? ", ..." : "");
done:
    sal_bytes_free(&list);
    return st;
}

/* First pass: find the operators, make the values, take over the constants. */
static sal_status nodes_declare(nodes_ctx *c, nodes_item *item)
{
    const Onnx__NodeProto *p = item->p;
    sal_graph *g = c->g;
    bool constant = nodes_is(p, "Constant");
    sal_tensor t = SAL_TENSOR_INIT;
    sal_status st = SAL_OK;
    if (constant && (p->n_output != 1 || p->output[0][0] == '\0'))
        return sal_fail(c->err, SAL_EFORMAT, "a Constant has %zu outputs instead of one",
                        p->n_output);
    item->out = sal_arena_alloc(&g->arena, (p->n_output + 1) * sizeof *item->out);
    if (item->out == NULL)
        return sal_fail_nomem(c->err);
    for (size_t i = 0; i < p->n_output; i++) {
        item->out[i] = SAL_NONE;
        if (p->output[i][0] != '\0')
            SAL_TRY(sal_onnx_scope_declare(c->s, p->output[i], &item->out[i]));
    }
    if (constant) {
        SAL_TRY(sal_onnx_constant(&t, p, c->s));
        SAL_TRY(sal_graph_set_constant(g, item->out[0], &t, c->err));
    }
done:
    sal_tensor_free(&t);
    return st;
}

/* Value id of input `name` of a node. */
static sal_status nodes_input(const nodes_ctx *c, const Onnx__NodeProto *p, size_t i, sal_vid *out)
{
    bool found;
    *out = SAL_NONE;
    if (p->input[i][0] == '\0')
        return SAL_OK;
    sal_status st = sal_onnx_scope_find(c->s, p->input[i], out, &found);
    if (st != SAL_OK || found)
        return st;
    return sal_fail(c->err, SAL_EFORMAT,
                    "node '%.120s' (%.60s) reads '%.120s', which nothing in the file produces",
                    sal_onnx_label(p), sal_onnx_text(p->op_type), p->input[i]);
}

static sal_status nodes_check_arity(const nodes_ctx *c, const sal_node *n)
{
    const sal_op_desc *op = n->op;
    int n_in = n->n_in, n_out = n->n_out;
    while (n_in > 0 && n->in[n_in - 1] == SAL_NONE)
        n_in--;
    while (n_out > 0 && n->out[n_out - 1] == SAL_NONE)
        n_out--;
    if (n_in < op->min_in || (op->max_in >= 0 && n_in > op->max_in))
        return sal_fail(c->err, SAL_EFORMAT, "%s has %d inputs; it takes %d%s%.0d", op->name, n_in,
                        op->min_in,
                        op->max_in == op->min_in ? ""
                        : op->max_in < 0         ? " or more"
                                                 : " to ",
                        op->max_in > op->min_in ? op->max_in : 0);
    if (n_out > op->max_out && op->max_out >= 0)
        return sal_fail(c->err, SAL_EFORMAT, "%s has %d outputs; it gives at most %d", op->name,
                        n_out, op->max_out);
    for (int i = 0; i < op->min_in && op->max_in >= 0; i++)
        if (n->in[i] == SAL_NONE)
            return sal_fail(c->err, SAL_EFORMAT, "input %d of %s is left out, but it is needed", i,
                            op->name);
    return SAL_OK;
}

/* The node's own name, behind that of the call in a function. */
static sal_status nodes_name(const nodes_ctx *c, const Onnx__NodeProto *p, const char **out)
{
    const char *label = sal_onnx_label(p);
    /* A node without a name is called after its first output: unlike a number, that can be found.
     */
    char *full = c->s->function == NULL
                     ? sal_arena_strdup(&c->g->arena, label)
                     : sal_arena_printf(&c->g->arena, "%.120s/%.120s", c->s->prefix, label);
    if (full == NULL)
        return sal_fail_nomem(c->err);
    return sal_onnx_names_unique(c->s->names, &c->g->arena, full, out, c->err);
}

static sal_status nodes_draft(nodes_ctx *c, const nodes_item *item, sal_node *draft)
{
    const Onnx__NodeProto *p = item->p;
    memset(draft, 0, sizeof *draft);
    draft->op = item->op;
    draft->n_in = (int32_t)p->n_input;
    draft->n_out = (int32_t)p->n_output;
    draft->out = item->out;
    draft->in = sal_arena_alloc(&c->g->arena, (p->n_input + 1) * sizeof *draft->in);
    if (draft->in == NULL)
        return sal_fail_nomem(c->err);
    for (size_t i = 0; i < p->n_input; i++) {
        sal_status st = nodes_input(c, p, i, &draft->in[i]);
        if (st != SAL_OK)
            return st;
    }
    return nodes_name(c, p, &draft->name);
}

/* Bring the node to today's form and append it. */
static sal_status nodes_add(nodes_ctx *c, const Onnx__NodeProto *p, sal_node *draft,
                            sal_node **node)
{
    int n_attr;
    sal_status st = sal_onnx_attrs(c->s, p, draft->op, &draft->attr, &n_attr);
    if (st != SAL_OK)
        return st;
    draft->n_attr = n_attr;
    if ((draft->op->flags & SAL_OP_CONTROL) != 0)
        st = sal_onnx_subgraphs(c->s, p, draft);
    if (st == SAL_OK && c->s->opset <= ONNX_OPSET_OLD && draft->op->since > c->s->opset)
        st = sal_fail(c->err, SAL_EUNSUPPORTED,
                      "%s of operator set %d is not supported (%d to %d are); "
                      "onnx.version_converter may help",
                      draft->op->name, c->s->opset, ONNX_OPSET_OLD + 1, ONNX_OPSET_MAX);
    if (st == SAL_OK && draft->op->upgrade != NULL) {
        sal_upgrade u = {c->g, c->s->opset, draft, c->err};
        st = draft->op->upgrade(&u);
    }
    if (st == SAL_OK)
        st = nodes_check_arity(c, draft);
    if (st == SAL_OK)
        st = sal_graph_node(c->g, draft->op, draft->name, draft->n_in, draft->in, draft->n_out,
                            draft->out, draft->n_attr, draft->attr, node, c->err);
    return st;
}

/* Second pass, in topological order. */
static sal_status nodes_append(nodes_ctx *c, const nodes_item *item)
{
    const Onnx__NodeProto *p = item->p;
    sal_node draft;
    sal_node *node = NULL;
    sal_status st = nodes_draft(c, item, &draft);
    for (size_t i = 0; st == SAL_OK && item->op != NULL && i < p->n_input; i++)
        if (sal_onnx_sequence_find(c->s->file, c->g, draft.in[i]) != NULL)
            st = sal_fail(c->err, SAL_EUNSUPPORTED, "%s of a sequence is not supported",
                          item->op->name);
    if (st == SAL_OK && item->list)
        st = sal_onnx_sequence(c->s, p, draft.in, item->out);
    else if (st == SAL_OK && item->f != NULL)
        st = sal_onnx_call(c->s, item->f, p, draft.name, draft.in, item->out);
    else if (st == SAL_OK)
        st = nodes_add(c, p, &draft, &node);
    if (st != SAL_OK)
        return c->s->depth > 2 ? st
                               : sal_fail_prefix(c->err, st, "node '%.120s'", sal_onnx_label(p));
    for (size_t i = 0; i < p->n_output; i++)
        if (item->out[i] != SAL_NONE)
            c->ready[item->out[i]] = 1;
    return node == NULL ? SAL_OK : sal_node_infer(c->g, node, c->err);
}

/* Append the items in their order, but each after those it reads from (depth first, own stack). A
 * file that is sorted already keeps its order. */
static sal_status nodes_sort(nodes_ctx *c)
{
    size_t n = c->n_node, depth = 0;
    sal_status st = SAL_OK;
    struct {
        size_t item, input;
    } *stack = sal_malloc((n + 1) * sizeof *stack);
    if (stack == NULL)
        return sal_fail_nomem(c->err);
    for (size_t i = 0; i < n; i++) {
        if (c->items[i].state != 0)
            continue;
        stack[0].item = i;
        stack[0].input = 0;
        c->items[i].state = 1;
        depth = 1;
        while (depth > 0) {
            nodes_item *item = &c->items[stack[depth - 1].item];
            if (stack[depth - 1].input == item->p->n_input) {
                if (item->op != NULL || item->f != NULL || item->list)
                    SAL_TRY(nodes_append(c, item));
                item->state = 2;
                depth--;
                continue;
            }
            sal_vid v;
            SAL_TRY(nodes_input(c, item->p, stack[depth - 1].input++, &v));
            int32_t from = v == SAL_NONE || (size_t)v >= c->n_producer ? -1 : c->producer[v];
            if (from < 0 || c->items[from].state == 2)
                continue;
            if (c->items[from].state == 1)
                SAL_TRY(sal_fail(
                    c->err, SAL_EFORMAT, "node '%.120s' (%.60s) depends on its own output",
                    sal_onnx_label(c->items[from].p), sal_onnx_text(c->items[from].p->op_type)));
            c->items[from].state = 1;
            stack[depth].item = (size_t)from;
            stack[depth++].input = 0;
        }
    }
done:
    sal_free(stack);
    return st;
}

static sal_status nodes_prepare(nodes_ctx *c)
{
    for (size_t i = 0; i < c->n_node; i++) {
        const Onnx__NodeProto *p = c->node[i];
        c->items[i].p = p;
        c->items[i].op = sal_op_find(sal_onnx_domain(p->domain), sal_onnx_text(p->op_type));
        if (nodes_is(p, "Constant"))
            c->items[i].op = NULL;
        else if (c->items[i].op == NULL)
            c->items[i].f = sal_onnx_function(c->s->file, p);
        c->items[i].list =
            c->items[i].op == NULL && c->items[i].f == NULL && sal_onnx_is_sequence(p);
        if (c->items[i].op == NULL && c->items[i].f == NULL && !c->items[i].list &&
            !nodes_is(p, "Constant"))
            return nodes_report_missing(c, i);
        if (p->n_input > INT32_MAX || p->n_output > INT32_MAX)
            return sal_fail(c->err, SAL_EFORMAT, "node '%.120s' has too many inputs or outputs",
                            sal_onnx_label(p));
    }
    for (size_t i = 0; i < c->n_node; i++) {
        sal_status st = nodes_declare(c, &c->items[i]);
        if (st != SAL_OK)
            return sal_fail_prefix(c->err, st, "node '%.120s' (%.60s)",
                                   sal_onnx_label(c->items[i].p),
                                   sal_onnx_text(c->items[i].p->op_type));
    }
    c->n_producer = c->g->n_values;
    c->producer = sal_malloc((c->n_producer + 1) * sizeof *c->producer);
    c->ready = sal_calloc(c->n_producer + 1, 1);
    if (c->producer == NULL || c->ready == NULL)
        return sal_fail_nomem(c->err);
    for (size_t v = 0; v < c->n_producer; v++) {
        c->producer[v] = -1;
        c->ready[v] = 1;
    }
    for (size_t i = 0; i < c->n_node; i++)
        for (size_t k = 0; k < c->items[i].p->n_output; k++)
            if (c->items[i].out[k] != SAL_NONE) {
                c->producer[c->items[i].out[k]] = (int32_t)i;
                c->ready[c->items[i].out[k]] = nodes_is(c->items[i].p, "Constant");
            }
    c->s->declared = c->n_producer;
    c->s->ready = c->ready;
    return SAL_OK;
}

sal_status sal_onnx_nodes(sal_onnx_scope *s, size_t n_node, Onnx__NodeProto *const *node)
{
    nodes_ctx c = {s, s->g, n_node, node, NULL, NULL, 0, NULL, s->file->err};
    sal_status st = SAL_OK;
    if (n_node >= INT32_MAX)
        return sal_fail(c.err, SAL_EFORMAT, "the graph has too many nodes");
    c.items = sal_calloc(n_node + 1, sizeof *c.items);
    if (c.items == NULL)
        return sal_fail_nomem(c.err);
    SAL_TRY(nodes_prepare(&c));
    SAL_TRY(nodes_sort(&c));
done:
    s->ready = NULL;
    sal_free(c.items);
    sal_free(c.producer);
    sal_free(c.ready);
    return st;
}
