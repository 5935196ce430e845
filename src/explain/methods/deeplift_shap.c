/* DeepSHAP: DeepLIFT averaged over a distribution of baselines, map = mean_i (x - b_i) m_i.
 *
 * One evaluation has a baseline as its explained input and the sample in a second input:
 * multipliers are the same in both directions. sum(map) = T(x) - mean T(b_i). */
#include "explain/baselines.h"
#include "explain/explainer.h"
#include "explain/methods.h"
#include "explain/unroll.h"

enum { SHAP_SAMPLES };

static const sal_param_info deeplift_shap_params[] = {
    {"samples", SAL_PARAM_INT, 10, 1, 100000, "baselines drawn when none are given"},
    SAL_BASELINE_PARAM,
    SAL_SPREAD_PARAM,
};

static sal_status deeplift_shap_build(sal_method_build *m)
{
    sal_builder *b = m->b;
    sal_vid baseline = m->target->input;
    const sal_value *v = sal_val(b->g, baseline);
    const char *name;

    sal_baselines_note(m);
    if (b->st == SAL_OK)
        b->st = sal_target_claim_name(b->g, "sample", "salience_sample", &name, b->err);
    if (b->st == SAL_OK)
        b->st = sal_graph_input(b->g, name, v->dtype, v->rank, v->dims, &m->other, b->err);
    sal_vid multipliers = sal_build_multipliers(m, m->other);
    m->saliency = sal_b2(b, "Mul", sal_b2(b, "Sub", m->other, baseline), multipliers);
    return b->st;
}

typedef struct shap_ctx {
    sal_baselines baselines;
    double *sum, *at_baseline;
    size_t count;
} shap_ctx;

static sal_status shap_fill(void *ctx, size_t i, float *x, sal_error *err)
{
    (void)err;
    sal_baselines_get(&((shap_ctx *)ctx)->baselines, i, false, x);
    return SAL_OK;
}

static sal_status shap_take(void *ctx, size_t i, const sal_variant *v, sal_error *err)
{
    shap_ctx *c = ctx;

    (void)i;
    (void)err;
    sal_variant_add(v, c->baselines.elements, c->sum);
    *c->at_baseline += v->target / (double)c->count;
    return SAL_OK;
}

static sal_status shap_sample(sal_method_run *r, size_t s)
{
    sal_tensor x = SAL_TENSOR_INIT;
    shap_ctx c = {.at_baseline = &r->out->baseline_target[s],
                  .count = (size_t)r->params[SHAP_SAMPLES]};
    sal_status st = SAL_OK;

    SAL_TRY(sal_explainer_sample(r, s, &x));
    SAL_TRY(sal_baselines_begin(&c.baselines, r, &x));
    if (c.baselines.given != NULL)
        c.count = c.baselines.count;
    sal_batch_job job = {.count = c.count, .ctx = &c, .fill = shap_fill, .take = shap_take};
    c.sum = sal_calloc(c.baselines.elements + 1, sizeof(*c.sum));
    if (c.sum == NULL)
        SAL_TRY(sal_fail_nomem(r->err));
    SAL_TRY(sal_explainer_batch(r, s, &job));
    float *map = (float *)r->out->map.data + s * c.baselines.elements;
    for (size_t k = 0; k < c.baselines.elements; k++)
        map[k] = (float)(c.sum[k] / (double)c.count);
done:
    sal_free(c.sum);
    sal_tensor_free(&x);
    return st;
}

static sal_status deeplift_shap_run(sal_method_run *r)
{
    sal_status st = SAL_OK;

    r->out->baseline_target = sal_calloc(r->out->n, sizeof(double));
    if (r->out->baseline_target == NULL)
        return sal_fail_nomem(r->err);
    for (size_t s = 0; s < r->out->n; s++)
        SAL_TRY(shap_sample(r, s));
done:
    return st;
}

static sal_status deeplift_shap_export(sal_method_build *m)
{
    static const int64_t first = 0;
    sal_builder *b = m->b;
    const sal_value *v = sal_val(b->g, m->target->input);
    size_t n = (size_t)m->params[SHAP_SAMPLES], elements = 1;

    for (int i = 1; i < v->rank; i++)
        elements *= (size_t)v->dims[i];
    if (m->baselines != NULL && elements > 0)
        n = (size_t)sal_tensor_count(m->baselines) / elements;
    sal_baselines_note(m);
    sal_vid x = sal_b_unsqueeze(b, m->target->input, 1, &first), zero = sal_b_like(b, x, 0.0);
    sal_vid drawn = sal_baselines_build(m, n, false), none = sal_b3(b, "Clip", x, zero, zero);
    sal_vid baselines = sal_b2(b, "Add", drawn, none);
    sal_vid samples = sal_b2(b, "Add", sal_b2(b, "Mul", baselines, zero), x);
    sal_vid multipliers = sal_unroll_gradient(m, samples, baselines);
    m->saliency = sal_b_reduce(b, "ReduceMean",
                               sal_b2(b, "Mul", sal_b2(b, "Sub", samples, baselines), multipliers),
                               1, &first, false);
    return b->st;
}

const sal_method_desc sal_method_deeplift_shap = {
    .info = {.name = "deeplift-shap",
             .title = "DeepSHAP",
             .reference = "Lundberg and Lee, 2017, arXiv:1705.07874",
             .kind = SAL_METHOD_ATTRIBUTION,
             .is_signed = true,
             .exportable = true,
             .n_params = SAL_COUNTOF(deeplift_shap_params),
             .params = deeplift_shap_params,
             .aliases = "deep-lift-shap deep-shap"},
    .rules = "deeplift-rescale",
    .build = deeplift_shap_build,
    .run = deeplift_shap_run,
    .build_export = deeplift_shap_export,
    .complete = true,
};
