/* Facts that fix shapes (settle.h). */
#include "exec/settle.h"

#include "graph/passes/passes.h"
#include "graph/passes/unfold.h"
#include "ops/builder.h"
#include "ops/core/evaluate.h"
#include "ops/expand.h"

enum {
    /* Contents that decide shapes are a few numbers; anything longer is a mistake. */
    SETTLE_CONTENTS_MAX = 1 << 16,
};

static bool settle_splits(const sal_graph *g, const sal_node *n, void *ctx)
{
    (void)ctx;
    return (n->op->flags & SAL_OP_DATA_SHAPE) != 0 && n->op->expand != NULL && n->n_out > 0 &&
           n->out[0] != SAL_NONE && sal_dtype_is_float(sal_val(g, n->out[0])->dtype);
}

/* The values of a Unique become what stands where each appears first. */
static sal_status settle_unique(sal_graph *g, sal_node *n, sal_error *err)
{
    static const int64_t all[] = {-1};
    bool flat = sal_node_attr(n, "axis") == NULL;
    sal_attr axis = SAL_AI("axis", flat ? 0 : sal_node_int(n, "axis", 0));
    sal_builder b = SAL_BUILDER(g, err, n->name);
    sal_vid values = n->out[0], *out = sal_arena_alloc(&g->arena, 4 * sizeof *out);
    sal_node *gather;
    sal_status st = SAL_OK;
    if (out == NULL)
        return sal_fail_nomem(err);
    for (int k = 0; k < 4; k++)
        out[k] = sal_node_out(n, k);
    out[0] = SAL_NONE;
    if (out[1] == SAL_NONE)
        b.st = sal_graph_value(g, NULL, n->name, &out[1], err);
    if (b.st != SAL_OK)
        return b.st;
    n->out = out;
    n->n_out = 4;
    sal_val(g, values)->producer = -1;
    sal_val(g, out[1])->producer = n->id;
    sal_val(g, out[1])->producer_out = 1;
    SAL_TRY(sal_node_infer(g, n, err));
    sal_vid in[2] = {n->in[0], out[1]};
    if (flat)
        in[0] = sal_b_reshape(&b, n->in[0], 1, all, n->in[0]);
    SAL_TRY(b.st);
    SAL_TRY(sal_graph_node(g, sal_op_find(SAL_DOMAIN_ONNX, "Gather"), NULL, 2, in, 1, &values, 1,
                           &axis, &gather, err));
    st = sal_node_infer(g, gather, err);
done:
    return st;
}

sal_status sal_settle_prepare(sal_graph *g, sal_error *err)
{
    size_t nodes;
    bool any = false;
    sal_rewrite r;
    sal_status st = SAL_OK;
    SAL_TRY(sal_pass_expand(g, settle_splits, NULL, err));
    nodes = g->n_nodes;
    for (size_t i = 0; i < nodes; i++) {
        sal_node *n = g->nodes[i];
        if (!sal_node_is(n, "Unique") || n->out[0] == SAL_NONE ||
            !sal_dtype_is_float(sal_val(g, n->out[0])->dtype))
            continue;
        SAL_TRY(settle_unique(g, n, err));
        any = true;
    }
    if (!any)
        return SAL_OK;
    SAL_TRY(sal_rewrite_begin(&r, g, err)); /* the new nodes stand at the end: sort */
    r.changed = true;
    st = sal_rewrite_end(&r, SAL_OK);
done:
    return st;
}

/* ---- looking ---- */

typedef struct settle_search {
    const sal_graph *g;
    uint8_t *ready; /* by value: can be computed with what is known */
    uint8_t *asked;
    sal_fact *facts;
    size_t n, cap;
    sal_error *err;
} settle_search;

static sal_status settle_ask(settle_search *s, sal_vid v, bool contents)
{
    if (v == SAL_NONE || s->asked[v] || sal_val(s->g, v)->constant != NULL)
        return SAL_OK;
    if (contents && sal_value_count(sal_val(s->g, v)) > SETTLE_CONTENTS_MAX)
        return sal_fail(s->err, SAL_ESHAPE, "'%s' has too many elements to decide a shape",
                        sal_val(s->g, v)->name);
    sal_status st = sal_grow(&s->facts, s->n + 1, &s->cap, sizeof *s->facts, s->err);
    if (st == SAL_OK) {
        s->asked[v] = 1;
        s->facts[s->n++] = (sal_fact){v, contents};
    }
    return st;
}

/* Ask for inputs first..last of one class. */
static sal_status settle_ask_inputs(settle_search *s, const sal_node *n, int first, bool floats)
{
    sal_status st = SAL_OK;
    for (int k = first; st == SAL_OK && k < n->n_in; k++)
        if (n->in[k] != SAL_NONE && sal_dtype_is_float(sal_val(s->g, n->in[k])->dtype) == floats)
            st = settle_ask(s, n->in[k], true);
    return st;
}

/* The inputs are ready, the outputs have no fixed shape: what decides it? Lists of lengths, axes
 * and the like are integers behind the first input; else scales; else the first input itself. */
static sal_status settle_ask_node(settle_search *s, const sal_node *n)
{
    size_t had = s->n;
    char text[192];
    sal_status st = SAL_OK;
    if ((n->op->flags & SAL_OP_CONTROL) != 0) {
        for (int k = 0; st == SAL_OK && k < (strcmp(n->op->name, "Loop") == 0 ? 2 : 1); k++)
            st = settle_ask(s, n->in[k], true);
    } else if ((n->op->flags & SAL_OP_DATA_SHAPE) != 0) {
        for (int k = 0; st == SAL_OK && k < n->n_out; k++)
            st = settle_ask(s, n->out[k], false);
    } else {
        st = settle_ask_inputs(s, n, 1, false);
        if (st == SAL_OK && s->n == had)
            st = settle_ask_inputs(s, n, 1, true);
        if (st == SAL_OK && s->n == had)
            st = settle_ask_inputs(s, n, 0, false);
        if (st == SAL_OK && s->n == had)
            st = settle_ask_inputs(s, n, 0, true);
    }
    if (st != SAL_OK)
        return sal_fail_prefix(s->err, st, "node '%s' (%s)", n->name, n->op->name);
    bool any = false;
    for (int k = 0; k < n->n_in; k++)
        any = any || (n->in[k] != SAL_NONE && s->asked[n->in[k]]);
    for (int k = 0; k < n->n_out; k++)
        any = any || (n->out[k] != SAL_NONE && s->asked[n->out[k]]);
    for (int k = 0; k < n->n_out && !any; k++)
        if (n->out[k] != SAL_NONE && !sal_value_is_static(sal_val(s->g, n->out[k])))
            return sal_fail(s->err, SAL_ESHAPE,
                            "node '%s' (%s): the shape of its output is %s even for known inputs",
                            n->name, n->op->name,
                            sal_value_text(s->g, n->out[k], text, sizeof text));
    return SAL_OK;
}

static sal_status settle_look(settle_search *s, const sal_node *n)
{
    const sal_graph *g = s->g;
    bool ready = true, fixed = (n->op->flags & (SAL_OP_CONTROL | SAL_OP_DATA_SHAPE)) == 0;
    for (int k = 0; k < n->n_in; k++)
        ready = ready && (n->in[k] == SAL_NONE || s->ready[n->in[k]]);
    for (int k = 0; k < n->n_out; k++)
        fixed = fixed && (n->out[k] == SAL_NONE || sal_value_is_static(sal_val(g, n->out[k])));
    for (int k = 0; k < n->n_out; k++)
        if (n->out[k] != SAL_NONE)
            s->ready[n->out[k]] = ready && fixed;
    return ready && !fixed ? settle_ask_node(s, n) : SAL_OK;
}

/* Everything that was computed and that the rest, or the caller, reads. */
static sal_status settle_cut(settle_search *s)
{
    const sal_graph *g = s->g;
    sal_status st = SAL_OK;
    for (size_t i = 0; st == SAL_OK && i < g->n_nodes; i++) {
        const sal_node *n = g->nodes[i];
        bool done = true;
        for (int k = 0; k < n->n_out; k++)
            done = done && (n->out[k] == SAL_NONE || s->ready[n->out[k]] || s->asked[n->out[k]]);
        for (int k = 0; st == SAL_OK && !done && k < n->n_in; k++)
            if (n->in[k] != SAL_NONE && s->ready[n->in[k]] && sal_val(g, n->in[k])->producer >= 0)
                st = settle_ask(s, n->in[k], false);
    }
    for (size_t i = 0; st == SAL_OK && i < g->n_outputs; i++)
        if (s->ready[g->outputs[i]] && sal_val(g, g->outputs[i])->producer >= 0)
            st = settle_ask(s, g->outputs[i], false);
    return st;
}

sal_status sal_settle_facts(const sal_graph *g, bool cut, sal_fact **facts, size_t *n,
                            sal_error *err)
{
    settle_search s = {.g = g, .err = err};
    sal_status st = SAL_OK;
    *facts = NULL;
    *n = 0;
    s.ready = sal_calloc(g->n_values + 1, 1);
    s.asked = sal_calloc(g->n_values + 1, 1);
    if (s.ready == NULL || s.asked == NULL)
        SAL_TRY(sal_fail_nomem(err));
    for (size_t v = 0; v < g->n_values; v++)
        s.ready[v] = g->values[v]->constant != NULL;
    for (size_t i = 0; i < g->n_inputs; i++)
        s.ready[g->inputs[i]] = sal_value_is_static(sal_val(g, g->inputs[i]));
    for (size_t i = 0; i < g->n_nodes; i++)
        SAL_TRY(settle_look(&s, g->nodes[i]));
    if (s.n > 0 && cut)
        SAL_TRY(settle_cut(&s));
    *facts = s.facts;
    *n = s.n;
    s.facts = NULL;
done:
    sal_free(s.ready);
    sal_free(s.asked);
    sal_free(s.facts);
    return st;
}

/* ---- putting in ---- */

static sal_status settle_input(sal_graph *g, sal_vid v, const sal_tensor *t, sal_error *err)
{
    sal_value *x = sal_val(g, v);
    sal_status st = sal_grow(&g->inputs, g->n_inputs + 1, &g->cap_inputs, sizeof *g->inputs, err);
    if (st != SAL_OK)
        return st;
    g->inputs[g->n_inputs++] = v;
    x->producer = -1;
    x->producer_out = 0;
    x->known = NULL;
    x->known_n = 0;
    x->dtype = t->dtype;
    x->rank = t->rank;
    memcpy(x->dims, t->dims, sizeof x->dims);
    return SAL_OK;
}

sal_status sal_settle_put(sal_graph *g, const sal_fact *facts, size_t n, const sal_tensor *t,
                          bool freeze, sal_error *err)
{
    static const sal_fold how = SAL_FOLD_EXEC(sal_node_eval);
    sal_status st = SAL_OK;
    for (size_t i = 0; i < n; i++) {
        sal_value *x = sal_val(g, facts[i].v);
        bool is_input = x->producer < 0;
        if (!is_input)
            g->nodes[x->producer]->out[x->producer_out] = SAL_NONE;
        if (freeze || facts[i].contents) {
            if (is_input) {
                /* The caller goes on giving it; what reads it takes the constant. */
                sal_vid c;
                SAL_TRY(sal_graph_constant(g, NULL, &t[i], &c, err));
                for (size_t k = 0; k < g->n_nodes; k++)
                    for (int j = 0; j < g->nodes[k]->n_in; j++)
                        if (g->nodes[k]->in[j] == facts[i].v)
                            g->nodes[k]->in[j] = c;
            } else {
                SAL_TRY(sal_graph_set_constant(g, facts[i].v, &t[i], err));
            }
        } else if (!is_input) {
            SAL_TRY(settle_input(g, facts[i].v, &t[i], err));
        }
    }
    SAL_TRY(sal_pass_dce(g, err));
    SAL_TRY(sal_graph_reinfer(g, &how, true, err));
    SAL_TRY(sal_settle_prepare(g, err));
    st = sal_pass_dce(g, err);
done:
    return st;
}

/* ---- finding out ---- */

struct sal_probe {
    const sal_graph *g; /* borrowed */
    const sal_fact *facts;
    size_t n;
    sal_session *session;
    int32_t *at;     /* by value: which output of the session it is, -1 */
    sal_tensor *own; /* by fact: results of operators with data-dependent shapes */
    sal_tensor *all; /* by fact */
};

void sal_probe_free(sal_probe *p)
{
    if (p == NULL)
        return;
    sal_session_free(p->session);
    for (size_t i = 0; p->own != NULL && i < p->n; i++)
        sal_tensor_free(&p->own[i]);
    sal_free(p->at);
    sal_free(p->own);
    sal_free(p->all);
    sal_free(p);
}

/* The node that a session cannot run because its results have no fixed shapes; NULL: it can. */
static const sal_node *probe_node(const sal_graph *g, const sal_fact *f)
{
    int32_t p = sal_val(g, f->v)->producer;
    return p >= 0 && (g->nodes[p]->op->flags & SAL_OP_DATA_SHAPE) != 0 ? g->nodes[p] : NULL;
}

static void probe_want(sal_probe *p, sal_vid v, sal_vid *want, int *n)
{
    if (v == SAL_NONE || p->at[v] >= 0)
        return;
    p->at[v] = *n;
    want[(*n)++] = v;
}

sal_status sal_probe_new(sal_probe **out, const sal_graph *g, const sal_fact *facts, size_t n,
                         const sal_session_opts *opts, sal_error *err)
{
    static const sal_fold how = SAL_FOLD_EXEC(sal_node_eval);
    sal_probe *p = sal_calloc(1, sizeof *p);
    sal_vid *want = sal_malloc((g->n_values + 1) * sizeof *want);
    sal_graph *part = NULL;
    int count = 0;
    sal_status st = SAL_OK;
    *out = NULL;
    if (p == NULL || want == NULL)
        SAL_TRY(sal_fail_nomem(err));
    p->g = g;
    p->facts = facts;
    p->n = n;
    p->at = sal_malloc((g->n_values + 1) * sizeof *p->at);
    p->own = sal_calloc(n + 1, sizeof *p->own);
    p->all = sal_calloc(n + 1, sizeof *p->all);
    if (p->at == NULL || p->own == NULL || p->all == NULL)
        SAL_TRY(sal_fail_nomem(err));
    for (size_t v = 0; v < g->n_values; v++)
        p->at[v] = -1;
    for (size_t i = 0; i < n; i++) {
        const sal_node *node = probe_node(g, &facts[i]);
        if (node == NULL)
            probe_want(p, facts[i].v, want, &count);
        for (int k = 0; node != NULL && k < node->n_in; k++)
            probe_want(p, node->in[k], want, &count);
    }
    SAL_TRY(sal_graph_extract(&part, g, count, want, err));
    if (opts == NULL || !opts->reference)
        SAL_TRY(sal_pass_all(part, &how, err));
    st = sal_session_take(&p->session, part, opts, err);
    part = NULL;
    if (st == SAL_OK) {
        *out = p;
        p = NULL;
    }
done:
    sal_graph_free(part);
    sal_free(want);
    sal_probe_free(p);
    return st;
}

static sal_status probe_eval(sal_probe *p, size_t fact, const sal_node *node, sal_error *err)
{
    const sal_tensor **in = sal_calloc((size_t)node->n_in + 1, sizeof *in);
    sal_tensor **out = sal_calloc((size_t)node->n_out + 1, sizeof *out);
    sal_status st = SAL_OK;
    if (in == NULL || out == NULL)
        SAL_TRY(sal_fail_nomem(err));
    for (int k = 0; k < node->n_in; k++)
        if (node->in[k] != SAL_NONE)
            in[k] = sal_session_output(p->session, (size_t)p->at[node->in[k]]);
    /* All of the node's results that are asked for, at once. */
    for (size_t i = fact; i < p->n; i++)
        if (probe_node(p->g, &p->facts[i]) == node)
            out[sal_val(p->g, p->facts[i].v)->producer_out] = &p->own[i];
    st = sal_node_eval(p->g, node, in, out, err);
done:
    sal_free(in);
    sal_free(out);
    return st;
}

sal_status sal_probe_run(sal_probe *p, const sal_tensor *inputs, const sal_tensor **out,
                         sal_error *err)
{
    sal_status st = sal_session_run(p->session, inputs, err);
    for (size_t i = 0; st == SAL_OK && i < p->n; i++)
        sal_tensor_free(&p->own[i]);
    for (size_t i = 0; st == SAL_OK && i < p->n; i++) {
        const sal_node *node = probe_node(p->g, &p->facts[i]);
        if (node == NULL) {
            p->all[i] = *sal_session_output(p->session, (size_t)p->at[p->facts[i].v]);
            continue;
        }
        if (p->own[i].dtype == SAL_DT_NONE)
            st = probe_eval(p, i, node, err);
        if (st == SAL_OK)
            p->all[i] =
                sal_tensor_borrow(p->own[i].dtype, p->own[i].rank, p->own[i].dims, p->own[i].data);
    }
    *out = p->all;
    return st;
}

/* ---- all at once ---- */

/* Values of a TopK become what stands at its positions, so that the positions can be held. */
static sal_status settle_rank_node(sal_graph *g, sal_node *n, sal_error *err)
{
    sal_attr axis = SAL_AI("axis", sal_node_int(n, "axis", -1));
    sal_vid values = n->out[0], in[2] = {n->in[0], n->out[1]};
    sal_node *gather;
    if (values == SAL_NONE)
        return SAL_OK;
    sal_val(g, values)->producer = -1;
    sal_status st = sal_graph_value(g, NULL, n->name, &n->out[0], err);
    if (st != SAL_OK)
        return st;
    sal_val(g, n->out[0])->producer = n->id;
    st = sal_node_infer(g, n, err);
    if (st == SAL_OK)
        st = sal_graph_node(g, sal_op_find(SAL_DOMAIN_ONNX, "GatherElements"), NULL, 2, in, 1,
                            &values, 1, &axis, &gather, err);
    return st == SAL_OK ? sal_node_infer(g, gather, err) : st;
}

/* The order in which boxes are listed is a selection too. *facts: the positions. */
static sal_status settle_ranks(sal_graph *g, sal_fact **facts, size_t *n, sal_error *err)
{
    size_t nodes = g->n_nodes, cap = 0;
    sal_rewrite r;
    sal_status st = SAL_OK;
    *n = 0;
    for (size_t i = 0; i < nodes; i++) {
        sal_node *node = g->nodes[i];
        if (!sal_node_is(node, "TopK") || node->n_out < 2)
            continue;
        if (node->out[1] == SAL_NONE) {
            SAL_TRY(sal_graph_value(g, NULL, node->name, &node->out[1], err));
            sal_val(g, node->out[1])->producer = node->id;
            sal_val(g, node->out[1])->producer_out = 1;
        }
        SAL_TRY(settle_rank_node(g, node, err));
        SAL_TRY(sal_grow(facts, *n + 1, &cap, sizeof **facts, err));
        (*facts)[(*n)++] = (sal_fact){node->out[1], false};
    }
    if (*n == 0)
        return SAL_OK;
    SAL_TRY(sal_rewrite_begin(&r, g, err)); /* the new nodes stand at the end: sort */
    r.changed = true;
    st = sal_rewrite_end(&r, SAL_OK);
done:
    return st;
}

static sal_status settle_round(sal_graph *g, const sal_fact *facts, size_t n,
                               const sal_tensor *inputs, const sal_session_opts *opts,
                               sal_error *err)
{
    sal_probe *probe = NULL;
    const sal_tensor *t;
    sal_status st = SAL_OK;
    SAL_TRY(sal_probe_new(&probe, g, facts, n, opts, err));
    SAL_TRY(sal_probe_run(probe, inputs, &t, err));
    SAL_TRY(sal_settle_put(g, facts, n, t, true, err));
done:
    sal_probe_free(probe);
    return st;
}

sal_status sal_settle_freeze(sal_graph *g, const sal_tensor *inputs, const sal_session_opts *opts,
                             sal_error *err)
{
    sal_fact *facts = NULL;
    size_t n = 1;
    sal_status st = SAL_OK;
    SAL_TRY(sal_settle_prepare(g, err));
    SAL_TRY(sal_pass_dce(g, err));
    for (int round = 0;; round++) {
        SAL_TRY(sal_settle_facts(g, false, &facts, &n, err));
        if (n == 0 && round > 0)
            SAL_TRY(settle_ranks(g, &facts, &n, err));
        if (n == 0)
            break;
        if (round == SAL_SETTLE_ROUNDS_MAX)
            SAL_TRY(sal_fail(err, SAL_EUNSUPPORTED,
                             "shapes depend on data more than %d times in a row", round));
        SAL_TRY(settle_round(g, facts, n, inputs, opts, err));
        sal_free(facts);
        facts = NULL;
    }
done:
    sal_free(facts);
    return st;
}
