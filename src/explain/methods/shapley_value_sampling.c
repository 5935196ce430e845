/* Shapley values by sampled permutations: features are put back one after the other in a random
 * order, and each is given what the target gains by it,
 *
 *     phi_f = mean over permutations of T(features before f, and f) - T(features before f)
 *
 * Each permutation's gains add up to T(x) - T(baseline), and so do the values of the features. As
 * in captum, every element of a feature is given the whole value. Permutation i is drawn from
 * stream i of the seed by a Fisher-Yates shuffle. */
#include "explain/methods.h"
#include "explain/regions.h"

enum { SHAPLEY_SAMPLES = SAL_REGIONS_N_PARAMS };

static const sal_param_info shapley_params[] = {
    SAL_REGIONS_PARAMS(7, 0),
    {"samples", SAL_PARAM_INT, 25, 1, 1000000, "permutations"},
};

typedef struct shapley_ctx {
    sal_regions regions;
    uint64_t seed;
    size_t drawn;   /* permutation that `order` holds; SIZE_MAX: none */
    int32_t *order; /* by place: feature */
    uint8_t *keep;  /* by feature */
    double at_baseline, own, before;
    double *sum; /* by feature */
} shapley_ctx;

static void shapley_draw(shapley_ctx *c, size_t permutation)
{
    sal_rng rng = sal_rng_seed(c->seed, permutation);

    if (c->drawn == permutation)
        return;
    c->drawn = permutation;
    for (size_t k = 0; k < c->regions.count; k++)
        c->order[k] = (int32_t)k;
    for (size_t k = c->regions.count; k-- > 1;) {
        size_t other = (size_t)(sal_rng_uniform(&rng) * (double)(k + 1));
        int32_t feature = c->order[k];

        c->order[k] = c->order[other];
        c->order[other] = feature;
    }
}

/* Variant 0 is the baseline. With n features, variant 1 + i (n - 1) + k keeps the first k + 1
 * features of permutation i; all n of them are x. */
static sal_status shapley_fill(void *ctx, size_t i, float *x, sal_error *err)
{
    shapley_ctx *c = ctx;
    size_t places = c->regions.count - 1;

    (void)err;
    memset(c->keep, 0, c->regions.count);
    if (i > 0) {
        shapley_draw(c, (i - 1) / places);
        for (size_t k = 0; k <= (i - 1) % places; k++)
            c->keep[c->order[k]] = 1;
    }
    sal_regions_mask(&c->regions, c->keep, x);
    return SAL_OK;
}

static sal_status shapley_take(void *ctx, size_t i, const sal_variant *v, sal_error *err)
{
    shapley_ctx *c = ctx;
    size_t places = c->regions.count - 1;

    (void)err;
    if (i == 0) {
        c->at_baseline = v->target;
        return SAL_OK;
    }
    size_t place = (i - 1) % places;

    shapley_draw(c, (i - 1) / places);
    if (place == 0)
        c->before = c->at_baseline;
    c->sum[c->order[place]] += v->target - c->before;
    c->before = v->target;
    if (place + 1 == places)
        c->sum[c->order[places]] += c->own - c->before;
    return SAL_OK;
}

static sal_status shapley_sample(sal_method_run *r, size_t s)
{
    shapley_ctx c = {.seed = r->seed, .drawn = SIZE_MAX, .own = sal_explainer_own_target(r, s)};
    sal_batch_job job = {.forward = true, .ctx = &c, .fill = shapley_fill, .take = shapley_take};
    size_t samples = (size_t)r->params[SHAPLEY_SAMPLES], n;
    sal_status st = SAL_OK;

    SAL_TRY(sal_regions_make(&c.regions, r, s));
    n = c.regions.count;
    c.order = sal_calloc(n, sizeof(*c.order));
    c.keep = sal_calloc(n, sizeof(*c.keep));
    c.sum = sal_calloc(n, sizeof(*c.sum));
    if (c.order == NULL || c.keep == NULL || c.sum == NULL)
        SAL_TRY(sal_fail_nomem(r->err));
    if (!sal_mul_ok(samples, n - 1, &job.count) || !sal_add_ok(job.count, 1, &job.count))
        SAL_TRY(sal_fail(r->err, SAL_EINVAL, "too many permutations of too many features"));
    SAL_TRY(sal_explainer_batch(r, s, &job));
    for (size_t k = 0; k < n; k++)
        c.sum[k] = n > 1 ? c.sum[k] / (double)samples : c.own - c.at_baseline;
    sal_regions_store(&c.regions, r, s, c.sum);
done:
    sal_free(c.order);
    sal_free(c.keep);
    sal_free(c.sum);
    sal_regions_free(&c.regions);
    return st;
}

static sal_status shapley_run(sal_method_run *r)
{
    sal_status st = SAL_OK;

    for (size_t s = 0; s < r->out->n; s++)
        SAL_TRY(shapley_sample(r, s));
done:
    return st;
}

const sal_method_desc sal_method_shapley_value_sampling = {
    .info = {.name = "shapley-value-sampling",
             .title = "Shapley value sampling",
             .reference = "Castro et al., 2009, doi:10.1016/j.cor.2008.04.004",
             .kind = SAL_METHOD_PERTURBATION,
             .is_signed = true,
             .n_params = SAL_COUNTOF(shapley_params),
             .params = shapley_params},
    .run = shapley_run,
};
