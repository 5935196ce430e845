/* Drawn baselines are level + spread * (max x - min x) * n_i, n_i normal from stream i of the
 * seed's complement, so that they have nothing to do with the noise of noise.c. Choices and places
 * come from stream i of another key. */
#include "explain/baselines.h"
#include "explain/explainer.h"
#include "explain/noise.h"

#include <math.h>

static sal_rng baselines_rng(uint64_t seed, size_t i)
{
    return sal_rng_seed(seed ^ 0x62617365u, i);
}

static size_t baselines_choice(uint64_t seed, size_t count, size_t i, bool choose)
{
    sal_rng rng = baselines_rng(seed, i);

    return (size_t)(choose ? sal_rng_u64(&rng) % count : i % count);
}

static double baselines_place(uint64_t seed, size_t i)
{
    sal_rng rng = baselines_rng(seed, i);

    (void)sal_rng_u64(&rng);
    return sal_rng_uniform(&rng);
}

/* Samples in the given ones: their elements are `elements` each. */
static sal_status baselines_count(const sal_tensor *given, size_t elements, size_t *count,
                                  sal_error *err)
{
    size_t n = (size_t)sal_tensor_count(given);

    if (given->dtype != SAL_F32 || elements == 0 || n == 0 || n % elements != 0)
        return sal_fail(err, SAL_ESHAPE,
                        "the baselines hold %zu elements of %s, but an input has %zu of float32", n,
                        sal_dtype_name(given->dtype), elements);
    *count = n / elements;
    return SAL_OK;
}

sal_status sal_baselines_begin(sal_baselines *b, const sal_method_run *r, const sal_tensor *x)
{
    const sal_method_desc *d = sal_explainer_method(r->e)->method;
    size_t n = (size_t)sal_tensor_count(x);

    *b = (sal_baselines){.elements = n,
                         .level = (float)sal_method_param(d, r->params, "baseline"),
                         .sigma = sal_noise_range(x->data, n) *
                                  (float)sal_method_param(d, r->params, "spread"),
                         .seed = r->seed};
    if (r->baselines == NULL)
        return SAL_OK;
    b->given = r->baselines->data;
    return baselines_count(r->baselines, n, &b->count, r->err);
}

void sal_baselines_get(const sal_baselines *b, size_t i, bool choose, float *out)
{
    if (b->given != NULL) {
        memcpy(out, b->given + baselines_choice(b->seed, b->count, i, choose) * b->elements,
               b->elements * sizeof(*out));
        return;
    }
    sal_noise_draw(~b->seed, i, b->elements, out);
    for (size_t k = 0; k < b->elements; k++)
        out[k] = b->level + b->sigma * out[k];
}

float sal_baselines_place(const sal_baselines *b, size_t i)
{
    return (float)baselines_place(b->seed, i);
}

/* ---- as values of a graph ---- */

/* Elements of a sample of the explained input. */
static size_t baselines_elements(const sal_method_build *m)
{
    const sal_value *v = sal_val(m->b->g, m->target->input);
    size_t n = 1;

    for (int i = m->target->batched ? 1 : 0; i < v->rank; i++)
        n *= (size_t)v->dims[i];
    return n;
}

/* Samples `which[0..n)` of the given ones as a constant [n, 1, ...] (lead) or [1, ...]. */
static sal_vid baselines_constant(sal_method_build *m, size_t n, bool choose, bool lead)
{
    sal_builder *b = m->b;
    const sal_value *v = sal_val(b->g, m->target->input);
    const float *given = m->baselines->data;
    int64_t dims[SAL_MAX_RANK];
    size_t elements = baselines_elements(m), count = 0;
    int at = 0, first = m->target->batched ? 1 : 0;
    sal_tensor t = SAL_TENSOR_INIT;

    if (b->st == SAL_OK && v->rank + 1 > SAL_MAX_RANK)
        b->st = sal_fail(b->err, SAL_EUNSUPPORTED, "input %s has too many dimensions", v->name);
    if (b->st == SAL_OK)
        b->st = baselines_count(m->baselines, elements, &count, b->err);
    if (b->st != SAL_OK)
        return SAL_NONE;
    if (lead)
        dims[at++] = (int64_t)n;
    for (int i = 0; i < v->rank; i++)
        dims[at++] = i < first ? 1 : v->dims[i];
    b->st = sal_tensor_new(&t, v->dtype, at, dims, b->err);
    for (size_t i = 0; b->st == SAL_OK && i < n; i++) {
        const float *row = given + baselines_choice(m->seed, count, i, choose) * elements;

        for (size_t k = 0; k < elements; k++)
            sal_tensor_set(&t, (int64_t)(i * elements + k), (double)row[k]);
    }
    sal_vid out = b->st == SAL_OK ? sal_b_tensor(b, &t) : SAL_NONE;
    sal_tensor_free(&t);
    return out;
}

sal_vid sal_baselines_build(sal_method_build *m, size_t n, bool choose)
{
    static const int64_t first = 0;
    sal_builder *b = m->b;
    sal_vid x = m->target->input;

    if (m->baselines != NULL)
        return baselines_constant(m, n, choose, true);
    sal_vid noise = sal_noise_constant(m, n, ~m->seed);
    sal_vid sigma = sal_b2(b, "Mul", sal_noise_build_range(m),
                           sal_b_like(b, x, sal_method_param(m->method, m->params, "spread")));
    sal_vid offset = sal_b2(b, "Mul", sal_b_unsqueeze(b, sigma, 1, &first), noise);
    return sal_b2(b, "Add", offset,
                  sal_b_like(b, x, sal_method_param(m->method, m->params, "baseline")));
}

/* A value that is known beforehand would be computed on by the slow evaluators while planning. So
 * this one depends on the input, if only in name. */
sal_vid sal_baselines_build_one(sal_method_build *m)
{
    sal_builder *b = m->b;
    sal_vid x = m->target->input;
    double level = m->baselines != NULL ? 0.0 : sal_method_param(m->method, m->params, "baseline");
    sal_vid bound = sal_b_like(b, x, level);
    sal_vid level_like = sal_b3(b, "Clip", x, bound, bound);

    if (m->baselines == NULL)
        return level_like;
    return sal_b2(b, "Add", level_like, baselines_constant(m, 1, false, false));
}

sal_vid sal_baselines_build_places(sal_method_build *m, size_t n)
{
    sal_builder *b = m->b;
    const sal_value *v = sal_val(b->g, m->target->input);
    int64_t dims[SAL_MAX_RANK] = {(int64_t)n, 1, 1, 1, 1, 1, 1, 1};
    sal_tensor t = SAL_TENSOR_INIT;

    if (b->st == SAL_OK)
        b->st = sal_tensor_new(&t, v->dtype, v->rank + 1, dims, b->err);
    for (size_t i = 0; b->st == SAL_OK && i < n; i++)
        sal_tensor_set(&t, (int64_t)i, baselines_place(m->seed, i));
    sal_vid out = b->st == SAL_OK ? sal_b_tensor(b, &t) : SAL_NONE;
    sal_tensor_free(&t);
    return out;
}

void sal_baselines_note(sal_method_build *m)
{
    if (m->baselines != NULL || m->notes == NULL || m->b->st != SAL_OK)
        return;
    m->b->st = sal_bytes_printf(m->notes, m->b->err,
                                "%sbaselines were drawn about %g with a deviation of %g of the "
                                "input's range: none were given",
                                m->notes->len > 0 ? "; " : "",
                                sal_method_param(m->method, m->params, "baseline"),
                                sal_method_param(m->method, m->params, "spread"));
}
