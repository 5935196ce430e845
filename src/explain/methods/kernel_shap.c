/* Kernel SHAP: Shapley values as the solution of a weighted regression. Over the subsets z of M
 * features that are neither empty nor full,
 *
 *     minimise sum_z k(z) (T(z) - T(baseline) - z phi)^2   with   sum phi = T(x) - T(baseline),
 *     k(z) = (M - 1) / (binomial(M, |z|) |z| (M - |z|))
 *
 * When all 2^M - 2 subsets are no more than the samples asked for they are all taken, and the
 * result is exact. Otherwise subsets are drawn with probability k, in pairs of a subset and what it
 * leaves out, which makes the two errors cancel in part; the condition on the sum holds in any
 * case. Pair i is drawn from stream i of the seed. */
#include "explain/methods.h"
#include "explain/regions.h"
#include "explain/surrogate.h"

#include <math.h>

enum { KERNEL_SAMPLES = SAL_REGIONS_N_PARAMS };

static const sal_param_info kernel_params[] = {
    SAL_REGIONS_PARAMS(7, 0),
    {"samples", SAL_PARAM_INT, 0, 0, 10000000, "subsets; 0: 2048 + twice the features"},
};

typedef struct kernel_ctx {
    sal_regions regions;
    sal_surrogate model;
    uint64_t seed;
    bool all; /* every subset once */
    uint8_t *keep;
    int32_t *order;
    double at_baseline;
} kernel_ctx;

/* log k(z) for a subset of n among m, up to what all have in common. */
static double kernel_weight(size_t m, size_t n)
{
    double a = (double)m, b = (double)n;

    return lgamma(b + 1.0) + lgamma(a - b + 1.0) - lgamma(a + 1.0) - log(b) - log(a - b);
}

/* A size with probability proportional to 1 / (n (m - n)), the sum of k over the subsets of it. */
static size_t kernel_size(sal_rng *rng, size_t m)
{
    double total = 0.0, at;
    size_t n = 1;

    for (size_t k = 1; k < m; k++)
        total += 1.0 / ((double)k * (double)(m - k));
    at = sal_rng_uniform(rng) * total;
    while (n + 1 < m && at >= 1.0 / ((double)n * (double)(m - n))) {
        at -= 1.0 / ((double)n * (double)(m - n));
        n++;
    }
    return n;
}

/* Subset i into c->keep. */
static void kernel_subset(kernel_ctx *c, size_t i)
{
    size_t m = c->regions.count;

    if (c->all) {
        for (size_t k = 0; k < m; k++)
            c->keep[k] = (uint8_t)((i + 1) >> k & 1);
        return;
    }
    sal_rng rng = sal_rng_seed(c->seed, i / 2);
    size_t n = kernel_size(&rng, m);

    memset(c->keep, (int)(i % 2), m);
    for (size_t k = 0; k < m; k++)
        c->order[k] = (int32_t)k;
    for (size_t k = 0; k < n; k++) {
        size_t other = k + (size_t)(sal_rng_uniform(&rng) * (double)(m - k));
        int32_t feature = c->order[other];

        c->order[other] = c->order[k];
        c->order[k] = feature;
        c->keep[feature] ^= 1;
    }
}

/* Variant 0 is the baseline. */
static sal_status kernel_fill(void *ctx, size_t i, float *x, sal_error *err)
{
    kernel_ctx *c = ctx;

    (void)err;
    if (i == 0)
        memset(c->keep, 0, c->regions.count);
    else
        kernel_subset(c, i - 1);
    sal_regions_mask(&c->regions, c->keep, x);
    return SAL_OK;
}

static sal_status kernel_take(void *ctx, size_t i, const sal_variant *v, sal_error *err)
{
    kernel_ctx *c = ctx;
    size_t n = 0;

    (void)err;
    if (i == 0) {
        c->at_baseline = v->target;
        return SAL_OK;
    }
    kernel_subset(c, i - 1);
    for (size_t k = 0; k < c->regions.count; k++)
        n += c->keep[k];
    sal_surrogate_add(&c->model, c->keep, v->target - c->at_baseline,
                      c->all ? exp(kernel_weight(c->regions.count, n)) : 1.0);
    return SAL_OK;
}

static sal_status kernel_sample(sal_method_run *r, size_t s)
{
    kernel_ctx c = {.seed = r->seed};
    sal_batch_job job = {.forward = true, .ctx = &c, .fill = kernel_fill, .take = kernel_take};
    size_t samples = (size_t)r->params[KERNEL_SAMPLES], m;
    double *values = NULL;
    sal_status st = SAL_OK;

    SAL_TRY(sal_regions_make(&c.regions, r, s));
    m = c.regions.count;
    SAL_TRY(sal_surrogate_new(&c.model, m, r->err));
    c.keep = sal_calloc(m, sizeof(*c.keep));
    c.order = sal_calloc(m, sizeof(*c.order));
    values = sal_calloc(m, sizeof(*values));
    if (c.keep == NULL || c.order == NULL || values == NULL)
        SAL_TRY(sal_fail_nomem(r->err));
    if (samples == 0)
        samples = 2048 + 2 * m;
    c.all = m < 24 && ((size_t)1 << m) - 2 <= samples;
    if (c.all)
        samples = ((size_t)1 << m) - 2;
    job.count = samples + 1;
    SAL_TRY(sal_explainer_batch(r, s, &job));
    SAL_TRY(sal_surrogate_fit_sum(&c.model, sal_explainer_own_target(r, s) - c.at_baseline, values,
                                  r->err));
    sal_regions_store(&c.regions, r, s, values);
done:
    sal_free(c.keep);
    sal_free(c.order);
    sal_free(values);
    sal_surrogate_free(&c.model);
    sal_regions_free(&c.regions);
    return st;
}

static sal_status kernel_run(sal_method_run *r)
{
    sal_status st = SAL_OK;

    for (size_t s = 0; s < r->out->n; s++)
        SAL_TRY(kernel_sample(r, s));
done:
    return st;
}

const sal_method_desc sal_method_kernel_shap = {
    .info = {.name = "kernel-shap",
             .title = "Kernel SHAP",
             .reference = "Lundberg and Lee, 2017, arXiv:1705.07874",
             .kind = SAL_METHOD_PERTURBATION,
             .is_signed = true,
             .n_params = SAL_COUNTOF(kernel_params),
             .params = kernel_params},
    .run = kernel_run,
};
