/* LIME: the target near x as a linear model of features that are kept (z_f = 1) or removed,
 *
 *     minimise (sum_z w(z) (T(z) - z b - c)^2 + ridge |b|^2) / (2 sum w) + lasso |b|_1,
 *     w(z) = exp(-d(z)^2 / (2 width^2)),   d(z) = 1 - sqrt(|z| / M),
 *
 * d the cosine distance of z from the M features of x. Each feature is kept with probability 1/2;
 * sample i is drawn from stream i of the seed. The map is b. */
#include "explain/methods.h"
#include "explain/regions.h"
#include "explain/surrogate.h"

#include <math.h>

enum {
    LIME_SAMPLES = SAL_REGIONS_N_PARAMS,
    LIME_WIDTH,
    LIME_RIDGE,
    LIME_LASSO,
};

static const sal_param_info lime_params[] = {
    SAL_REGIONS_PARAMS(7, 50),
    {"samples", SAL_PARAM_INT, 1000, 1, 10000000, "random subsets of the features"},
    {"width", SAL_PARAM_FLOAT, 0.25, 1e-3, 1e6, "width of the kernel, in cosine distance"},
    {"ridge", SAL_PARAM_FLOAT, 1, 0, 1e9, "weight of the squared coefficients"},
    {"lasso", SAL_PARAM_FLOAT, 0, 0, 1e9, "weight of the absolute coefficients"},
};

typedef struct lime_ctx {
    sal_regions regions;
    sal_surrogate model;
    uint64_t seed;
    double width;
    uint8_t *keep;
} lime_ctx;

static void lime_draw(lime_ctx *c, size_t i)
{
    sal_rng rng = sal_rng_seed(c->seed, i);

    for (size_t k = 0; k < c->regions.count; k++)
        c->keep[k] = sal_rng_uniform(&rng) < 0.5;
}

static sal_status lime_fill(void *ctx, size_t i, float *x, sal_error *err)
{
    lime_ctx *c = ctx;

    (void)err;
    lime_draw(c, i);
    sal_regions_mask(&c->regions, c->keep, x);
    return SAL_OK;
}

static sal_status lime_take(void *ctx, size_t i, const sal_variant *v, sal_error *err)
{
    lime_ctx *c = ctx;
    double kept = 0.0, d;

    (void)err;
    lime_draw(c, i);
    for (size_t k = 0; k < c->regions.count; k++)
        kept += c->keep[k];
    d = 1.0 - sqrt(kept / (double)c->regions.count);
    sal_surrogate_add(&c->model, c->keep, v->target, exp(-d * d / (2.0 * c->width * c->width)));
    return SAL_OK;
}

static sal_status lime_sample(sal_method_run *r, size_t s)
{
    lime_ctx c = {.seed = r->seed, .width = r->params[LIME_WIDTH]};
    sal_batch_job job = {.count = (size_t)r->params[LIME_SAMPLES],
                         .forward = true,
                         .ctx = &c,
                         .fill = lime_fill,
                         .take = lime_take};
    double *values = NULL;
    sal_status st = SAL_OK;

    SAL_TRY(sal_regions_make(&c.regions, r, s));
    SAL_TRY(sal_surrogate_new(&c.model, c.regions.count, r->err));
    c.keep = sal_calloc(c.regions.count, sizeof(*c.keep));
    values = sal_calloc(c.regions.count, sizeof(*values));
    if (c.keep == NULL || values == NULL)
        SAL_TRY(sal_fail_nomem(r->err));
    SAL_TRY(sal_explainer_batch(r, s, &job));
    SAL_TRY(
        sal_surrogate_fit(&c.model, r->params[LIME_RIDGE], r->params[LIME_LASSO], values, r->err));
    sal_regions_store(&c.regions, r, s, values);
done:
    sal_free(c.keep);
    sal_free(values);
    sal_surrogate_free(&c.model);
    sal_regions_free(&c.regions);
    return st;
}

static sal_status lime_run(sal_method_run *r)
{
    sal_status st = SAL_OK;

    for (size_t s = 0; s < r->out->n; s++)
        SAL_TRY(lime_sample(r, s));
done:
    return st;
}

const sal_method_desc sal_method_lime = {
    .info = {.name = "lime",
             .title = "LIME",
             .reference = "Ribeiro et al., 2016, arXiv:1602.04938",
             .kind = SAL_METHOD_PERTURBATION,
             .is_signed = true,
             .n_params = SAL_COUNTOF(lime_params),
             .params = lime_params},
    .run = lime_run,
};
