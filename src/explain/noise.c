/* Statistics of the gradient over noisy copies of the input,
 *
 *     g_i = dT/dx at x + sigma n_i,    n_i normal,    sigma = noise * (max x - min x).
 *
 * The noise of copy i is drawn from stream i of the seed, the same for every input. The loop rounds
 * as the exported graph does, so that both see the same copies. Sums are kept in double. */
#include "explain/noise.h"
#include "explain/explainer.h"
#include "explain/unroll.h"

#include <math.h>

const sal_param_info sal_noise_params[SAL_NOISE_PARAMS] = {
    {"samples", SAL_PARAM_INT, 50, 1, 100000, "noisy copies"},
    {"noise", SAL_PARAM_FLOAT, 0.15, 0, 10, "standard deviation as a share of the input's range"},
};

typedef struct noise_ctx {
    const float *x;
    size_t elements;
    float sigma;
    uint64_t seed;
    double *sum, *squares; /* squares: NULL when only the mean is wanted */
} noise_ctx;

void sal_noise_draw(uint64_t seed, size_t i, size_t n, float *out)
{
    sal_rng rng = sal_rng_seed(seed, i);

    sal_rng_normals(&rng, n, out);
}

float sal_noise_range(const float *x, size_t n)
{
    float low = INFINITY, high = -INFINITY;

    for (size_t k = 0; k < n; k++) {
        low = SAL_MIN(low, x[k]);
        high = SAL_MAX(high, x[k]);
    }
    return high - low;
}

static sal_status noise_fill(void *ctx, size_t i, float *x, sal_error *err)
{
    const noise_ctx *c = ctx;

    (void)err;
    sal_noise_draw(c->seed, i, c->elements, x);
    for (size_t k = 0; k < c->elements; k++)
        x[k] = c->x[k] + c->sigma * x[k];
    return SAL_OK;
}

static sal_status noise_take(void *ctx, size_t i, const sal_variant *v, sal_error *err)
{
    noise_ctx *c = ctx;
    size_t first = (size_t)v->row * c->elements;

    (void)i;
    (void)err;
    sal_variant_add(v, c->elements, c->sum);
    for (size_t k = 0; c->squares != NULL && k < c->elements; k++) {
        double g = sal_tensor_get(v->map, (int64_t)(first + k));

        c->squares[k] += g * g;
    }
    return SAL_OK;
}

static sal_status noise_sample(sal_method_run *r, sal_noise_kind kind, size_t s)
{
    sal_tensor x = SAL_TENSOR_INIT;
    noise_ctx c = {.seed = r->seed};
    sal_batch_job job = {.count = (size_t)r->params[SAL_NOISE_SAMPLES],
                         .ctx = &c,
                         .fill = noise_fill,
                         .take = noise_take};
    sal_status st = SAL_OK;

    SAL_TRY(sal_explainer_sample(r, s, &x));
    c.x = x.data;
    c.elements = (size_t)sal_tensor_count(&x);
    c.sigma = sal_noise_range(c.x, c.elements) * (float)r->params[SAL_NOISE_SHARE];
    c.sum = sal_calloc(2 * c.elements + 1, sizeof(*c.sum));
    if (c.sum == NULL)
        SAL_TRY(sal_fail_nomem(r->err));
    c.squares = kind == SAL_NOISE_MEAN ? NULL : c.sum + c.elements;
    SAL_TRY(sal_explainer_batch(r, s, &job));
    float *map = (float *)r->out->map.data + s * c.elements;
    for (size_t k = 0; k < c.elements; k++) {
        double n = (double)job.count, mean = c.sum[k] / n;

        map[k] = (float)(kind == SAL_NOISE_MEAN     ? mean
                         : kind == SAL_NOISE_SQUARE ? c.squares[k] / n
                                                    : fmax(c.squares[k] / n - mean * mean, 0.0));
    }
done:
    sal_free(c.sum);
    sal_tensor_free(&x);
    return st;
}

sal_status sal_noise_run(sal_method_run *r, sal_noise_kind kind)
{
    sal_status st = SAL_OK;

    for (size_t s = 0; s < r->out->n; s++)
        SAL_TRY(noise_sample(r, kind, s));
done:
    return st;
}

/* ---- the same as one graph ---- */

sal_vid sal_noise_constant(sal_method_build *m, size_t samples, uint64_t seed)
{
    sal_builder *b = m->b;
    const sal_value *v = sal_val(b->g, m->target->input);
    size_t elements = 1;
    int64_t dims[SAL_MAX_RANK] = {(int64_t)samples, 1};
    sal_tensor noise = SAL_TENSOR_INIT;

    if (b->st == SAL_OK && v->rank + 1 > SAL_MAX_RANK)
        b->st = sal_fail(b->err, SAL_EUNSUPPORTED, "input %s has too many dimensions", v->name);
    if (b->st != SAL_OK)
        return SAL_NONE;
    for (int i = 1; i < v->rank; i++) {
        dims[i + 1] = v->dims[i];
        elements *= (size_t)v->dims[i];
    }
    b->st = sal_tensor_new(&noise, v->dtype, v->rank + 1, dims, b->err);
    for (size_t i = 0; b->st == SAL_OK && i < samples; i++) {
        sal_rng rng = sal_rng_seed(seed, i);

        for (size_t k = 0; k < elements; k++)
            sal_tensor_set(&noise, (int64_t)(i * elements + k), sal_rng_normal(&rng));
    }
    sal_vid out = b->st == SAL_OK ? sal_b_tensor(b, &noise) : SAL_NONE;
    sal_tensor_free(&noise);
    return out;
}

sal_vid sal_noise_build_range(sal_method_build *m)
{
    sal_builder *b = m->b;
    sal_vid x = m->target->input;
    int rank = sal_val(b->g, x)->rank;
    int64_t axes[SAL_MAX_RANK];

    for (int i = 1; i < rank; i++)
        axes[i - 1] = i;
    return sal_b2(b, "Sub", sal_b_reduce(b, "ReduceMax", x, rank - 1, axes, true),
                  sal_b_reduce(b, "ReduceMin", x, rank - 1, axes, true));
}

sal_status sal_noise_export(sal_method_build *m, sal_noise_kind kind)
{
    static const int64_t first = 0;
    sal_builder *b = m->b;
    sal_vid x = m->target->input;
    sal_vid noise = sal_noise_constant(m, (size_t)m->params[SAL_NOISE_SAMPLES], m->seed);
    sal_vid sigma =
        sal_b2(b, "Mul", sal_noise_build_range(m), sal_b_like(b, x, m->params[SAL_NOISE_SHARE]));
    sal_vid offset = sal_b2(b, "Mul", sal_b_unsqueeze(b, sigma, 1, &first), noise);
    sal_vid g = sal_unroll_gradient(m, sal_b2(b, "Add", sal_b_unsqueeze(b, x, 1, &first), offset),
                                    SAL_NONE);
    sal_vid mean = sal_b_reduce(b, "ReduceMean", g, 1, &first, false);

    m->saliency = mean;
    if (kind == SAL_NOISE_SQUARE)
        m->saliency = sal_b_reduce(b, "ReduceMean", sal_b2(b, "Mul", g, g), 1, &first, false);
    if (kind == SAL_NOISE_VARIANCE) {
        sal_vid off = sal_b2(b, "Sub", g, sal_b_unsqueeze(b, mean, 1, &first));

        m->saliency = sal_b_reduce(b, "ReduceMean", sal_b2(b, "Mul", off, off), 1, &first, false);
    }
    return b->st;
}
