/* Graphs in the attributes of If, Loop and Scan. They are closed on the way: what they read from
 * around them becomes inputs of theirs and of the node (graph.h). */
#include "format/onnx_scope.h"

#include "ops/expand.h"

#include <inttypes.h>

static const Onnx__GraphProto *subgraph_get(const Onnx__NodeProto *p, const char *name)
{
    for (size_t i = 0; i < p->n_attribute; i++)
        if (strcmp(sal_onnx_text(p->attribute[i]->name), name) == 0)
            return p->attribute[i]->g;
    return NULL;
}

static sal_status subgraph_initialisers(sal_onnx_scope *s, const Onnx__GraphProto *p)
{
    sal_error *err = s->file->err;
    sal_status st = SAL_OK;
    if (p->n_sparse_initializer > 0)
        return sal_fail(err, SAL_EUNSUPPORTED, "sparse initialisers are not supported");
    for (size_t i = 0; st == SAL_OK && i < p->n_initializer; i++) {
        sal_tensor t = SAL_TENSOR_INIT;
        sal_vid v;
        const char *name = sal_onnx_text(p->initializer[i]->name);
        if (name[0] == '\0')
            return sal_fail(err, SAL_EFORMAT, "an initialiser has no name");
        st = sal_onnx_tensor(&t, p->initializer[i], NULL, 0, s->file->external, err);
        if (st == SAL_OK)
            st = sal_graph_constant(s->g, name, &t, &v, err);
        sal_tensor_free(&t);
    }
    return st;
}

/* like[i]: the outer value whose type input i has where the file does not say it; SAL_NONE: none.
 */
static sal_status subgraph_read(sal_onnx_scope *outer, sal_onnx_scope *s, const Onnx__GraphProto *p,
                                const sal_vid *like)
{
    sal_error *err = s->file->err;
    sal_onnx_names names = {NULL, 0, 0};
    sal_status st = SAL_OK;
    s->names = &names;
    SAL_TRY(sal_graph_new(&s->g, p->name, err));
    s->g->opset = outer->opset;
    SAL_TRY(subgraph_initialisers(s, p));
    for (size_t i = 0; i < p->n_input; i++) {
        const sal_value *x = like[i] == SAL_NONE ? NULL : sal_val(outer->g, like[i]);
        SAL_TRY(sal_onnx_input(s->g, p->input[i], x, err));
        if (s->g->n_inputs != i + 1)
            SAL_TRY(sal_fail(err, SAL_EFORMAT, "input '%.120s' of a graph inside has contents",
                             sal_onnx_text(p->input[i]->name)));
    }
    SAL_TRY(sal_onnx_nodes(s, p->n_node, p->node));
    for (size_t i = 0; i < p->n_output; i++) {
        const char *name = sal_onnx_text(p->output[i]->name);
        sal_vid v;
        bool found;
        SAL_TRY(sal_onnx_scope_find(s, name, &v, &found));
        if (!found || v == SAL_NONE)
            SAL_TRY(sal_fail(err, SAL_EFORMAT,
                             "output '%.120s' of a graph inside is produced by nothing", name));
        SAL_TRY(sal_graph_add_output(s->g, v, err));
    }
    SAL_TRY(sal_pass_expand(s->g, sal_expand_if_on_read, NULL, err));
done:
    sal_onnx_names_free(&names);
    return st;
}

static sal_status subgraph_begin(sal_onnx_scope *outer, sal_onnx_scope *s)
{
    memset(s, 0, sizeof *s);
    s->file = outer->file;
    s->opset = outer->opset;
    s->depth = outer->depth + 1;
    s->outer = outer;
    s->captures = true;
    return s->depth <= ONNX_DEPTH_MAX
               ? SAL_OK
               : sal_fail(s->file->err, SAL_EUNSUPPORTED,
                          "graphs inside each other are more than %d deep", ONNX_DEPTH_MAX);
}

/* Hand the graph over to the node's own graph and add it to the draft as attribute `name`. */
static sal_status subgraph_attach(sal_onnx_scope *outer, sal_onnx_scope *s, const char *name,
                                  sal_node *draft)
{
    sal_error *err = outer->file->err;
    sal_attr *list = sal_arena_alloc(&outer->g->arena, (size_t)(draft->n_attr + 1) * sizeof *list);
    if (list == NULL)
        return sal_fail_nomem(err);
    if (draft->n_attr > 0)
        memcpy(list, draft->attr, (size_t)draft->n_attr * sizeof *list);
    list[draft->n_attr] = (sal_attr){.name = name, .kind = SAL_ATTR_GRAPH, .graph = s->g};
    draft->attr = list;
    draft->n_attr++;
    return SAL_OK;
}

/* Captured values behind the node's own inputs, and how many there are. */
static sal_status subgraph_captured(sal_onnx_scope *outer, const sal_onnx_scope *s, int own,
                                    sal_node *draft)
{
    sal_arena *arena = &outer->g->arena;
    sal_vid *in = sal_arena_alloc(arena, ((size_t)own + s->n_captured + 1) * sizeof *in);
    sal_attr *list = sal_arena_alloc(arena, (size_t)(draft->n_attr + 1) * sizeof *list);
    if (in == NULL || list == NULL)
        return sal_fail_nomem(outer->file->err);
    for (int i = 0; i < own; i++)
        in[i] = i < draft->n_in ? draft->in[i] : SAL_NONE;
    for (size_t i = 0; i < s->n_captured; i++)
        in[own + (int)i] = s->captured[i];
    draft->in = in;
    draft->n_in = own + (int)s->n_captured;
    memcpy(list, draft->attr, (size_t)draft->n_attr * sizeof *list);
    list[draft->n_attr] = SAL_AI("captures", (int64_t)s->n_captured);
    draft->attr = list;
    draft->n_attr++;
    return SAL_OK;
}

static sal_status subgraph_if(sal_onnx_scope *outer, const Onnx__NodeProto *p, sal_node *draft)
{
    static const char *const names[2] = {"then_branch", "else_branch"};
    sal_error *err = outer->file->err;
    sal_onnx_scope s[2];
    sal_vid v;
    sal_status st = SAL_OK;
    memset(s, 0, sizeof s);
    for (int i = 0; i < 2; i++) {
        const Onnx__GraphProto *g = subgraph_get(p, names[i]);
        if (g == NULL)
            SAL_TRY(sal_fail(err, SAL_EFORMAT, "attribute '%s' holds no graph", names[i]));
        if (g->n_input > 0)
            SAL_TRY(sal_fail(err, SAL_EFORMAT, "the graph '%s' has inputs", names[i]));
        if (g->n_output < p->n_output)
            SAL_TRY(sal_fail(err, SAL_EFORMAT, "the graph '%s' has %zu outputs, the node has %zu",
                             names[i], g->n_output, p->n_output));
        SAL_TRY(subgraph_begin(outer, &s[i]));
        SAL_TRY(subgraph_read(outer, &s[i], g, NULL));
    }
    /* Both branches get all values that either reads, in the order of the first. */
    for (size_t i = 0; i < s[1].n_captured; i++)
        SAL_TRY(sal_onnx_scope_capture(&s[0], s[1].captured[i], NULL, &v));
    for (size_t i = 0; i < s[0].n_captured; i++)
        SAL_TRY(sal_onnx_scope_capture(&s[1], s[0].captured[i], NULL, &v));
    s[1].g->n_inputs = 0;
    for (size_t i = 0; i < s[0].n_captured; i++) {
        SAL_TRY(sal_onnx_scope_capture(&s[1], s[0].captured[i], NULL, &v));
        s[1].g->inputs[s[1].g->n_inputs++] = v;
    }
    for (int i = 0; i < 2; i++)
        SAL_TRY(subgraph_attach(outer, &s[i], names[i], draft));
    st = subgraph_captured(outer, &s[0], 1, draft);
done:
    for (int i = 0; i < 2; i++) {
        sal_onnx_scope_free(&s[i]);
        if (s[i].g != NULL && st == SAL_OK)
            st = sal_graph_adopt(outer->g, s[i].g, err);
        else
            sal_graph_free(s[i].g);
    }
    return st;
}

/* Loop and Scan have one graph, `body`. own: inputs of the node that are its own. */
static sal_status subgraph_body(sal_onnx_scope *outer, const Onnx__NodeProto *p, int own,
                                const Onnx__GraphProto *g, const sal_vid *like, sal_node *draft)
{
    sal_error *err = outer->file->err;
    sal_onnx_scope s;
    sal_status st = SAL_OK;
    (void)p;
    SAL_TRY(subgraph_begin(outer, &s));
    SAL_TRY(subgraph_read(outer, &s, g, like));
    SAL_TRY(subgraph_attach(outer, &s, "body", draft));
    SAL_TRY(subgraph_captured(outer, &s, own, draft));
done:
    sal_onnx_scope_free(&s);
    if (s.g != NULL && st == SAL_OK)
        return sal_graph_adopt(outer->g, s.g, err);
    sal_graph_free(s.g);
    return st;
}

/* Inputs: trip count, condition, carried values; of the body: iteration, condition, carried
 * values. Outputs of the body: condition, carried values, values to collect. */
static sal_status subgraph_loop(sal_onnx_scope *outer, const Onnx__NodeProto *p, sal_node *draft)
{
    sal_error *err = outer->file->err;
    const Onnx__GraphProto *g = subgraph_get(p, "body");
    int own = SAL_MAX(draft->n_in, 2), carried = own - 2;
    if (g == NULL)
        return sal_fail(err, SAL_EFORMAT, "attribute 'body' holds no graph");
    if (g->n_input != (size_t)own || g->n_output < (size_t)carried + 1 ||
        p->n_output > g->n_output - 1)
        return sal_fail(err, SAL_EFORMAT,
                        "the body has %zu inputs and %zu outputs, which does not fit a Loop of %d "
                        "carried values and %zu outputs",
                        g->n_input, g->n_output, carried, p->n_output);
    sal_vid *like = sal_arena_alloc(&outer->g->arena, (size_t)(own + 1) * sizeof *like);
    if (like == NULL)
        return sal_fail_nomem(err);
    for (int i = 0; i < own; i++)
        like[i] = i < draft->n_in ? draft->in[i] : SAL_NONE;
    return subgraph_body(outer, p, own, g, like, draft);
}

/* Inputs: states, sequences; of the body: states, one element of each sequence. */
static sal_status subgraph_scan(sal_onnx_scope *outer, const Onnx__NodeProto *p, sal_node *draft)
{
    sal_error *err = outer->file->err;
    const Onnx__GraphProto *g = subgraph_get(p, "body");
    int own = draft->n_in;
    int64_t scans = sal_node_int(draft, "num_scan_inputs", 0);
    if (outer->opset < 9)
        return sal_fail(err, SAL_EUNSUPPORTED,
                        "Scan of operator set 8 is not supported; onnx.version_converter may help");
    if (g == NULL)
        return sal_fail(err, SAL_EFORMAT, "attribute 'body' holds no graph");
    if (scans < 1 || scans > own || g->n_input != (size_t)own ||
        g->n_output < (size_t)(own - scans) || p->n_output > g->n_output)
        return sal_fail(err, SAL_EFORMAT,
                        "the body has %zu inputs and %zu outputs, which does not fit a Scan of %d "
                        "inputs (%" PRId64 " sequences) and %zu outputs",
                        g->n_input, g->n_output, own, scans, p->n_output);
    sal_vid *like = sal_arena_alloc(&outer->g->arena, (size_t)(own + 1) * sizeof *like);
    if (like == NULL)
        return sal_fail_nomem(err);
    for (int i = 0; i < own; i++)
        like[i] = draft->in[i];
    return subgraph_body(outer, p, own, g, like, draft);
}

sal_status sal_onnx_subgraphs(sal_onnx_scope *s, const Onnx__NodeProto *p, sal_node *draft)
{
    if (strcmp(draft->op->name, "If") == 0)
        return subgraph_if(s, p, draft);
    return strcmp(draft->op->name, "Loop") == 0 ? subgraph_loop(s, p, draft)
                                                : subgraph_scan(s, p, draft);
}
