/* Building the graph of a method. */
#include "explain/explain_graph.h"
#include "graph/passes/passes.h"
#include "ops/core/evaluate.h"
#include "ops/expand.h"

sal_status sal_explain_params(const sal_explain_opts *opts, const sal_method_desc **method,
                              double *params, sal_error *err)
{
    const char *name = opts->method == NULL ? "grad-cam" : opts->method;
    const sal_method_desc *d = sal_method_desc_find(name);

    *method = d;
    if (d == NULL)
        return sal_fail(err, SAL_EINVAL, "unknown method %s; `salience list methods` shows all",
                        name);
    for (size_t i = 0; i < d->info.n_params; i++)
        params[i] = d->info.params[i].fallback;
    for (size_t k = 0; k < opts->n_params; k++) {
        const sal_param *p = &opts->params[k];
        size_t i = 0;

        while (i < d->info.n_params && strcmp(d->info.params[i].name, p->name) != 0)
            i++;
        if (i == d->info.n_params)
            return sal_fail(err, SAL_EINVAL, "method %s has no parameter %s", name, p->name);
        const sal_param_info *info = &d->info.params[i];
        if (!(p->value >= info->min && p->value <= info->max))
            return sal_fail(err, SAL_EINVAL, "parameter %s of %s is %g, but must be %g to %g",
                            p->name, name, p->value, info->min, info->max);
        if (info->kind == SAL_PARAM_INT && p->value != (double)(int64_t)p->value)
            return sal_fail(err, SAL_EINVAL, "parameter %s of %s is %g, but must be a whole number",
                            p->name, name, p->value);
        params[i] = p->value;
    }
    return SAL_OK;
}

/* Derivatives reshape and sum by concrete lengths; only the batch may stay free. */
static sal_status graph_check_input(const sal_graph *g, const sal_target *t, sal_error *err)
{
    const sal_value *x = sal_val(g, t->input);
    char text[160];

    for (int i = 1; i < x->rank; i++) {
        if (x->dims[i] < 0)
            return sal_fail(err, SAL_ESHAPE,
                            "input %s is %s: all its dimensions but the first must be fixed",
                            x->name, sal_value_text(g, t->input, text, sizeof(text)));
    }
    if (t->classes < 1)
        return sal_fail(
            err, SAL_ESHAPE, "output %s is %s: all its dimensions but the first must be fixed",
            sal_val(g, t->logits)->name, sal_value_text(g, t->logits, text, sizeof(text)));
    return SAL_OK;
}

static sal_status graph_outputs(sal_explain_graph *x, sal_explain_purpose purpose, sal_error *err)
{
    sal_graph *g = x->graph;
    sal_builder b = SAL_BUILDER(g, err, NULL);
    const char *name;
    sal_status st = SAL_OK;

    if (purpose != SAL_FOR_EXPORT) {
        g->n_outputs = 0;
        SAL_TRY(sal_graph_add_output(g, x->target.logits, err));
    }
    if (purpose == SAL_FOR_FORWARD)
        goto done;
    if (sal_val(g, x->saliency)->producer < 0 || x->saliency == x->target.logits)
        x->saliency = sal_b1(&b, "Identity", x->saliency);
    SAL_TRY(b.st);
    SAL_TRY(sal_target_claim_name(g, "saliency", "salience_saliency", &name, err));
    SAL_TRY(sal_graph_rename(g, x->saliency, name, err));
    SAL_TRY(sal_graph_add_output(g, x->saliency, err));
    if (purpose == SAL_FOR_RUN && x->layer_map != SAL_NONE && x->layer_map != x->saliency)
        SAL_TRY(sal_graph_add_output(g, x->layer_map, err));
done:
    return st;
}

static sal_status graph_method(sal_explain_graph *x, const sal_explain_opts *opts,
                               sal_explain_purpose purpose, sal_error *err)
{
    const sal_method_desc *d = x->method;
    sal_builder b = SAL_BUILDER(x->graph, err, d->info.name);
    sal_method_build m = {.b = &b,
                          .method = d,
                          .target = &x->target,
                          .layer = &x->layer,
                          .params = x->params,
                          .seed = opts->seed,
                          .notes = &x->notes,
                          .baselines = opts->baselines,
                          .other = SAL_NONE,
                          .saliency = SAL_NONE,
                          .layer_map = SAL_NONE};
    bool whole = purpose == SAL_FOR_EXPORT && d->build_export != NULL;
    sal_status st = SAL_OK;

    SAL_TRY(whole ? d->build_export(&m) : d->build(&m));
    SAL_TRY(b.st);
    x->saliency = m.saliency;
    x->layer_map = m.layer_map;
    x->other = m.other;
done:
    return st;
}

/* Write out what the rules cannot take apart; the value that is differentiated stays. */
static sal_status graph_write_out(sal_explain_graph *x, const sal_rules_desc *rules, sal_error *err)
{
    sal_graph *g = x->graph;
    sal_target *t = &x->target;
    const char *output = sal_val(g, t->output)->name, *logits = sal_val(g, t->logits)->name;
    const char *input = sal_val(g, t->input)->name;
    size_t n = g->n_outputs;
    sal_status st = SAL_OK;

    sal_expand_predicate want = x->method->write_out;

    if (want == NULL && rules != NULL)
        want = rules->write_out;
    if (want == NULL)
        return SAL_OK;
    SAL_TRY(sal_graph_add_output(g, t->output, err));
    SAL_TRY(sal_graph_add_output(g, t->logits, err));
    SAL_TRY(sal_pass_expand(g, want, NULL, err));
    g->n_outputs = n;
    t->output = sal_graph_find(g, output);
    t->logits = sal_graph_find(g, logits);
    t->input = sal_graph_find(g, input);
    if (t->output == SAL_NONE || t->logits == SAL_NONE || t->input == SAL_NONE)
        return sal_fail(err, SAL_EUNSUPPORTED, "%s cannot be written out for %s", logits,
                        x->method->info.name);
done:
    return st;
}

/* A transformer that classifies by one token needs no other one behind its last attention. Values
 * that are asked for keep their shape. */
static sal_status graph_narrow(sal_explain_graph *x, sal_error *err)
{
    sal_graph *g = x->graph;
    const size_t n = g->n_outputs;
    sal_status st = SAL_OK;

    SAL_TRY(sal_graph_add_output(g, x->target.output, err));
    SAL_TRY(sal_graph_add_output(g, x->target.logits, err));
    st = sal_pass_narrow(g, err);
    g->n_outputs = n;
done:
    return st;
}

sal_status sal_explain_graph_build(sal_explain_graph *out, const sal_graph *model,
                                   const sal_explain_opts *opts, sal_explain_purpose purpose,
                                   sal_error *err)
{
    sal_fold how = SAL_FOLD(sal_node_eval);
    sal_status st = SAL_OK;

    *out = (sal_explain_graph){.saliency = SAL_NONE,
                               .layer_map = SAL_NONE,
                               .layer = {.value = SAL_NONE},
                               .other = SAL_NONE};
    SAL_TRY(sal_explain_params(opts, &out->method, out->params, err));
    /* Shapes that depend on computed constants (padding, say) become known. */
    SAL_TRY(sal_graph_bind_symbols(&out->graph, model, 0, NULL, &how, err));
    /* Written-out layers have better derivatives and relevance rules as one operator. */
    SAL_TRY(sal_pass_recognise(out->graph, err));
    const sal_rules_desc *rules =
        out->method->rules == NULL ? NULL : sal_rules_find(out->method->rules);
    if (out->method->merge || (rules != NULL && rules->merge))
        SAL_TRY(sal_pass_bn(out->graph, err));
    SAL_TRY(sal_target_find(&out->target, out->graph, opts->input, opts->output,
                            opts->probabilities, err));
    SAL_TRY(graph_check_input(out->graph, &out->target, err));
    out->found = out->target;
    SAL_TRY(graph_write_out(out, rules, err));
    if (purpose == SAL_FOR_RUN && out->method->by_input)
        SAL_TRY(graph_narrow(out, err));
    if (out->method->info.wants_layer &&
        (purpose != SAL_FOR_FORWARD || out->method->build == NULL)) {
        SAL_TRY(sal_layer_find(&out->layer, out->graph, &out->target, opts->layer,
                               out->method->any_layer, err));
        SAL_TRY(sal_layer_describe(out->graph, &out->layer, &out->layer_text, err));
    }
    if (purpose != SAL_FOR_FORWARD) {
        if (out->method->build == NULL) {
            st = sal_fail(err, SAL_EUNSUPPORTED,
                          "method %s works by many forward passes and has no graph",
                          out->method->info.name);
            goto done;
        }
        SAL_TRY(sal_target_add_query(&out->target, out->graph, err));
        SAL_TRY(graph_method(out, opts, purpose, err));
    }
    SAL_TRY(graph_outputs(out, purpose, err));
done:
    return st;
}

void sal_explain_graph_free(sal_explain_graph *x)
{
    if (x == NULL)
        return;
    sal_graph_free(x->graph);
    sal_bytes_free(&x->layer_text);
    sal_bytes_free(&x->notes);
    *x = (sal_explain_graph){.saliency = SAL_NONE, .layer_map = SAL_NONE};
}
