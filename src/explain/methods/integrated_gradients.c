/* Integrated gradients along the straight line from a baseline b to the input x:
 *
 *     map = (x - b) * mean_k dT/dx at b + a_k (x - b),    a_k = (k + 1/2) / steps
 *
 * The midpoint rule, because rectifiers put kinks on the path that rules of higher order do not
 * profit from. Completeness: sum(map) = T(x) - T(b); what is missing is reported as the residual.
 * Gradients are summed in double. */
#include "explain/baselines.h"
#include "explain/explainer.h"
#include "explain/methods.h"
#include "explain/unroll.h"

enum { IG_STEPS, IG_BASELINE };

static const sal_param_info ig_params[] = {
    {"steps", SAL_PARAM_INT, 50, 1, 100000, "points on the path from the baseline"},
    {"baseline", SAL_PARAM_FLOAT, 0, -1e6, 1e6, "value of every element of the baseline"},
};

static sal_status ig_build(sal_method_build *m)
{
    m->saliency = sal_build_gradient(m, m->target->input);
    return m->b->st;
}

static double ig_position(size_t k, size_t steps)
{
    return ((double)k + 0.5) / (double)steps;
}

/* ---- the loop ---- */

typedef struct ig_path {
    const float *x;
    size_t elements, steps;
    float *baseline; /* of every element */
    double *sum, *at_baseline;
} ig_path;

/* Rounds as the exported graph does, so that both see the same points. */
static sal_status ig_fill(void *ctx, size_t i, float *x, sal_error *err)
{
    const ig_path *p = ctx;
    float a = (float)ig_position(i, p->steps);

    (void)err;
    for (size_t k = 0; k < p->elements; k++)
        x[k] = (p->x[k] - p->baseline[k]) * a + p->baseline[k];
    return SAL_OK;
}

static sal_status ig_take(void *ctx, size_t i, const sal_variant *v, sal_error *err)
{
    ig_path *p = ctx;

    (void)i;
    (void)err;
    sal_variant_add(v, p->elements, p->sum);
    return SAL_OK;
}

static sal_status ig_fill_baseline(void *ctx, size_t i, float *x, sal_error *err)
{
    const ig_path *p = ctx;

    (void)i;
    (void)err;
    memcpy(x, p->baseline, p->elements * sizeof(*x));
    return SAL_OK;
}

static sal_status ig_take_baseline(void *ctx, size_t i, const sal_variant *v, sal_error *err)
{
    (void)i;
    (void)err;
    *((ig_path *)ctx)->at_baseline = v->target;
    return SAL_OK;
}

static sal_status ig_sample(sal_method_run *r, size_t s)
{
    sal_tensor x = SAL_TENSOR_INIT;
    sal_baselines given;
    ig_path p = {.steps = (size_t)r->params[IG_STEPS], .at_baseline = &r->out->baseline_target[s]};
    sal_batch_job path = {.count = p.steps, .ctx = &p, .fill = ig_fill, .take = ig_take};
    sal_batch_job start = {.count = 1,
                           .forward = true,
                           .quiet = true,
                           .ctx = &p,
                           .fill = ig_fill_baseline,
                           .take = ig_take_baseline};
    sal_status st = SAL_OK;

    SAL_TRY(sal_explainer_sample(r, s, &x));
    p.x = x.data;
    p.elements = (size_t)sal_tensor_count(&x);
    p.sum = sal_calloc(p.elements + 1, sizeof(*p.sum));
    p.baseline = sal_calloc(p.elements + 1, sizeof(*p.baseline));
    if (p.sum == NULL || p.baseline == NULL)
        SAL_TRY(sal_fail_nomem(r->err));
    SAL_TRY(sal_baselines_begin(&given, r, &x));
    for (size_t k = 0; k < p.elements; k++)
        p.baseline[k] = given.given != NULL ? given.given[k] : (float)r->params[IG_BASELINE];
    SAL_TRY(sal_explainer_batch(r, s, &start));
    SAL_TRY(sal_explainer_batch(r, s, &path));
    float *map = (float *)r->out->map.data + s * p.elements;
    for (size_t k = 0; k < p.elements; k++)
        map[k] = (float)(((double)p.x[k] - (double)p.baseline[k]) * p.sum[k] / (double)p.steps);
done:
    sal_free(p.sum);
    sal_free(p.baseline);
    sal_tensor_free(&x);
    return st;
}

static sal_status ig_run(sal_method_run *r)
{
    sal_status st = SAL_OK;

    r->out->baseline_target = sal_calloc(r->out->n, sizeof(double));
    if (r->out->baseline_target == NULL)
        return sal_fail_nomem(r->err);
    for (size_t s = 0; s < r->out->n; s++)
        SAL_TRY(ig_sample(r, s));
done:
    return st;
}

/* ---- the same as one graph ---- */

static sal_status ig_build_export(sal_method_build *m)
{
    static const int64_t first = 0;
    sal_builder *b = m->b;
    sal_vid x = m->target->input;
    sal_dtype dtype = sal_val(b->g, x)->dtype;
    size_t steps = (size_t)m->params[IG_STEPS];
    int64_t dims[SAL_MAX_RANK] = {(int64_t)steps, 1, 1, 1, 1, 1, 1, 1};
    sal_tensor a = SAL_TENSOR_INIT;

    if (sal_val(b->g, x)->rank + 1 > SAL_MAX_RANK)
        return sal_fail(b->err, SAL_EUNSUPPORTED, "input %s has too many dimensions",
                        sal_val(b->g, x)->name);
    b->st = sal_tensor_new(&a, dtype, sal_val(b->g, x)->rank + 1, dims, b->err);
    for (size_t k = 0; b->st == SAL_OK && k < steps; k++)
        sal_tensor_set(&a, (int64_t)k, ig_position(k, steps));
    sal_vid baseline = m->baselines == NULL ? sal_b_scalar(b, dtype, m->params[IG_BASELINE])
                                            : sal_baselines_build_one(m);
    sal_vid start = m->baselines == NULL ? baseline : sal_b_unsqueeze(b, baseline, 1, &first);
    sal_vid difference = sal_b2(b, "Sub", x, baseline);
    sal_vid steps_of =
        sal_b2(b, "Mul", sal_b_unsqueeze(b, difference, 1, &first), sal_b_tensor(b, &a));
    sal_vid mean = sal_unroll_mean_gradient(m, sal_b2(b, "Add", steps_of, start));
    m->saliency = sal_b2(b, "Mul", difference, mean);
    sal_tensor_free(&a);
    return b->st;
}

const sal_method_desc sal_method_integrated_gradients = {
    .info = {.name = "integrated-gradients",
             .title = "Integrated gradients",
             .reference = "Sundararajan et al., 2017, arXiv:1703.01365",
             .kind = SAL_METHOD_ATTRIBUTION,
             .is_signed = true,
             .exportable = true,
             .n_params = SAL_COUNTOF(ig_params),
             .params = ig_params,
             .aliases = "ig"},
    .build = ig_build,
    .by_input = true,
    .run = ig_run,
    .build_export = ig_build_export,
    .complete = true,
};
