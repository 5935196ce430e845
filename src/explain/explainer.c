/* Plans of an explanation, its single-pass run, and what the result holds. The many-pass part is
 * batch.c. */
#include "explain/explainer_private.h"

#include "exec/settle.h"
#include "graph/passes/passes.h"
#include "ops/core/evaluate.h"

#include <math.h>

/* ---- preparing ---- */

sal_status explainer_bind(sal_graph **out, const sal_graph *model, const sal_tensor *like,
                          bool whole, sal_error *err)
{
    sal_fold how = SAL_FOLD(sal_node_eval);
    sal_bound_symbol *bound = NULL;
    int n = 0;
    sal_status st = SAL_OK;

    *out = NULL;
    if (like == NULL)
        return sal_graph_clone(out, model, err);
    bound = sal_calloc(model->n_symbols + 1, sizeof(*bound));
    if (bound == NULL)
        return sal_fail_nomem(err);
    for (size_t i = 0; i < model->n_inputs; i++) {
        const sal_value *v = sal_val(model, model->inputs[i]);

        for (int k = whole ? 0 : 1; v->rank == like[i].rank && k < v->rank; k++) {
            const sal_symbol *sym = v->dims[k] < 0 ? &model->symbols[-1 - v->dims[k]] : NULL;
            bool known = sym == NULL;

            for (int j = 0; j < n && !known; j++)
                known = strcmp(bound[j].name, model->symbols[sym->base].name) == 0;
            if (known || like[i].dims[k] % sym->coeff != 0)
                continue;
            bound[n++] =
                (sal_bound_symbol){model->symbols[sym->base].name, like[i].dims[k] / sym->coeff};
        }
    }
    if (n == 0)
        SAL_TRY(sal_graph_clone(out, model, err));
    else
        SAL_TRY(sal_graph_bind_symbols(out, model, n, bound, &how, err));
done:
    sal_free(bound);
    return st;
}

/* Does a shape depend on something else than the inputs' shapes? */
static bool explainer_open(const sal_graph *g)
{
    for (size_t i = 0; i < g->n_nodes; i++) {
        for (int k = 0; k < g->nodes[i]->n_out; k++) {
            const sal_value *v =
                g->nodes[i]->out[k] == SAL_NONE ? NULL : sal_val(g, g->nodes[i]->out[k]);
            bool open = v != NULL && v->rank < 0;

            for (int d = 0; v != NULL && d < v->rank && !open; d++)
                open =
                    v->dims[d] < 0 && g->symbols[g->symbols[-1 - v->dims[d]].base].name[0] == '?';
            if (open)
                return true;
        }
    }
    return false;
}

/* A model that selects (boxes, positions, branches) is explained with the selection that it makes
 * for these inputs: what is asked about stays the same thing while a method varies the input.
 * *frozen: something was selected. */
static sal_status explainer_freeze(sal_graph **model, const sal_tensor *inputs,
                                   const sal_explain_opts *opts, bool *frozen, sal_error *err)
{
    static const sal_fold how = SAL_FOLD_EXEC(sal_node_eval);
    sal_session_opts so = SAL_SESSION_OPTS_INIT;
    const sal_graph *g = *model;
    sal_bound *bound = NULL;
    sal_graph *fixed = NULL;
    sal_fact *facts = NULL;
    size_t n = 0;
    bool given = inputs != NULL;
    sal_status st = SAL_OK;

    *frozen = false;
    for (size_t i = 0; given && i < g->n_inputs; i++)
        given = inputs[i].data != NULL && inputs[i].dtype == sal_val(g, g->inputs[i])->dtype;
    if (!given || !explainer_open(g))
        return SAL_OK;
    so.threads = opts->threads;
    bound = sal_calloc(g->n_inputs + 1, sizeof(*bound));
    if (bound == NULL)
        return sal_fail_nomem(err);
    for (size_t i = 0; i < g->n_inputs; i++) {
        bound[i].input = (int32_t)i;
        bound[i].rank = inputs[i].rank;
        memcpy(bound[i].dims, inputs[i].dims, sizeof(inputs[i].dims));
    }
    SAL_TRY(sal_graph_bind(&fixed, g, (int)g->n_inputs, bound, &how, err));
    SAL_TRY(sal_settle_facts(fixed, false, &facts, &n, err));
    if (n == 0)
        goto done;
    SAL_TRY(sal_settle_freeze(fixed, inputs, &so, err));
    sal_graph_free(*model);
    *model = fixed;
    fixed = NULL;
    *frozen = true;
done:
    sal_free(facts);
    sal_free(bound);
    sal_graph_free(fixed);
    return st;
}

static sal_status explainer_copy(const sal_tensor *in, sal_tensor *out, sal_error *err)
{
    sal_status st = sal_tensor_new(out, in->dtype, in->rank, in->dims, err);

    if (st == SAL_OK && sal_tensor_bytes(in) > 0)
        memcpy(out->data, in->data, sal_tensor_bytes(in));
    return st;
}

/* e->model and e->x; whole: with the first dimensions fixed as well. */
static sal_status explainer_build(sal_explainer *e, const sal_graph *model,
                                  const sal_explain_opts *opts, const sal_tensor *like, bool whole,
                                  bool *frozen, sal_error *err)
{
    const sal_method_desc *d;
    double params[SAL_METHOD_MAX_PARAMS];
    sal_status st = SAL_OK;

    SAL_TRY(sal_explain_params(opts, &d, params, err));
    SAL_TRY(explainer_bind(&e->model, model, like, whole, err));
    SAL_TRY(explainer_freeze(&e->model, like, opts, frozen, err));
    st = sal_explain_graph_build(&e->x, e->model, opts,
                                 d->build == NULL ? SAL_FOR_FORWARD : SAL_FOR_RUN, err);
done:
    return st;
}

sal_status sal_explainer_new(sal_explainer **out, const sal_graph *model,
                             const sal_explain_opts *opts, const sal_tensor *like, sal_error *err)
{
    sal_explainer *e = sal_calloc(1, sizeof(*e));
    bool frozen = false;
    sal_error first = {SAL_OK, 0, ""};
    sal_status st = SAL_OK;

    *out = NULL;
    if (e == NULL)
        return sal_fail_nomem(err);
    e->opts = *opts;
    e->opts.features = NULL;
    if (opts->features != NULL)
        SAL_TRY(explainer_copy(opts->features, &e->features, err));
    e->opts.baselines = NULL;
    if (opts->baselines != NULL) {
        SAL_TRY(explainer_copy(opts->baselines, &e->baselines, err));
        e->opts.baselines = &e->baselines;
    }
    st = explainer_build(e, model, opts, like, false, &frozen, &first);
    if (st == SAL_ESHAPE && like != NULL) {
        /* Rows of the first axis that see each other (nodes of a graph, pairs of a batch) are no
         * samples: their number is part of the question. */
        e->whole = true;
        sal_explain_graph_free(&e->x);
        sal_graph_free(e->model);
        e->model = NULL;
        st = explainer_build(e, model, opts, like, true, &frozen, &first);
    }
    if (st != SAL_OK) {
        if (err != NULL)
            *err = first;
        goto done;
    }
    if (e->whole)
        SAL_TRY(sal_bytes_printf(&e->x.notes, err,
                                 "%sthe first dimension is held as it is for this input",
                                 e->x.notes.len > 0 ? "; " : ""));
    if (frozen)
        SAL_TRY(sal_bytes_printf(&e->x.notes, err,
                                 "%swhat the model selects (boxes, positions, "
                                 "branches) is held as it is for this input",
                                 e->x.notes.len > 0 ? "; " : ""));
    *out = e;
    e = NULL;
done:
    sal_explainer_free(e);
    return st;
}

void sal_explainer_free(sal_explainer *e)
{
    if (e == NULL)
        return;
    for (int i = 0; i < EXPLAINER_PLANS; i++)
        sal_session_free(e->plans[i].session);
    sal_explain_graph_free(&e->x);
    sal_explain_graph_free(&e->forward);
    sal_head_free(e->head);
    explainer_partial_free(e->partial);
    sal_tensor_free(&e->features);
    sal_tensor_free(&e->baselines);
    sal_graph_free(e->model);
    explainer_lean_free(&e->lean);
    sal_free(e);
}

const sal_target *sal_explainer_target(const sal_explainer *e)
{
    return &e->x.found;
}

const sal_graph *sal_explainer_graph(const sal_explainer *e)
{
    return e->model;
}

sal_status explainer_forward(sal_explainer *e, const sal_explain_graph **out, sal_error *err)
{
    sal_explain_opts opts = e->opts;
    sal_status st = SAL_OK;

    *out = NULL;
    if (e->x.method->build == NULL) {
        *out = &e->x;
        return SAL_OK;
    }
    if (e->forward.graph == NULL) {
        opts.method = e->x.method->info.name;
        opts.n_params = 0;
        opts.layer = NULL;
        opts.input = sal_val(e->model, e->x.found.input)->name;
        opts.output = sal_val(e->model, e->x.found.output)->name;
        SAL_TRY(sal_explain_graph_build(&e->forward, e->model, &opts, SAL_FOR_FORWARD, err));
    }
    *out = &e->forward;
done:
    if (st != SAL_OK)
        sal_explain_graph_free(&e->forward);
    return st;
}

/* ---- plans ---- */

static sal_status explainer_plan_make(sal_explainer *e, const sal_explain_graph *x, int64_t n,
                                      int64_t q, sal_session **out, sal_error *err)
{
    sal_session_opts so = SAL_SESSION_OPTS_INIT;
    sal_fold how = SAL_FOLD_EXEC(sal_node_eval);
    int extra = x->other == SAL_NONE ? 0 : 1;
    sal_bound bound[3] = {{.input = x->target.input_index},
                          {.input = (int32_t)x->graph->n_inputs - 1 - extra},
                          {.input = (int32_t)x->graph->n_inputs - 1}};
    sal_vid of[3] = {x->target.input, x->target.query, x->other};
    int count = x->target.query == SAL_NONE ? 1 : 2 + extra;
    sal_explain_graph again = {.saliency = SAL_NONE};
    sal_graph *g = NULL;
    sal_status st = SAL_OK;

    *out = NULL;
    so.threads = e->opts.threads;
    so.precision = e->opts.precision;
    for (int i = 0; i < count; i++) {
        const sal_value *v = sal_val(x->graph, of[i]);

        bound[i].rank = v->rank;
        memcpy(bound[i].dims, v->dims, sizeof(v->dims));
        if (v->rank > 0 && v->dims[0] < 0)
            bound[i].dims[0] = i == 1 ? q : n;
    }
    if (e->lean.stripped && x == &e->x)
        SAL_TRY(explainer_lean_rebuild(e, &again, err));
    SAL_TRY(
        sal_graph_bind(&g, again.graph != NULL ? again.graph : x->graph, count, bound, &how, err));
    sal_explain_graph_free(&again);
    if (x == &e->x)
        explainer_lean_strip(e);
    st = sal_session_take(out, g, &so, err);
    g = NULL;
done:
    sal_explain_graph_free(&again);
    sal_graph_free(g);
    return st;
}

sal_status explainer_session(sal_explainer *e, const sal_explain_graph *x, int64_t n, int64_t q,
                             sal_session **out, sal_error *err)
{
    explainer_plan *slot = &e->plans[0];
    sal_status st = SAL_OK;

    *out = NULL;
    for (int i = 0; i < EXPLAINER_PLANS; i++) {
        explainer_plan *p = &e->plans[i];

        if (p->of == x->graph && p->n == n && p->q == q) {
            p->used = ++e->clock;
            *out = p->session;
            return SAL_OK;
        }
        if (p->used < slot->used)
            slot = p;
    }
    sal_session_free(slot->session);
    *slot = (explainer_plan){.of = NULL};
    SAL_TRY(explainer_plan_make(e, x, n, q, &slot->session, err));
    slot->of = x->graph;
    slot->n = n;
    slot->q = q;
    slot->used = ++e->clock;
    *out = slot->session;
done:
    return st;
}

const sal_explain_graph *sal_explainer_method(const sal_explainer *e)
{
    return &e->x;
}

const sal_session *sal_explainer_last(const sal_explainer *e)
{
    const explainer_plan *last = &e->plans[0];

    for (int i = 1; i < EXPLAINER_PLANS; i++) {
        if (e->plans[i].used > last->used)
            last = &e->plans[i];
    }
    return last->session;
}

/* ---- running ---- */

sal_status explainer_progress(const sal_explainer *e, double done, sal_error *err)
{
    if (e->opts.progress != NULL && !e->opts.progress(e->opts.progress_ctx, done))
        return sal_fail(err, SAL_ECANCELLED, "interrupted");
    return SAL_OK;
}

double explainer_target(const sal_tensor *query, int64_t query_row, const sal_tensor *logits,
                        int64_t row, int64_t classes)
{
    double t = 0.0;

    for (int64_t k = 0; k < classes; k++) {
        double q = sal_tensor_get(query, query_row * classes + k);

        if (q != 0.0)
            t += q * sal_tensor_get(logits, row * classes + k);
    }
    return t;
}

/* Samples in the inputs, after checking that they are what the model wants. */
static sal_status explainer_samples(const sal_explainer *e, const sal_tensor *inputs, int64_t *n,
                                    sal_error *err)
{
    const sal_graph *g = e->model;
    const sal_target *t = &e->x.found;
    const sal_value *x = sal_val(g, t->input);
    char text[160];

    for (size_t i = 0; i < g->n_inputs; i++) {
        const sal_value *v = sal_val(g, g->inputs[i]);
        bool fits = v->dtype == inputs[i].dtype && v->rank == inputs[i].rank;

        for (int k = 0; fits && k < v->rank; k++)
            fits = v->dims[k] < 0 || v->dims[k] == inputs[i].dims[k];
        for (int k = 0; fits && v->rank > 0 && x->rank > 0 && v->dims[0] == x->dims[0] && k < 1;
             k++)
            fits = inputs[i].dims[0] == inputs[t->input_index].dims[0];
        if (!fits)
            return sal_fail(err, SAL_ESHAPE, "input %s must be %s", v->name,
                            sal_value_text(g, g->inputs[i], text, sizeof(text)));
    }
    *n = t->batched ? inputs[t->input_index].dims[0] : 1;
    if (*n < 1)
        return sal_fail(err, SAL_ESHAPE, "input %s has no samples", x->name);
    return SAL_OK;
}

/* The inputs of a run: the model's, then the query. */
static sal_status explainer_execute(sal_session *s, const sal_graph *g, const sal_tensor *inputs,
                                    const sal_tensor *query, sal_error *err)
{
    size_t n = g->n_inputs;
    sal_tensor *all = sal_calloc(n + 1, sizeof(*all));
    sal_status st;

    if (all == NULL)
        return sal_fail_nomem(err);
    memcpy(all, inputs, (query == NULL ? n : n - 1) * sizeof(*all));
    if (query != NULL)
        all[n - 1] = *query;
    st = sal_session_run(s, all, err);
    sal_free(all);
    return st;
}

/* The logits out of the plan that will explain: with a query of zeros. */
static sal_status explainer_logits_of_method(sal_explainer *e, const sal_tensor *inputs, int64_t n,
                                             sal_tensor *out, sal_error *err)
{
    const sal_explain_graph *x = &e->x;
    const sal_value *q = sal_val(x->graph, x->target.query);
    int64_t dims[SAL_MAX_RANK];
    sal_tensor zeros = SAL_TENSOR_INIT;
    sal_session *s;
    sal_status st = SAL_OK;

    memcpy(dims, q->dims, sizeof(dims));
    if (q->rank > 0 && dims[0] < 0)
        dims[0] = n;
    SAL_TRY(sal_tensor_new(&zeros, SAL_F32, q->rank, dims, err));
    SAL_TRY(explainer_session(e, x, n, e->x.target.batched ? n : 1, &s, err));
    SAL_TRY(explainer_execute(s, x->graph, inputs, &zeros, err));
    st = explainer_copy(sal_session_output(s, 0), out, err);
done:
    sal_tensor_free(&zeros);
    return st;
}

sal_status sal_explainer_logits(sal_explainer *e, const sal_tensor *inputs, sal_tensor *out,
                                sal_error *err)
{
    const sal_explain_graph *x;
    sal_session *s;
    int64_t n;
    sal_status st = SAL_OK;

    SAL_TRY(explainer_samples(e, inputs, &n, err));
    /* Running a method of one pass costs less than planning the forward pass a second time. */
    if (e->x.method->run == NULL)
        return explainer_logits_of_method(e, inputs, n, out, err);
    SAL_TRY(explainer_forward(e, &x, err));
    SAL_TRY(explainer_session(e, x, n, 0, &s, err));
    SAL_TRY(explainer_execute(s, x->graph, inputs, NULL, err));
    st = explainer_copy(sal_session_output(s, 0), out, err);
done:
    return st;
}

/* The query in the rank that the graph has: [q, classes...]. */
static sal_status explainer_query(const sal_explainer *e, const sal_tensor *query, int64_t n,
                                  sal_tensor *out, sal_error *err)
{
    int64_t classes = e->x.target.classes, count = sal_tensor_count(query);

    *out = *query;
    if (query->dtype != SAL_F32 || (count != classes && count != n * classes))
        return sal_fail(
            err, SAL_EINVAL,
            "the query must hold %lld float32 weights, one for each element of %s, or as many for "
            "each sample",
            (long long)classes, sal_val(e->model, e->x.found.logits)->name);
    if (e->x.target.query != SAL_NONE) {
        const sal_value *q = sal_val(e->x.graph, e->x.target.query);

        out->rank = q->rank;
        memcpy(out->dims, q->dims, sizeof(out->dims));
        if (e->x.target.batched)
            out->dims[0] = count / classes;
    }
    return SAL_OK;
}

static sal_status explainer_single(sal_explainer *e, const sal_tensor *inputs,
                                   const sal_tensor *query, int64_t n, sal_explanation *out,
                                   sal_error *err)
{
    const sal_explain_graph *x = &e->x;
    sal_tensor rows = SAL_TENSOR_INIT;
    sal_session *s;
    sal_status st = SAL_OK;

    /* One plan serves a question for all samples, one for each, and the logits before any. */
    if (x->target.batched && query->dims[0] == 1 && n > 1) {
        SAL_TRY(explainer_tile(query, 0, n, &rows, err));
        query = &rows;
    }
    SAL_TRY(explainer_session(e, x, n, sal_tensor_count(query) / x->target.classes, &s, err));
    SAL_TRY(explainer_execute(s, x->graph, inputs, query, err));
    SAL_TRY(explainer_copy(sal_session_output(s, 0), &out->logits, err));
    SAL_TRY(explainer_copy(sal_session_output(s, 1), &out->map, err));
    if (x->layer_map != SAL_NONE)
        SAL_TRY(explainer_copy(sal_session_output(s, x->graph->n_outputs > 2 ? 2 : 1),
                               &out->layer_map, err));
done:
    sal_tensor_free(&rows);
    return st;
}

static bool explainer_has_param(const sal_method_info *info, const char *name)
{
    for (size_t i = 0; i < info->n_params; i++) {
        if (strcmp(info->params[i].name, name) == 0)
            return true;
    }
    return false;
}

bool explainer_wants_baseline(const sal_explainer *e)
{
    return e->x.method->run == NULL && e->x.method->complete &&
           explainer_has_param(&e->x.method->info, "baseline");
}

/* T(baseline) of a method of one pass that promises a sum: a forward pass of the baseline. */
static sal_status explainer_baseline(sal_explainer *e, const sal_tensor *inputs,
                                     const sal_tensor *query, int64_t n, sal_explanation *out,
                                     sal_error *err)
{
    const sal_target *t = &e->x.target;
    const sal_tensor *x = &inputs[t->input_index], *given = e->opts.baselines;
    double level = sal_method_param(e->x.method, e->x.params, "baseline");
    int64_t count = sal_tensor_count(x), rows = sal_tensor_count(query) / t->classes;
    int64_t period = given == NULL ? 1 : (t->batched ? count / n : count);
    sal_tensor *all = sal_calloc(e->model->n_inputs + 1, sizeof(*all)), b = SAL_TENSOR_INIT;
    const sal_explain_graph *g;
    sal_session *s;
    sal_status st = SAL_OK;

    if (all == NULL)
        return sal_fail_nomem(err);
    SAL_TRY(sal_tensor_new(&b, x->dtype, x->rank, x->dims, err));
    for (int64_t i = 0; i < count; i++)
        sal_tensor_set(&b, i, given == NULL ? level : sal_tensor_get(given, i % period));
    memcpy(all, inputs, e->model->n_inputs * sizeof(*all));
    all[t->input_index] = b;
    SAL_TRY(explainer_forward(e, &g, err));
    SAL_TRY(explainer_session(e, g, n, 0, &s, err));
    SAL_TRY(explainer_execute(s, g->graph, all, NULL, err));
    out->baseline_target = sal_calloc((size_t)n, sizeof(double));
    if (out->baseline_target == NULL)
        SAL_TRY(sal_fail_nomem(err));
    for (int64_t i = 0; i < n; i++)
        out->baseline_target[i] =
            explainer_target(query, rows > 1 ? i : 0, sal_session_output(s, 0), i, t->classes);
done:
    sal_tensor_free(&b);
    sal_free(all);
    return st;
}

/* An empty map for methods that fill it sample by sample. */
static sal_status explainer_many(sal_explainer *e, const sal_tensor *inputs,
                                 const sal_tensor *query, int64_t n, sal_explanation *out,
                                 sal_error *err)
{
    const sal_target *t = &e->x.target;
    const sal_tensor *x = &inputs[t->input_index];
    sal_method_run r = {.e = e,
                        .params = e->x.params,
                        .seed = e->opts.seed,
                        .inputs = inputs,
                        .query = query,
                        .baselines = e->opts.baselines,
                        .out = out,
                        .err = err};
    int64_t dims[3] = {n, t->height, t->width};
    sal_status st = SAL_OK;

    if (out->logits.data == NULL)
        SAL_TRY(sal_explainer_logits(e, inputs, &out->logits, err));
    if (e->x.method->flat && t->height > 0)
        SAL_TRY(sal_tensor_new(&out->map, SAL_F32, 3, dims, err));
    else
        SAL_TRY(sal_tensor_new(&out->map, SAL_F32, x->rank, x->dims, err));
    st = e->x.method->run(&r);
done:
    return st;
}

static sal_status explainer_text(const sal_bytes *b, char **out, sal_error *err)
{
    *out = NULL;
    if (b->len == 0)
        return SAL_OK;
    *out = sal_strdup(b->data);
    return *out == NULL ? sal_fail_nomem(err) : SAL_OK;
}

/* What completeness leaves open, for every sample; a note when that is a lot. */
static sal_status explainer_residual(sal_explanation *out, const sal_method_info *info,
                                     sal_bytes *notes, sal_error *err)
{
    int64_t elements = sal_tensor_count(&out->map) / (int64_t)out->n;
    double worst = 0.0;

    out->residual = sal_calloc(out->n, sizeof(*out->residual));
    if (out->residual == NULL)
        return sal_fail_nomem(err);
    for (size_t i = 0; i < out->n; i++) {
        double whole = out->target[i], sum = 0.0;

        if (out->baseline_target != NULL)
            whole -= out->baseline_target[i];
        for (int64_t k = 0; k < elements; k++)
            sum += sal_tensor_get(&out->map, (int64_t)i * elements + k);
        out->residual[i] = sum - whole;
        worst = fmax(worst, fabs(out->residual[i]) / fmax(fabs(whole), 1e-12));
    }
    if (worst <= 0.1 || !explainer_has_param(info, "steps"))
        return SAL_OK;
    return sal_bytes_printf(notes, err,
                            "%sthe map misses %.0f%% of what it should add up to; take more steps",
                            notes->len > 0 ? "; " : "", worst * 100.0);
}

static bool explainer_quantised(const sal_graph *g)
{
    for (size_t i = 0; i < g->n_nodes; i++)
        if (strcmp(g->nodes[i]->op->name, "FakeQuantize") == 0)
            return true;
    return false;
}

static sal_status explainer_describe(const sal_explainer *e, const sal_tensor *query,
                                     sal_explanation *out, sal_error *err)
{
    const sal_target *t = &e->x.target;
    int64_t rows = sal_tensor_count(query) / t->classes;
    sal_bytes notes = {NULL, 0, 0};
    sal_status st = SAL_OK;

    out->is_signed = e->x.method->info.is_signed;
    out->target = sal_calloc(out->n, sizeof(*out->target));
    out->output = sal_strdup(sal_val(e->model, e->x.found.logits)->name);
    if (out->target == NULL || out->output == NULL)
        SAL_TRY(sal_fail_nomem(err));
    for (size_t i = 0; i < out->n; i++)
        out->target[i] = explainer_target(query, rows > 1 ? (int64_t)i : 0, &out->logits,
                                          (int64_t)i, t->classes);
    SAL_TRY(explainer_text(&e->x.layer_text, &out->layer, err));
    if (e->x.notes.len > 0)
        SAL_TRY(sal_bytes_add(&notes, e->x.notes.data, e->x.notes.len, err));
    if (e->x.method->complete)
        SAL_TRY(explainer_residual(out, &e->x.method->info, &notes, err));
    /* Methods without a graph only look at what comes out. */
    if (e->x.method->build != NULL && explainer_quantised(e->model))
        SAL_TRY(sal_bytes_printf(&notes, err,
                                 "%sthe model is quantised: gradients go straight through rounding",
                                 notes.len > 0 ? "; " : ""));
    st = explainer_text(&notes, &out->notes, err);
done:
    sal_bytes_free(&notes);
    return st;
}

sal_status sal_explainer_run(sal_explainer *e, const sal_tensor *inputs, const sal_tensor *query,
                             sal_explanation *out, sal_error *err)
{
    sal_tensor q;
    int64_t n;
    sal_status st = SAL_OK;

    *out = (sal_explanation)SAL_EXPLANATION_INIT;
    SAL_TRY(explainer_samples(e, inputs, &n, err));
    SAL_TRY(explainer_query(e, query, n, &q, err));
    SAL_TRY(explainer_progress(e, 0.0, err));
    out->n = (size_t)n;
    if (e->x.method->run == NULL)
        SAL_TRY(explainer_single(e, inputs, &q, n, out, err));
    else
        SAL_TRY(explainer_many(e, inputs, &q, n, out, err));
    if (explainer_wants_baseline(e))
        SAL_TRY(explainer_baseline(e, inputs, &q, n, out, err));
    SAL_TRY(explainer_describe(e, &q, out, err));
    st = explainer_progress(e, 1.0, err);
done:
    if (st != SAL_OK)
        sal_explanation_free(out);
    return st;
}

sal_status sal_explainer_profile(sal_explainer *e, const sal_tensor *inputs,
                                 const sal_tensor *query, double *ms, sal_error *err)
{
    const sal_graph *g = e->x.graph;
    sal_tensor *all = NULL, q;
    sal_session *s;
    int64_t n;
    sal_status st = SAL_OK;

    if (e->x.method->run != NULL)
        return sal_fail(err, SAL_EUNSUPPORTED, "%s works by many runs; profile the gradient",
                        e->x.method->info.name);
    SAL_TRY(explainer_samples(e, inputs, &n, err));
    SAL_TRY(explainer_query(e, query, n, &q, err));
    SAL_TRY(explainer_session(e, &e->x, n, sal_tensor_count(&q) / e->x.target.classes, &s, err));
    all = sal_calloc(g->n_inputs + 1, sizeof(*all));
    if (all == NULL)
        SAL_TRY(sal_fail_nomem(err));
    memcpy(all, inputs, (g->n_inputs - 1) * sizeof(*all));
    all[g->n_inputs - 1] = q;
    st = sal_session_profile(s, all, ms, err);
done:
    sal_free(all);
    return st;
}

void sal_explanation_free(sal_explanation *e)
{
    if (e == NULL)
        return;
    sal_tensor_free(&e->map);
    sal_tensor_free(&e->layer_map);
    sal_tensor_free(&e->logits);
    sal_free(e->target);
    sal_free(e->baseline_target);
    sal_free(e->residual);
    sal_free(e->layer);
    sal_free(e->output);
    sal_free(e->notes);
    *e = (sal_explanation)SAL_EXPLANATION_INIT;
}
