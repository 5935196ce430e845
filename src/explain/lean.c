/* Explainers that hold each weight once.
 *
 * The graphs an explainer was made with, and those it built, keep the weights of the model as long
 * as another plan may be wanted. A lean explainer gives them up to its first plan and asks for the
 * model again before the next one: only methods of one pass, which need one plan a batch size. */
#include "explain/explainer_private.h"

sal_status sal_explainer_lean(sal_explainer *e, const sal_explain_opts *opts,
                              const sal_tensor *like, sal_explainer_source source, void *ctx,
                              sal_error *err)
{
    explainer_lean *l = &e->lean;
    const char *from[3] = {opts->layer, opts->input, opts->output};

    if (e->x.method->run != NULL || explainer_wants_baseline(e))
        return SAL_OK;
    l->n_like = like == NULL ? 0 : e->model->n_inputs;
    l->like = sal_calloc(l->n_like + 1, sizeof(*l->like));
    if (l->like == NULL)
        return sal_fail_nomem(err);
    for (size_t i = 0; i < l->n_like; i++)
        l->like[i] = sal_tensor_borrow(like[i].dtype, like[i].rank, like[i].dims, NULL);
    for (int i = 0; i < 3; i++) {
        l->names[i] = from[i] == NULL ? NULL : sal_strdup(from[i]);
        if (from[i] != NULL && l->names[i] == NULL)
            return sal_fail_nomem(err);
    }
    l->ctx = ctx;
    l->source = source;
    return SAL_OK;
}

void explainer_lean_free(explainer_lean *l)
{
    for (int i = 0; i < 3; i++)
        sal_free(l->names[i]);
    sal_free(l->like);
}

void explainer_lean_strip(sal_explainer *e)
{
    if (e->lean.source == NULL)
        return;
    sal_graph_strip(e->model);
    sal_graph_strip(e->x.graph);
    e->lean.stripped = true;
}

sal_status explainer_lean_rebuild(const sal_explainer *e, sal_explain_graph *out, sal_error *err)
{
    const explainer_lean *l = &e->lean;
    const sal_method_info *info = &e->x.method->info;
    sal_param params[SAL_METHOD_MAX_PARAMS];
    sal_explain_opts opts = e->opts;
    sal_graph *model = NULL, *bound = NULL;
    sal_status st = SAL_OK;

    *out = (sal_explain_graph){.saliency = SAL_NONE, .layer_map = SAL_NONE, .other = SAL_NONE};
    for (size_t i = 0; i < info->n_params; i++)
        params[i] = (sal_param){info->params[i].name, e->x.params[i]};
    opts.method = info->name;
    opts.params = params;
    opts.n_params = info->n_params;
    opts.layer = l->names[0];
    opts.input = l->names[1];
    opts.output = l->names[2];
    SAL_TRY(l->source(l->ctx, &opts, &model, err));
    SAL_TRY(explainer_bind(&bound, model, l->n_like == 0 ? NULL : l->like, e->whole, err));
    sal_graph_free(model);
    model = NULL;
    st = sal_explain_graph_build(out, bound, &opts, SAL_FOR_RUN, err);
done:
    sal_graph_free(model);
    sal_graph_free(bound);
    return st;
}
