/* With baselines b_i and places a_i drawn at random, and noise on the input,
 *
 *     map = mean_i (x_i - b_i) dT/dx at b_i + a_i (x_i - b_i),    x_i = x + sigma n_i,
 *
 * an estimate of sum(map) = T(x) - mean T(b), which grows better with their number. The loop rounds
 * as the exported graph does, so that both see the same places. */
#include "explain/shap.h"
#include "explain/baselines.h"
#include "explain/explainer.h"
#include "explain/noise.h"
#include "explain/unroll.h"

/* Draws that are kept until their gradients come: as many as a batch mostly has. */
enum { SHAP_KEPT = 16 };

typedef struct shap_ctx {
    const float *x;
    float sigma;
    sal_baselines baselines;
    size_t kept;            /* slots; draw i is in slot i % kept */
    size_t held[SHAP_KEPT]; /* 1 + the draw in the slot; 0: none */
    float *draws;           /* kept x (x_i, b_i) */
    float *moved, *from;    /* of the draw at hand, in its slot */
    double *sum, *at_baseline;
    size_t count;
} shap_ctx;

static void shap_draw(shap_ctx *c, size_t i)
{
    size_t n = c->baselines.elements, slot = i % c->kept;

    c->moved = c->draws + 2 * n * slot;
    c->from = c->moved + n;
    if (c->held[slot] == i + 1)
        return;
    c->held[slot] = i + 1;
    sal_baselines_get(&c->baselines, i, true, c->from);
    if (c->sigma <= 0.0f) {
        memcpy(c->moved, c->x, n * sizeof(*c->moved));
        return;
    }
    sal_noise_draw(c->baselines.seed, i, n, c->moved);
    for (size_t k = 0; k < n; k++)
        c->moved[k] = c->x[k] + c->sigma * c->moved[k];
}

static sal_status shap_fill(void *ctx, size_t i, float *x, sal_error *err)
{
    shap_ctx *c = ctx;
    float a = sal_baselines_place(&c->baselines, i);

    (void)err;
    shap_draw(c, i);
    for (size_t k = 0; k < c->baselines.elements; k++)
        x[k] = (c->moved[k] - c->from[k]) * a + c->from[k];
    return SAL_OK;
}

static sal_status shap_take(void *ctx, size_t i, const sal_variant *v, sal_error *err)
{
    shap_ctx *c = ctx;
    size_t n = c->baselines.elements, first = (size_t)v->row * n;

    (void)err;
    shap_draw(c, i);
    for (size_t k = 0; k < n; k++)
        c->sum[k] += ((double)c->moved[k] - (double)c->from[k]) *
                     sal_tensor_get(v->map, (int64_t)(first + k));
    return SAL_OK;
}

static sal_status shap_fill_baseline(void *ctx, size_t i, float *x, sal_error *err)
{
    (void)err;
    sal_baselines_get(&((shap_ctx *)ctx)->baselines, i, true, x);
    return SAL_OK;
}

static sal_status shap_take_baseline(void *ctx, size_t i, const sal_variant *v, sal_error *err)
{
    shap_ctx *c = ctx;

    (void)i;
    (void)err;
    *c->at_baseline += v->target / (double)c->count;
    return SAL_OK;
}

static sal_status shap_sample(sal_method_run *r, size_t s)
{
    const sal_method_desc *d = sal_explainer_method(r->e)->method;
    sal_tensor x = SAL_TENSOR_INIT;
    shap_ctx c = {.at_baseline = &r->out->baseline_target[s],
                  .count = (size_t)sal_method_param(d, r->params, "samples")};
    sal_batch_job job = {.count = c.count, .ctx = &c, .fill = shap_fill, .take = shap_take};
    sal_batch_job start = {.count = c.count,
                           .forward = true,
                           .quiet = true,
                           .ctx = &c,
                           .fill = shap_fill_baseline,
                           .take = shap_take_baseline};
    sal_status st = SAL_OK;

    SAL_TRY(sal_explainer_sample(r, s, &x));
    SAL_TRY(sal_baselines_begin(&c.baselines, r, &x));
    size_t n = c.baselines.elements;
    c.x = x.data;
    c.sigma = sal_noise_range(c.x, n) * (float)sal_method_param(d, r->params, "noise");
    c.sum = sal_calloc(n + 1, sizeof(*c.sum));
    c.kept = SAL_MIN(c.count, (size_t)SHAP_KEPT);
    c.draws = sal_calloc(2 * c.kept * n + 1, sizeof(*c.draws));
    if (c.sum == NULL || c.draws == NULL)
        SAL_TRY(sal_fail_nomem(r->err));
    SAL_TRY(sal_explainer_batch(r, s, &start));
    SAL_TRY(sal_explainer_batch(r, s, &job));
    float *map = (float *)r->out->map.data + s * n;
    for (size_t k = 0; k < n; k++)
        map[k] = (float)(c.sum[k] / (double)c.count);
done:
    sal_free(c.sum);
    sal_free(c.draws);
    sal_tensor_free(&x);
    return st;
}

sal_status sal_shap_run(sal_method_run *r)
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

sal_status sal_shap_build(sal_method_build *m)
{
    sal_baselines_note(m);
    return sal_build_attribution(m);
}

sal_status sal_shap_export(sal_method_build *m)
{
    static const int64_t first = 0;
    sal_builder *b = m->b;
    size_t n = (size_t)sal_method_param(m->method, m->params, "samples");
    double noise = sal_method_param(m->method, m->params, "noise");

    sal_baselines_note(m);
    sal_vid x = sal_b_unsqueeze(b, m->target->input, 1, &first);
    if (noise > 0.0) {
        sal_vid sigma = sal_b2(b, "Mul", sal_noise_build_range(m), sal_b_like(b, x, noise));

        x = sal_b2(b, "Add", x,
                   sal_b2(b, "Mul", sal_b_unsqueeze(b, sigma, 1, &first),
                          sal_noise_constant(m, n, m->seed)));
    }
    sal_vid from = sal_baselines_build(m, n, true), way = sal_b2(b, "Sub", x, from);
    sal_vid places =
        sal_b2(b, "Add", sal_b2(b, "Mul", way, sal_baselines_build_places(m, n)), from);
    sal_vid g = sal_unroll_gradient(m, places, SAL_NONE);
    m->saliency = sal_b_reduce(b, "ReduceMean", sal_b2(b, "Mul", way, g), 1, &first, false);
    return b->st;
}
