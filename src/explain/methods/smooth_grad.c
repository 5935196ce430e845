/* SmoothGrad: the mean gradient over noisy copies of the input,
 *
 *     map = mean_i dT/dx at x + sigma n_i,    n_i normal,    sigma = noise * (max x - min x).
 *
 * The noise of copy i is drawn from stream i of the seed, the same for every input. The loop rounds
 * as the exported graph does, so that both see the same copies. */
#include "explain/explainer.h"
#include "explain/methods.h"
#include "explain/unroll.h"

#include <math.h>

enum { SMOOTH_SAMPLES, SMOOTH_NOISE };

static const sal_param_info smooth_params[] = {
    {"samples", SAL_PARAM_INT, 50, 1, 100000, "noisy copies"},
    {"noise", SAL_PARAM_FLOAT, 0.15, 0, 10, "standard deviation as a share of the input's range"},
};

static sal_status smooth_build(sal_method_build *m)
{
    m->saliency = sal_build_gradient(m, m->target->input);
    return m->b->st;
}

typedef struct smooth_ctx {
    const float *x;
    size_t elements;
    float sigma;
    uint64_t seed;
    double *sum;
} smooth_ctx;

static sal_status smooth_fill(void *ctx, size_t i, float *x, sal_error *err)
{
    const smooth_ctx *c = ctx;
    sal_rng rng = sal_rng_seed(c->seed, i);

    (void)err;
    for (size_t k = 0; k < c->elements; k++)
        x[k] = c->x[k] + c->sigma * (float)sal_rng_normal(&rng);
    return SAL_OK;
}

static sal_status smooth_take(void *ctx, size_t i, const sal_variant *v, sal_error *err)
{
    smooth_ctx *c = ctx;

    (void)i;
    (void)err;
    sal_variant_add(v, c->elements, c->sum);
    return SAL_OK;
}

static sal_status smooth_sample(sal_method_run *r, size_t s)
{
    sal_tensor x = SAL_TENSOR_INIT;
    smooth_ctx c = {.seed = r->seed};
    sal_batch_job job = {.count = (size_t)r->params[SMOOTH_SAMPLES],
                         .ctx = &c,
                         .fill = smooth_fill,
                         .take = smooth_take};
    float low = INFINITY, high = -INFINITY;
    sal_status st = SAL_OK;

    SAL_TRY(sal_explainer_sample(r, s, &x));
    c.x = x.data;
    c.elements = (size_t)sal_tensor_count(&x);
    for (size_t k = 0; k < c.elements; k++) {
        low = SAL_MIN(low, c.x[k]);
        high = SAL_MAX(high, c.x[k]);
    }
    c.sigma = (high - low) * (float)r->params[SMOOTH_NOISE];
    c.sum = sal_calloc(c.elements + 1, sizeof(*c.sum));
    if (c.sum == NULL)
        SAL_TRY(sal_fail_nomem(r->err));
    SAL_TRY(sal_explainer_batch(r, s, &job));
    float *map = (float *)r->out->map.data + s * c.elements;
    for (size_t k = 0; k < c.elements; k++)
        map[k] = (float)(c.sum[k] / (double)job.count);
done:
    sal_free(c.sum);
    sal_tensor_free(&x);
    return st;
}

static sal_status smooth_run(sal_method_run *r)
{
    sal_status st = SAL_OK;

    for (size_t s = 0; s < r->out->n; s++)
        SAL_TRY(smooth_sample(r, s));
done:
    return st;
}

static sal_status smooth_build_export(sal_method_build *m)
{
    static const int64_t first = 0;
    sal_builder *b = m->b;
    sal_vid x = m->target->input;
    const sal_value *v = sal_val(b->g, x);
    size_t samples = (size_t)m->params[SMOOTH_SAMPLES], elements = 1;
    int64_t dims[SAL_MAX_RANK] = {(int64_t)samples, 1}, axes[SAL_MAX_RANK];
    sal_tensor noise = SAL_TENSOR_INIT;

    if (v->rank + 1 > SAL_MAX_RANK)
        return sal_fail(b->err, SAL_EUNSUPPORTED, "input %s has too many dimensions", v->name);
    for (int i = 1; i < v->rank; i++) {
        dims[i + 1] = v->dims[i];
        axes[i - 1] = i;
        elements *= (size_t)v->dims[i];
    }
    b->st = sal_tensor_new(&noise, v->dtype, v->rank + 1, dims, b->err);
    for (size_t i = 0; b->st == SAL_OK && i < samples; i++) {
        sal_rng rng = sal_rng_seed(m->seed, i);

        for (size_t k = 0; k < elements; k++)
            sal_tensor_set(&noise, (int64_t)(i * elements + k), sal_rng_normal(&rng));
    }
    sal_vid range = sal_b2(b, "Sub", sal_b_reduce(b, "ReduceMax", x, v->rank - 1, axes, true),
                           sal_b_reduce(b, "ReduceMin", x, v->rank - 1, axes, true));
    sal_vid sigma = sal_b2(b, "Mul", range, sal_b_like(b, x, m->params[SMOOTH_NOISE]));
    sal_vid offset =
        sal_b2(b, "Mul", sal_b_unsqueeze(b, sigma, 1, &first), sal_b_tensor(b, &noise));
    m->saliency =
        sal_unroll_mean_gradient(m, sal_b2(b, "Add", sal_b_unsqueeze(b, x, 1, &first), offset));
    sal_tensor_free(&noise);
    return b->st;
}

const sal_method_desc sal_method_smooth_grad = {
    .info = {.name = "smooth-grad",
             .title = "SmoothGrad",
             .reference = "Smilkov et al., 2017, arXiv:1706.03825",
             .kind = SAL_METHOD_ATTRIBUTION,
             .is_signed = true,
             .exportable = true,
             .n_params = SAL_COUNTOF(smooth_params),
             .params = smooth_params},
    .build = smooth_build,
    .run = smooth_run,
    .build_export = smooth_build_export,
};
