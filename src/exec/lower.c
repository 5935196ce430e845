/* From graph to steps: prepare a copy of the graph, group nodes, lower each group where it runs. */
#include "exec/lower.h"

#include "exec/kernels.h"
#include "exec/kernels/mask.h"
#include "exec/onednn.h"
#include "exec/schedule.h"
#include "exec/tile.h"
#include "graph/passes/passes.h"
#include "ops/core/evaluate.h"
#include "ops/expand.h"

static const sal_kernel kernel_table[] = {
#define SAL_KERNEL(op, function, file) {#op, sal_lower_##function},
#define SAL_ANCHOR(op)
#define SAL_COVERS(op, function)
#include "exec/kernels.def"
#undef SAL_KERNEL
#undef SAL_ANCHOR
#undef SAL_COVERS
    {NULL, NULL},
};

/* Does the kernel of n's operator take this node? */
static bool lower_covered(const sal_plan *p, const sal_graph *g, const sal_node *n)
{
#define SAL_KERNEL(op, function, file)
#define SAL_ANCHOR(op)
#define SAL_COVERS(of, function)                                                                   \
    if (strcmp(n->op->name, #of) == 0)                                                             \
        return sal_covers_##function(p, g, n);
#include "exec/kernels.def"
#undef SAL_KERNEL
#undef SAL_ANCHOR
#undef SAL_COVERS
    return true;
}

static const char *const anchor_table[] = {
#define SAL_KERNEL(op, function, file)
#define SAL_ANCHOR(op) #op,
#define SAL_COVERS(op, function)
#include "exec/kernels.def"
#undef SAL_KERNEL
#undef SAL_ANCHOR
#undef SAL_COVERS
    NULL,
};

const sal_kernel *sal_kernel_find(const char *op)
{
    for (const sal_kernel *k = kernel_table; k->op != NULL; k++)
        if (strcmp(k->op, op) == 0)
            return k;
    return NULL;
}

bool sal_kernel_anchors(const char *op)
{
    for (const char *const *a = anchor_table; *a != NULL; a++)
        if (strcmp(*a, op) == 0)
            return true;
    return false;
}

/* Nodes without a kernel run faster as the simpler operators they stand for; composites have no
 * other way. */
static bool lower_must_expand(const sal_graph *g, const sal_node *n, void *ctx)
{
    sal_tile_op op;
    float p0, p1;
    int operands;
    const sal_plan *p = ctx;
    const bool *reference = &p->reference;
    if (n->op->expand == NULL ||
        (!*reference && sal_kernel_find(n->op->name) != NULL && lower_covered(p, g, n)))
        return false;
    if (n->op->eval == NULL)
        return true;
    return !*reference && (n->op->flags & (SAL_OP_MOVE | SAL_OP_EVAL)) == 0 &&
           !sal_tile_code(g, n, &op, &p0, &p1, &operands) &&
           sal_dtype_is_float(sal_val(g, n->out[0])->dtype);
}

static sal_status lower_check_static(const sal_graph *g, sal_error *err)
{
    char text[160];
    for (size_t i = 0; i < g->n_inputs; i++)
        if (!sal_value_is_static(sal_val(g, g->inputs[i])))
            return sal_fail(
                err, SAL_ESHAPE, "the shape of input %s is not fixed: %s; give the input shapes",
                sal_val(g, g->inputs[i])->name, sal_value_text(g, g->inputs[i], text, sizeof text));
    for (size_t i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_out; k++) {
            sal_vid v = g->nodes[i]->out[k];
            if (v != SAL_NONE && !sal_value_is_static(sal_val(g, v)))
                return sal_fail(
                    err, SAL_ESHAPE,
                    "%s node '%s': the shape %s of its output is not fixed; give the input shapes",
                    g->nodes[i]->op->name, g->nodes[i]->name,
                    sal_value_text(g, v, text, sizeof text));
        }
    return SAL_OK;
}

static sal_status lower_consumers(sal_plan *p, sal_error *err)
{
    const sal_graph *g = p->g;
    int32_t *start = sal_arena_alloc(&p->arena, (g->n_values + 2) * sizeof *start);
    p->uses = sal_malloc((g->n_values + 1) * sizeof *p->uses);
    if (start == NULL || p->uses == NULL)
        return sal_fail_nomem(err);
    sal_graph_uses(g, p->uses);
    for (size_t i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_in; k++)
            if (g->nodes[i]->in[k] != SAL_NONE)
                start[g->nodes[i]->in[k] + 1]++;
    for (size_t v = 0; v < g->n_values; v++)
        start[v + 1] += start[v];
    int32_t *node = sal_arena_alloc(&p->arena, ((size_t)start[g->n_values] + 1) * sizeof *node);
    int32_t *fill = sal_calloc(g->n_values + 1, sizeof *fill);
    if (node == NULL || fill == NULL) {
        sal_free(fill);
        return sal_fail_nomem(err);
    }
    for (size_t i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_in; k++) {
            sal_vid v = g->nodes[i]->in[k];
            if (v != SAL_NONE)
                node[start[v] + fill[v]++] = (int32_t)i;
        }
    sal_free(fill);
    p->consumers = (sal_use_list){start, node};
    return SAL_OK;
}

/* Graph inputs and constants have physical values from the start. */
static sal_status lower_sources(sal_plan *p, sal_error *err)
{
    const sal_graph *g = p->g;
    p->of = sal_malloc((g->n_values + 1) * sizeof *p->of);
    if (p->of == NULL)
        return sal_fail_nomem(err);
    for (size_t v = 0; v < g->n_values; v++)
        p->of[v] = -1;
    for (size_t v = 0; v < g->n_values; v++) {
        const sal_value *x = g->values[v];
        if (x->constant == NULL)
            continue;
        sal_pid id;
        sal_status st = sal_plan_new(p, (sal_vid)v, SAL_PLAIN, x->dtype, &id, err);
        if (st != SAL_OK)
            return st;
        static const uint64_t nothing = 0; /* of a tensor without elements */
        p->values[id].fixed =
            x->constant->data != NULL ? x->constant->data : (const void *)&nothing;
    }
    for (size_t i = 0; i < g->n_inputs; i++) {
        sal_pid id;
        sal_status st =
            sal_plan_new(p, g->inputs[i], SAL_PLAIN, sal_val(g, g->inputs[i])->dtype, &id, err);
        if (st != SAL_OK)
            return st;
        p->values[id].input = (int)i;
    }
    return SAL_OK;
}

/* Strides of a view under a shape that differs by axes of length 1 only; false for other shapes. */
static bool lower_restride(const sal_value *x, const int64_t *strides, const sal_value *y,
                           int64_t *out)
{
    int i = 0, j = 0;
    for (; j < y->rank; j++) {
        while (i < x->rank && x->dims[i] == 1 && y->dims[j] != 1)
            i++;
        if (i < x->rank && x->dims[i] == y->dims[j])
            out[j] = strides[i++];
        else if (y->dims[j] == 1)
            out[j] = 1;
        else
            return false;
    }
    while (i < x->rank && x->dims[i] == 1)
        i++;
    return i == x->rank;
}

/* Reshape and its kin: the same bytes under another shape. */
static sal_status lower_view(sal_plan *p, const sal_node *n, sal_error *err)
{
    sal_pid from, to;
    int64_t strides[SAL_MAX_RANK] = {0}, moved[SAL_MAX_RANK] = {0};
    if (sal_plan_has(p, n->in[0], SAL_STRIDED) && !sal_plan_has(p, n->in[0], SAL_PLAIN)) {
        sal_status found = sal_plan_get_any_plain(p, n->in[0], &from, strides, err);
        if (found != SAL_OK)
            return found;
        if (lower_restride(sal_val(p->g, n->in[0]), strides, sal_val(p->g, n->out[0]), moved))
            return sal_plan_view(p, n->out[0], from, moved, 0, &to, err);
    }
    sal_status st = sal_plan_get(p, n->in[0], SAL_PLAIN, SAL_DT_NONE, &from, err);
    return st == SAL_OK ? sal_plan_alias(p, n->out[0], from, SAL_PLAIN, &to, err) : st;
}

static sal_status lower_group(sal_plan *p, const sal_group *gr, sal_error *err);

static sal_status lower_node(sal_plan *p, const sal_node *n, const sal_group *gr, sal_error *err)
{
    bool done = false;
    sal_status st = SAL_OK;
    if (!p->reference && (n->op->flags & SAL_OP_VIEW) != 0 && n->n_out == 1 &&
        sal_val(p->g, n->in[0])->dtype == sal_val(p->g, n->out[0])->dtype)
        return lower_view(p, n, err);
    const sal_kernel *k = p->reference ? NULL : sal_kernel_find(n->op->name);
    if (k != NULL)
        st = k->lower(p, n, gr, &done, err);
    if (st != SAL_OK || done)
        return st;
    st = sal_lower_eval(p, n, err);
    /* The kernel declined: its epilogue runs as a pass of its own. */
    if (st == SAL_OK && gr != NULL && gr->n_epilogue > 0)
        st = sal_lower_epilogue(p, gr, err);
    return st;
}

sal_status sal_lower_epilogue(sal_plan *p, const sal_group *gr, sal_error *err)
{
    sal_group tail = {.position = gr->position};
    const sal_node *members[SAL_MAX_EPILOGUE];
    for (int i = 0; i < gr->n_epilogue; i++)
        members[i] = gr->epilogue[i].node;
    tail.members = members;
    tail.n_members = gr->n_epilogue;
    return lower_group(p, &tail, err);
}

static sal_status lower_group(sal_plan *p, const sal_group *gr, sal_error *err)
{
    bool done = false;
    sal_status st = sal_lower_mask(p, gr, &done, err);
    return st != SAL_OK || done ? st : sal_lower_elementwise(p, gr, err);
}

/* Give up a constant that no later node reads and no step so far: its kernels hold it in layouts of
 * their own. left[]: readers of a value that are still to come. */
static void lower_release(sal_plan *p, sal_vid v, const int32_t *left)
{
    const sal_tensor *t = sal_val(p->g, v)->constant;
    if (t->data == NULL || left[v] > 0)
        return;
    for (size_t i = 0; i < p->n_values; i++)
        if (p->values[i].fixed == t->data &&
            (p->values[i].used || (p->values[i].vid != SAL_NONE && left[p->values[i].vid] > 0)))
            return; /* read as it is, or seen under another shape */
    for (size_t i = 0; i < p->g->n_constants; i++)
        if (p->g->constants[i] == t)
            sal_tensor_free(p->g->constants[i]);
}

/* The constant that v is or is a view of; SAL_NONE. */
static sal_vid lower_constant_behind(const sal_plan *p, sal_vid v)
{
    if (sal_val(p->g, v)->constant != NULL)
        return v;
    sal_pid i = p->of[v];
    while (i >= 0 && p->values[i].alias >= 0)
        i = p->values[i].alias;
    sal_vid root = i < 0 ? SAL_NONE : p->values[i].vid;
    return root != SAL_NONE && sal_val(p->g, root)->constant != NULL ? root : SAL_NONE;
}

static void lower_node_done(sal_plan *p, const sal_node *n, int32_t *left)
{
    for (int k = 0; k < n->n_in; k++) {
        if (n->in[k] == SAL_NONE || --left[n->in[k]] > 0)
            continue;
        sal_vid v = lower_constant_behind(p, n->in[k]);
        if (v != SAL_NONE)
            lower_release(p, v, left);
    }
}

static void lower_group_done(sal_plan *p, const sal_node *n, const sal_group *gr, int32_t *left)
{
    if (gr == NULL) {
        lower_node_done(p, n, left);
        return;
    }
    if (gr->anchor != NULL)
        lower_node_done(p, gr->anchor, left);
    for (int i = 0; i < gr->n_epilogue; i++)
        lower_node_done(p, gr->epilogue[i].node, left);
    for (int i = 0; i < gr->n_members; i++)
        lower_node_done(p, gr->members[i], left);
}

static sal_status lower_nodes(sal_plan *p, sal_error *err)
{
    sal_status st = SAL_OK;
    int32_t *left =
        sal_malloc((p->g->n_values + 1) * sizeof *left); /* readers that are still to come */
    if (left == NULL)
        return sal_fail_nomem(err);
    memcpy(left, p->uses, p->g->n_values * sizeof *left);
    for (size_t i = 0; st == SAL_OK && i < p->g->n_nodes; i++) {
        const sal_node *n = p->g->nodes[i];
        const sal_group *gr = p->groups[i];
        if (gr != NULL && gr->position != (int)i)
            continue; /* runs with its group, later */
        if (gr != NULL && gr->anchor == NULL)
            st = lower_group(p, gr, err);
        else
            st = lower_node(p, gr != NULL ? gr->anchor : n, gr, err);
        lower_group_done(p, n, gr, left);
    }
    sal_free(left);
    return st;
}

/* Outputs leave row-major, in their own element type, in memory that the session keeps until the
 * next run. */
static sal_status lower_outputs(sal_plan *p, sal_error *err)
{
    sal_status st = SAL_OK;
    const sal_graph *g = p->g;
    p->output_form = sal_arena_alloc(&p->arena, (g->n_outputs + 1) * sizeof *p->output_form);
    if (p->output_form == NULL)
        return sal_fail_nomem(err);
    for (size_t i = 0; i < g->n_outputs; i++) {
        SAL_TRY(sal_plan_get(p, g->outputs[i], SAL_PLAIN, sal_val(g, g->outputs[i])->dtype,
                             &p->output_form[i], err));
        sal_pid root = p->output_form[i];
        while (p->values[root].alias >= 0)
            root = p->values[root].alias;
        if (p->values[root].input >=
            0) { /* the caller's memory: its contents may be gone after the run */
            sal_pid from = p->output_form[i];
            SAL_TRY(sal_plan_new(p, g->outputs[i], SAL_PLAIN, p->values[from].dtype,
                                 &p->output_form[i], err));
            SAL_TRY(sal_lower_copy(p, from, p->output_form[i], err));
        }
        p->values[p->output_form[i]].keep = true;
    }
done:
    return st;
}

static sal_status lower_prepare_graph(sal_plan *p, sal_error *err)
{
    sal_status st = SAL_OK;
    SAL_TRY(sal_pass_expand(p->g, lower_must_expand, p, err));
    if (!p->reference) {
        sal_fold how = SAL_FOLD(sal_node_eval);
        how.keep_transposed = true;
        how.weights = true;
        SAL_TRY(sal_pass_fold(p->g, &how, err));
        SAL_TRY(sal_pass_identity(p->g, err));
        SAL_TRY(sal_pass_cse(p->g, err));
        SAL_TRY(sal_schedule_broadcasts(p->g, err));
    }
    SAL_TRY(sal_pass_dce(p->g, err));
    if (!p->reference) {
        SAL_TRY(sal_schedule_masks(p->g, err));
        SAL_TRY(sal_schedule_recompute(p->g, err));
    }
    SAL_TRY(lower_check_static(p->g, err));
done:
    return st;
}

sal_status sal_lower_graph(sal_plan *p, sal_error *err)
{
    sal_status st = SAL_OK;
    const sal_isa_table *isa = sal_isa();
    p->block = isa->block;
    SAL_TRY(sal_dnnl_check(dnnl_engine_create(&p->engine, dnnl_cpu, 0), "engine", err));
    SAL_TRY(sal_dnnl_check(dnnl_stream_create(&p->stream, p->engine, dnnl_stream_default_flags),
                           "stream", err));
    SAL_TRY(lower_prepare_graph(p, err));
    SAL_TRY(lower_consumers(p, err));
    SAL_TRY(lower_sources(p, err));
    SAL_TRY(sal_plan_group(p, err));
    SAL_TRY(lower_nodes(p, err));
    SAL_TRY(lower_outputs(p, err));
done:
    return st;
}
