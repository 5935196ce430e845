/* Runs and gradients: a few plans, kept by the shapes they were made for. */
#include "api/api.h"

#include "diff/diff.h"
#include "exec/staged.h"
#include "ops/builder.h"
#include "ops/core/evaluate.h"

#include <omp.h>

#define RUNNER_PLANS 4

typedef struct runner_plan {
    sal_session *session; /* both NULL: free slot */
    sal_staged *staged;   /* in its place where shapes depend on data */
    sal_tensor *shapes;   /* of the model's inputs, no data */
    sal_tensor ones;      /* the default seed */
    size_t n_seed;        /* 1 when the plan takes a seed */
    uint64_t used;
} runner_plan;

struct sal_runner {
    sal_graph *model;
    const sal_model *source;
    bool stripped; /* the source is lean, and a plan has taken the weights of `model` */
    sal_runner_opts opts;
    const sal_rules_desc *rules;
    char **names; /* outputs, of, wrt: copies */
    size_t n_names;
    size_t n_outputs;   /* values asked for */
    size_t n_inputs;    /* of the model */
    sal_tensor *inputs; /* room for a run's inputs and the seed */
    runner_plan plans[RUNNER_PLANS];
    runner_plan *last; /* that ran */
    uint64_t clock;
};

/* ---- preparing ---- */

/* names[]: the outputs, then `of`, then every wrt. */
static sal_status runner_names(sal_runner *r, const sal_runner_opts *o, sal_error *err)
{
    bool all = o->outputs == NULL && o->of == NULL;
    size_t n = 0;

    r->n_outputs = all ? r->model->n_outputs : o->n_outputs;
    r->names = sal_calloc(r->n_outputs + 1 + o->n_wrt, sizeof(*r->names));
    if (r->names == NULL)
        return sal_fail_nomem(err);
    for (size_t i = 0; i < r->n_outputs + (o->of == NULL ? 0 : 1 + o->n_wrt); i++) {
        const char *name = i > r->n_outputs    ? o->wrt[i - r->n_outputs - 1]
                           : i == r->n_outputs ? o->of
                           : all               ? sal_val(r->model, r->model->outputs[i])->name
                                               : o->outputs[i];

        if (sal_graph_find(r->model, name) == SAL_NONE)
            return sal_fail(err, SAL_EINVAL, "the model has no value named %s", name);
        r->names[n] = sal_strdup(name);
        if (r->names[n++] == NULL)
            return sal_fail_nomem(err);
        r->n_names = n;
    }
    return SAL_OK;
}

sal_status sal_runner_new(sal_runner **out, const sal_model *model, const sal_runner_opts *opts,
                          sal_error *err)
{
    sal_runner_opts o = SAL_RUNNER_OPTS_INIT;
    sal_runner *r = NULL;
    sal_status st = SAL_OK;

    *out = NULL;
    SAL_TRY(api_opts(&o, sizeof(o), opts, err));
    r = sal_calloc(1, sizeof(*r));
    if (r == NULL)
        SAL_TRY(sal_fail_nomem(err));
    r->opts = o;
    r->rules = sal_rules_find(o.rules == NULL ? "gradient" : o.rules);
    if (r->rules == NULL)
        SAL_TRY(sal_fail(err, SAL_EINVAL, "unknown rule set %s; `salience list rules` shows all",
                         o.rules));
    r->source = model;
    SAL_TRY(api_graph_own(model, &r->model, err));
    SAL_TRY(runner_names(r, &o, err));
    r->n_inputs = r->model->n_inputs;
    r->inputs = sal_calloc(r->n_inputs + 1, sizeof(*r->inputs));
    if (r->inputs == NULL)
        SAL_TRY(sal_fail_nomem(err));
    *out = r;
    r = NULL;
done:
    sal_runner_free(r);
    return st;
}

static void runner_plan_free(runner_plan *p)
{
    sal_session_free(p->session);
    sal_staged_free(p->staged);
    sal_free(p->shapes);
    sal_tensor_free(&p->ones);
    *p = (runner_plan){.session = NULL};
}

void sal_runner_free(sal_runner *r)
{
    if (r == NULL)
        return;
    for (int i = 0; i < RUNNER_PLANS; i++)
        runner_plan_free(&r->plans[i]);
    for (size_t i = 0; i < r->n_names; i++)
        sal_free(r->names[i]);
    sal_free(r->names);
    sal_free(r->inputs);
    sal_graph_free(r->model);
    sal_free(r);
}

/* ---- planning ---- */

/* Everything named becomes an output: passes keep outputs, and every name keeps its value. */
static sal_status runner_extract(const sal_runner *r, const sal_graph *bound, sal_graph **out,
                                 sal_error *err)
{
    sal_vid *want = sal_calloc(r->n_names + 1, sizeof(*want));
    sal_status st = SAL_OK;

    if (want == NULL)
        return sal_fail_nomem(err);
    for (size_t i = 0; i < r->n_names; i++)
        want[i] = sal_graph_find(bound, r->names[i]);
    st = sal_graph_extract(out, bound, (int)r->n_names, want, err);
    sal_free(want);
    return st;
}

/* Ones in the shape of v. */
static sal_status runner_ones(const sal_graph *g, sal_vid v, sal_tensor *out, sal_error *err)
{
    const sal_value *x = sal_val(g, v);
    sal_status st = sal_tensor_new(out, x->dtype, x->rank, x->dims, err);

    for (int64_t i = 0; st == SAL_OK && i < sal_tensor_count(out); i++)
        sal_tensor_set(out, i, 1.0);
    return st;
}

/* Append the gradients and make them outputs behind the values asked for. */
static sal_status runner_differentiate(const sal_runner *r, sal_graph *g, sal_tensor *ones,
                                       sal_error *err)
{
    sal_rules rules = {.desc = r->rules, .p = r->rules->params};
    size_t n = r->opts.n_wrt, at = r->n_outputs;
    sal_vid of = sal_graph_find(g, r->names[at]), seed;
    const sal_value *v = sal_val(g, of);
    sal_vid *wrt = sal_calloc(2 * n + 1, sizeof(*wrt));
    sal_status st = SAL_OK;

    if (wrt == NULL)
        return sal_fail_nomem(err);
    if (!sal_dtype_is_float(v->dtype))
        SAL_TRY(sal_fail(err, SAL_ENOGRAD, "%s holds %s: only floating-point values have gradients",
                         v->name, sal_dtype_name(v->dtype)));
    for (size_t i = 0; i < n; i++) {
        wrt[i] = sal_graph_find(g, r->names[at + 1 + i]);
        v = sal_val(g, wrt[i]);
        if (!sal_dtype_is_float(v->dtype))
            SAL_TRY(sal_fail(err, SAL_ENOGRAD,
                             "%s holds %s: only floating-point values have gradients", v->name,
                             sal_dtype_name(v->dtype)));
    }
    v = sal_val(g, of);
    SAL_TRY(runner_ones(g, of, ones, err));
    SAL_TRY(sal_graph_input(g, sal_graph_find(g, "seed") == SAL_NONE ? "seed" : "salience_seed",
                            v->dtype, v->rank, v->dims, &seed, err));
    SAL_TRY(sal_differentiate(g, 1, &of, &seed, (int)n, wrt, &rules, wrt + n, err));
    g->n_outputs = r->n_outputs;
    for (size_t i = 0; i < n; i++)
        SAL_TRY(sal_graph_add_output(g, wrt[n + i], err));
done:
    sal_free(wrt);
    return st;
}

/* Passes may run before differentiation only when no gradient is taken by an inner value: they join
 * equal values and bypass the inside of what they recognise, so that fewer or more paths would lead
 * through it. */
static bool runner_by_inputs(const sal_runner *r, const sal_graph *g)
{
    for (size_t i = 0; r->opts.of != NULL && i < r->opts.n_wrt; i++) {
        sal_vid v = sal_graph_find(g, r->names[r->n_outputs + 1 + i]);
        const sal_value *x = sal_val(g, v);

        if (x->producer >= 0 || x->constant != NULL)
            return false;
    }
    return true;
}

/* All shapes are fixed: what is asked of the graph is put into it. */
static sal_status runner_finish(void *ctx, sal_graph *g, sal_tensor *ones, sal_error *err)
{
    static const sal_fold how = SAL_FOLD_EXEC(sal_node_eval);
    const sal_runner *r = ctx;
    bool early = !r->opts.reference && runner_by_inputs(r, g);
    sal_status st = SAL_OK;

    if (early)
        SAL_TRY(sal_pass_all(g, &how, err));
    if (r->opts.of != NULL)
        SAL_TRY(runner_differentiate(r, g, ones, err));
    st = early || r->opts.reference ? sal_pass_dce(g, err) : sal_pass_all(g, &how, err);
done:
    return st;
}

static sal_status runner_plan_make(sal_runner *r, const sal_tensor *inputs, runner_plan *plan,
                                   sal_error *err)
{
    static const sal_fold how = SAL_FOLD_EXEC(sal_node_eval);
    sal_staged_opts so = {SAL_SESSION_OPTS_INIT, r->opts.of == NULL, runner_finish, r};
    sal_bound *bounds = sal_calloc(r->n_inputs + 1, sizeof(*bounds));
    sal_graph *again = NULL, *bound = NULL, *g = NULL;
    sal_fact *facts = NULL;
    size_t n_facts;
    sal_status st = SAL_OK;

    plan->shapes = sal_calloc(r->n_inputs + 1, sizeof(*plan->shapes));
    if (bounds == NULL || plan->shapes == NULL)
        SAL_TRY(sal_fail_nomem(err));
    for (size_t i = 0; i < r->n_inputs; i++) {
        plan->shapes[i].rank = inputs[i].rank;
        memcpy(plan->shapes[i].dims, inputs[i].dims, sizeof(inputs[i].dims));
    }
    if (r->stripped)
        SAL_TRY(api_graph_own(r->source, &again, err));
    SAL_TRY(sal_graph_bind(&bound, again != NULL ? again : r->model,
                           api_bounds(r->model, inputs, bounds), bounds, &how, err));
    sal_graph_free(again);
    again = NULL;
    if (r->source->source != NULL) {
        sal_graph_strip(r->model);
        r->stripped = true;
    }
    SAL_TRY(runner_extract(r, bound, &g, err));
    sal_graph_free(bound);
    bound = NULL;
    so.session.threads = r->opts.threads;
    so.session.precision = r->opts.precision;
    so.session.reference = r->opts.reference;
    SAL_TRY(sal_settle_facts(g, false, &facts, &n_facts, err));
    if (n_facts > 0) {
        st = sal_staged_take(&plan->staged, g, &so, err);
    } else {
        SAL_TRY(runner_finish(r, g, &plan->ones, err));
        plan->n_seed = r->opts.of == NULL ? 0 : 1;
        st = sal_session_take(&plan->session, g, &so.session, err);
    }
    g = NULL;
done:
    sal_graph_free(again);
    sal_free(facts);
    sal_graph_free(bound);
    sal_graph_free(g);
    sal_free(bounds);
    return st;
}

static bool runner_plan_used(const runner_plan *p)
{
    return p->session != NULL || p->staged != NULL;
}

/* The session that gave the last results. */
static sal_session *runner_session(const sal_runner *r)
{
    if (r->last == NULL)
        return NULL;
    return r->last->staged != NULL ? sal_staged_session(r->last->staged) : r->last->session;
}

static bool runner_same(const sal_runner *r, const runner_plan *p, const sal_tensor *inputs)
{
    for (size_t i = 0; i < r->n_inputs; i++) {
        bool same = p->shapes[i].rank == inputs[i].rank;

        for (int k = 0; same && k < inputs[i].rank; k++)
            same = p->shapes[i].dims[k] == inputs[i].dims[k];
        if (!same)
            return false;
    }
    return true;
}

/* The plan for these shapes: one that is there, else a new one in the place of the one that was
 * used longest ago. */
static sal_status runner_plan_for(sal_runner *r, const sal_tensor *inputs, runner_plan **out,
                                  sal_error *err)
{
    runner_plan *slot = &r->plans[0];
    sal_status st;

    for (int i = 0; i < RUNNER_PLANS; i++) {
        runner_plan *p = &r->plans[i];

        if (runner_plan_used(p) && runner_same(r, p, inputs)) {
            p->used = ++r->clock;
            *out = p;
            return SAL_OK;
        }
        if (p->used < slot->used)
            slot = p;
    }
    if (r->last == slot)
        r->last = NULL;
    runner_plan_free(slot);
    st = runner_plan_make(r, inputs, slot, err);
    if (st != SAL_OK) {
        runner_plan_free(slot);
        return st;
    }
    slot->used = ++r->clock;
    *out = slot;
    return SAL_OK;
}

/* ---- running ---- */

sal_status sal_runner_profile(sal_runner *r, const sal_tensor *inputs, const sal_tensor *seed,
                              double *ms, sal_error *err)
{
    runner_plan *p = NULL;
    sal_status st = SAL_OK;

    for (size_t i = 0; i < r->n_inputs; i++) {
        const sal_value *v = sal_val(r->model, r->model->inputs[i]);

        if (inputs[i].dtype != v->dtype)
            return sal_fail(err, SAL_EINVAL, "input %s must hold %s, not %s", v->name,
                            sal_dtype_name(v->dtype), sal_dtype_name(inputs[i].dtype));
    }
    SAL_TRY(runner_plan_for(r, inputs, &p, err));
    if (p->staged != NULL) {
        SAL_TRY(sal_staged_run(p->staged, inputs, seed, ms, err));
        r->last = p;
        goto done;
    }
    memcpy(r->inputs, inputs, r->n_inputs * sizeof(*r->inputs));
    if (p->n_seed > 0) {
        r->inputs[r->n_inputs] = seed == NULL ? p->ones : *seed;
        if (sal_tensor_count(&r->inputs[r->n_inputs]) == sal_tensor_count(&p->ones) &&
            r->inputs[r->n_inputs].rank != p->ones.rank) {
            r->inputs[r->n_inputs].rank = p->ones.rank;
            memcpy(r->inputs[r->n_inputs].dims, p->ones.dims, sizeof(p->ones.dims));
        }
    }
    SAL_TRY(sal_session_profile(p->session, r->inputs, ms, err));
    r->last = p;
done:
    return st;
}

sal_status sal_runner_run(sal_runner *r, const sal_tensor *inputs, const sal_tensor *seed,
                          sal_error *err)
{
    return sal_runner_profile(r, inputs, seed, NULL, err);
}

int sal_threads(void)
{
    return omp_get_max_threads();
}

size_t sal_runner_output_count(const sal_runner *r)
{
    return r->n_outputs + (r->opts.of == NULL ? 0 : r->opts.n_wrt);
}

const sal_tensor *sal_runner_output(const sal_runner *r, size_t i)
{
    const sal_session *s = runner_session(r);

    return s == NULL || i >= sal_runner_output_count(r) ? NULL : sal_session_output(s, i);
}

void sal_runner_stats(const sal_runner *r, sal_run_stats *out)
{
    sal_session_stats s = {0};

    if (runner_session(r) != NULL)
        sal_session_get_stats(runner_session(r), &s);
    *out =
        (sal_run_stats){s.steps, s.reference_steps, s.arena_bytes, s.weight_bytes, s.scratch_bytes};
}

sal_status sal_runner_describe(const sal_runner *r, char **out, sal_error *err)
{
    sal_bytes text = {NULL, 0, 0};
    sal_status st = SAL_OK;

    *out = NULL;
    if (runner_session(r) != NULL)
        SAL_TRY(sal_session_describe(runner_session(r), &text, err));
    st = api_hand_over(&text, out, err);
done:
    sal_bytes_free(&text);
    return st;
}
