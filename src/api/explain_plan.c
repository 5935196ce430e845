/* Explanations for callers: prepare, ask, explain, export. */
#include "api/api.h"

#include "explain/explainer.h"
#include "explain/export.h"
#include "explain/query.h"

struct sal_explain_plan {
    sal_explainer *explainer;
    const sal_model *model; /* of a lean one more weights are asked for later */
};

/* ---- preparing ---- */

sal_status api_explained(sal_graph **own, const sal_graph **use, const sal_model *model,
                         const sal_explain_opts *o, sal_error *err)
{
    sal_graph *whole = NULL, *optimised = NULL;
    sal_status st = SAL_OK;

    *own = NULL;
    SAL_TRY(api_graph(model, &whole, use, err));
    if (o->layer == NULL && o->output != NULL && sal_graph_find(*use, o->output) == SAL_NONE)
        SAL_TRY(sal_fail(err, SAL_EINVAL, "the model has no output or value named %s", o->output));
    if (o->layer == NULL) {
        SAL_TRY(api_optimised(&optimised, *use, err));
        if (o->output == NULL || sal_graph_find(optimised, o->output) != SAL_NONE) {
            sal_graph_free(whole);
            whole = optimised;
            *use = optimised;
            optimised = NULL;
        }
    }
    *own = whole;
    whole = NULL;
done:
    sal_graph_free(whole);
    sal_graph_free(optimised);
    return st;
}

static sal_status plan_source(void *ctx, const sal_explain_opts *o, sal_graph **out, sal_error *err)
{
    const sal_explain_plan *p = ctx;
    const sal_graph *use;

    return api_explained(out, &use, p->model, o, err); /* of a lean model: owned */
}

static sal_status plan_explainer(sal_explain_plan *p, const sal_explain_opts *o,
                                 const sal_tensor *like, sal_error *err)
{
    const sal_graph *use;
    sal_graph *own = NULL;
    sal_status st = SAL_OK;

    SAL_TRY(api_explained(&own, &use, p->model, o, err));
    SAL_TRY(sal_explainer_new(&p->explainer, use, o, like, err));
    if (p->model->source != NULL)
        SAL_TRY(sal_explainer_lean(p->explainer, o, like, plan_source, p, err));
done:
    sal_graph_free(own);
    return st;
}

sal_status sal_explain_plan_new(sal_explain_plan **out, const sal_model *model,
                                const sal_explain_opts *opts, const sal_tensor *like,
                                sal_error *err)
{
    sal_explain_opts o = SAL_EXPLAIN_OPTS_INIT;
    sal_explain_plan *p = NULL;
    sal_status st = SAL_OK;

    *out = NULL;
    SAL_TRY(api_opts(&o, sizeof(o), opts, err));
    p = sal_calloc(1, sizeof(*p));
    if (p == NULL)
        SAL_TRY(sal_fail_nomem(err));
    p->model = model;
    SAL_TRY(plan_explainer(p, &o, like, err));
    *out = p;
    p = NULL;
done:
    sal_explain_plan_free(p);
    return st;
}

void sal_explain_plan_free(sal_explain_plan *p)
{
    if (p == NULL)
        return;
    sal_explainer_free(p->explainer);
    sal_free(p);
}

void sal_explain_plan_target(const sal_explain_plan *p, sal_explain_target *out)
{
    const sal_target *t = sal_explainer_target(p->explainer);
    const sal_graph *g = sal_explainer_graph(p->explainer);
    const sal_explain_graph *x = sal_explainer_method(p->explainer);

    *out = (sal_explain_target){.input = (size_t)t->input_index,
                                .input_name = sal_val(g, t->input)->name,
                                .output_name = sal_val(g, t->output)->name,
                                .logits_name = sal_val(g, t->logits)->name,
                                .classes = t->classes,
                                .height = t->height,
                                .width = t->width,
                                .batched = t->batched,
                                .channels_last = t->nhwc,
                                .layer = x->layer_text.len > 0 ? x->layer_text.data : NULL,
                                .notes = x->notes.len > 0 ? x->notes.data : NULL};
}

/* ---- asking ---- */

sal_status sal_explain_plan_logits(sal_explain_plan *p, const sal_tensor *inputs, sal_tensor *out,
                                   sal_error *err)
{
    return sal_explainer_logits(p->explainer, inputs, out, err);
}

/* The result of the layer below, handed over. */
static sal_status plan_asked(sal_query *q, sal_asked *out, sal_error *err)
{
    sal_status st = SAL_OK;

    *out = (sal_asked){.weights = q->weights,
                       .why = q->why,
                       .foil = q->foil,
                       .n_why = q->n_why,
                       .n_not = q->n_not,
                       .rows = q->rows};
    q->weights = (sal_tensor)SAL_TENSOR_INIT;
    q->why = NULL;
    q->foil = NULL;
    SAL_TRY(api_hand_over(&q->text, &out->text, err));
    if (q->notes.len > 0)
        SAL_TRY(api_hand_over(&q->notes, &out->notes, err));
done:
    return st;
}

sal_status sal_explain_plan_ask(sal_explain_plan *p, const sal_tensor *inputs,
                                const sal_question *question, const sal_tensor *logits,
                                const sal_labels *labels, sal_asked *out, sal_error *err)
{
    const sal_target *t = sal_explainer_target(p->explainer);
    const sal_value *z = sal_val(sal_explainer_graph(p->explainer), t->logits);
    int skip = t->batched ? 1 : 0;
    sal_tensor own = SAL_TENSOR_INIT;
    sal_query q = {.rows = 0};
    sal_status st = SAL_OK;

    *out = (sal_asked)SAL_ASKED_INIT;
    if (logits == NULL && sal_query_needs_logits(question, labels)) {
        SAL_TRY(sal_explainer_logits(p->explainer, inputs, &own, err));
        logits = &own;
    }
    SAL_TRY(sal_query_resolve(&q, question, z->rank - skip, z->dims + skip, logits, labels, err));
    st = plan_asked(&q, out, err);
done:
    sal_query_free(&q);
    sal_tensor_free(&own);
    if (st != SAL_OK)
        sal_asked_free(out);
    return st;
}

void sal_asked_free(sal_asked *a)
{
    if (a == NULL)
        return;
    sal_tensor_free(&a->weights);
    sal_free(a->why);
    sal_free(a->foil);
    sal_free(a->text);
    sal_free(a->notes);
    *a = (sal_asked)SAL_ASKED_INIT;
}

/* ---- explaining ---- */

sal_status sal_explain_plan_run(sal_explain_plan *p, const sal_tensor *inputs,
                                const sal_tensor *weights, sal_explanation *out, sal_error *err)
{
    return sal_explainer_run(p->explainer, inputs, weights, out, err);
}

void sal_explain_plan_stats(const sal_explain_plan *p, sal_run_stats *out)
{
    const sal_session *session = sal_explainer_last(p->explainer);
    sal_session_stats s = {0};

    if (session != NULL)
        sal_session_get_stats(session, &s);
    *out =
        (sal_run_stats){s.steps, s.reference_steps, s.arena_bytes, s.weight_bytes, s.scratch_bytes};
}

sal_status sal_explain_plan_describe(const sal_explain_plan *p, char **out, sal_error *err)
{
    const sal_session *session = sal_explainer_last(p->explainer);
    sal_bytes text = {NULL, 0, 0};
    sal_status st = SAL_OK;

    *out = NULL;
    if (session != NULL)
        SAL_TRY(sal_session_describe(session, &text, err));
    st = api_hand_over(&text, out, err);
done:
    sal_bytes_free(&text);
    return st;
}

sal_status sal_explain_plan_profile(sal_explain_plan *p, const sal_tensor *inputs,
                                    const sal_tensor *weights, double *ms, sal_error *err)
{
    return sal_explainer_profile(p->explainer, inputs, weights, ms, err);
}

sal_status sal_explain(sal_explanation *out, const sal_model *model, const sal_tensor *inputs,
                       const sal_question *question, const sal_labels *labels,
                       const sal_explain_opts *opts, sal_asked *asked, sal_error *err)
{
    sal_explain_plan *p = NULL;
    sal_asked a = SAL_ASKED_INIT;
    sal_status st = SAL_OK;

    *out = (sal_explanation)SAL_EXPLANATION_INIT;
    if (asked != NULL)
        *asked = a;
    SAL_TRY(sal_explain_plan_new(&p, model, opts, inputs, err));
    SAL_TRY(sal_explain_plan_ask(p, inputs, question, NULL, labels, &a, err));
    SAL_TRY(sal_explain_plan_run(p, inputs, &a.weights, out, err));
    if (asked != NULL) {
        *asked = a;
        a = (sal_asked)SAL_ASKED_INIT;
    }
done:
    sal_asked_free(&a);
    sal_explain_plan_free(p);
    return st;
}

/* ---- export ---- */

sal_status sal_explain_export(const sal_model *model, const sal_explain_opts *opts,
                              const char *path, char **info, sal_error *err)
{
    sal_explain_opts o = SAL_EXPLAIN_OPTS_INIT;
    sal_bytes text = {NULL, 0, 0};
    const sal_graph *use;
    sal_graph *own = NULL;
    sal_status st = SAL_OK;

    if (info != NULL)
        *info = NULL;
    SAL_TRY(api_opts(&o, sizeof(o), opts, err));
    SAL_TRY(api_graph(model, &own, &use, err));
    SAL_TRY(sal_export_write(use, &o, path, &text, err));
    if (info != NULL)
        st = api_hand_over(&text, info, err);
done:
    sal_graph_free(own);
    sal_bytes_free(&text);
    return st;
}
