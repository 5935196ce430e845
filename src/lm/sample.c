/* Sampling: candidates in a heap of the best k, then probabilities of what is left. */
#include "lm/sample.h"

#include <math.h>
#include <stdlib.h>

typedef struct sample_candidate {
    float logit;
    int32_t id;
    double p;
} sample_candidate;

struct sal_sampler {
    sal_sample_opts opts;
    sal_rng rng;
    int64_t vocabulary;
    sample_candidate *kept;
    size_t n_kept;
    float *changed;  /* logits after the penalty; NULL without one */
    int32_t *window; /* ring of the last tokens */
    size_t n_window, at;
};

static sal_status sample_check(const sal_sample_opts *o, sal_error *err)
{
    if (!(o->temperature >= 0.0) || !isfinite(o->temperature))
        return sal_fail(err, SAL_EINVAL, "temperature must be 0 or more, not %g", o->temperature);
    if (o->top_k < 0)
        return sal_fail(err, SAL_EINVAL, "top-k must be 0 (all) or more, not %d", (int)o->top_k);
    if (!(o->top_p > 0.0 && o->top_p <= 1.0))
        return sal_fail(err, SAL_EINVAL, "top-p must be above 0 and at most 1, not %g", o->top_p);
    if (!(o->min_p >= 0.0 && o->min_p <= 1.0))
        return sal_fail(err, SAL_EINVAL, "min-p must be between 0 and 1, not %g", o->min_p);
    if (!(o->repetition_penalty > 0.0) || !isfinite(o->repetition_penalty))
        return sal_fail(err, SAL_EINVAL, "repetition penalty must be above 0, not %g",
                        o->repetition_penalty);
    if (o->penalty_window < 0 || o->penalty_window > 1 << 20)
        return sal_fail(
            err, SAL_EINVAL,
            "the window of the repetition penalty must be between 0 and 1048576, not %d",
            (int)o->penalty_window);
    return SAL_OK;
}

sal_status sal_sampler_new(sal_sampler **out, const sal_sample_opts *opts, uint64_t stream,
                           int64_t vocabulary, sal_error *err)
{
    sal_sampler *s = NULL;
    sal_status st = SAL_OK;

    *out = NULL;
    SAL_TRY(sample_check(opts, err));
    s = sal_calloc(1, sizeof(*s));
    if (s == NULL)
        SAL_TRY(sal_fail_nomem(err));
    s->opts = *opts;
    s->rng = sal_rng_seed(opts->seed, stream);
    s->vocabulary = vocabulary;
    s->kept = sal_calloc((size_t)vocabulary + 1, sizeof(*s->kept));
    if (s->kept == NULL)
        SAL_TRY(sal_fail_nomem(err));
    if (opts->repetition_penalty != 1.0 && opts->penalty_window > 0) {
        s->changed = sal_calloc((size_t)vocabulary + 1, sizeof(*s->changed));
        s->window = sal_calloc((size_t)opts->penalty_window, sizeof(*s->window));
        if (s->changed == NULL || s->window == NULL)
            SAL_TRY(sal_fail_nomem(err));
    }
    *out = s;
    s = NULL;
done:
    sal_sampler_free(s);
    return st;
}

void sal_sampler_free(sal_sampler *s)
{
    if (s == NULL)
        return;
    sal_free(s->kept);
    sal_free(s->changed);
    sal_free(s->window);
    sal_free(s);
}

void sal_sampler_accept(sal_sampler *s, int32_t id)
{
    size_t size = (size_t)s->opts.penalty_window;

    if (s->window == NULL || id < 0 || id >= s->vocabulary)
        return;
    s->window[s->at] = id;
    s->at = (s->at + 1) % size;
    s->n_window = SAL_MIN(s->n_window + 1, size);
}

/* Every token of the window once, however often it is there. */
static const float *sample_penalise(sal_sampler *s, const float *logits)
{
    double penalty = s->opts.repetition_penalty;

    if (s->window == NULL || s->n_window == 0)
        return logits;
    memcpy(s->changed, logits, (size_t)s->vocabulary * sizeof(*logits));
    for (size_t i = 0; i < s->n_window; i++) {
        float was = logits[s->window[i]];

        s->changed[s->window[i]] =
            (float)(was > 0.0F ? (double)was / penalty : (double)was * penalty);
    }
    return s->changed;
}

static bool sample_better(sample_candidate a, sample_candidate b)
{
    return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

static int sample_order(const void *a, const void *b)
{
    const sample_candidate *x = a, *y = b;

    return sample_better(*x, *y) ? -1 : 1;
}

/* Heap with the worst at the root. */
static void sample_sink(sample_candidate *heap, size_t n, size_t i)
{
    sample_candidate moved = heap[i];

    for (;;) {
        size_t c = 2 * i + 1;

        if (c >= n)
            break;
        if (c + 1 < n && sample_better(heap[c], heap[c + 1]))
            c++;
        if (sample_better(heap[c], moved))
            break;
        heap[i] = heap[c];
        i = c;
    }
    heap[i] = moved;
}

/* The best k, best first; k = 0: all, in the order of the best only if `sorted`. */
static void sample_top(sal_sampler *s, const float *logits, size_t k, bool sorted)
{
    sample_candidate *heap = s->kept;
    size_t n = 0, most = k == 0 ? (size_t)s->vocabulary : SAL_MIN(k, (size_t)s->vocabulary);

    for (int64_t i = 0; i < s->vocabulary; i++) {
        sample_candidate c = {logits[i], (int32_t)i, 0.0};

        if (isnan(c.logit))
            continue;
        if (n < most) {
            heap[n++] = c;
            if (n == most && k > 0) {
                for (size_t j = n / 2; j-- > 0;)
                    sample_sink(heap, n, j);
            }
        } else if (sample_better(c, heap[0])) {
            heap[0] = c;
            sample_sink(heap, n, 0);
        }
    }
    s->n_kept = n;
    if (sorted)
        qsort(heap, n, sizeof(*heap), sample_order);
}

static int32_t sample_best(const sal_sampler *s, const float *logits)
{
    int32_t best = 0;

    for (int64_t i = 1; i < s->vocabulary; i++) {
        if (logits[i] > logits[best] || isnan(logits[best]))
            best = (int32_t)i;
    }
    return best;
}

/* p of the kept ones at a temperature; returns the largest logit's. */
static void sample_softmax(sal_sampler *s, double temperature)
{
    float most = -INFINITY;
    double sum = 0.0;

    for (size_t i = 0; i < s->n_kept; i++)
        most = s->kept[i].logit > most ? s->kept[i].logit : most;
    for (size_t i = 0; i < s->n_kept; i++) {
        double d = (double)s->kept[i].logit - (double)most;

        s->kept[i].p = isnan(d) ? 1.0 : exp(d / temperature); /* NaN: inf - inf */
        sum += s->kept[i].p;
    }
    for (size_t i = 0; i < s->n_kept; i++)
        s->kept[i].p /= sum;
}

static void sample_top_p(sal_sampler *s)
{
    double sum = 0.0;
    size_t n = 0;

    while (n < s->n_kept && sum < s->opts.top_p)
        sum += s->kept[n++].p;
    s->n_kept = SAL_MAX(n, 1);
}

static void sample_min_p(sal_sampler *s)
{
    double most = 0.0;
    size_t n = 0;

    for (size_t i = 0; i < s->n_kept; i++)
        most = SAL_MAX(most, s->kept[i].p);
    for (size_t i = 0; i < s->n_kept; i++) {
        if (s->kept[i].p >= s->opts.min_p * most)
            s->kept[n++] = s->kept[i];
    }
    s->n_kept = n;
}

int32_t sal_sampler_pick(sal_sampler *s, const float *logits)
{
    const sal_sample_opts *o = &s->opts;
    double r, sum = 0.0;

    logits = sample_penalise(s, logits);
    if (o->temperature == 0.0)
        return sample_best(s, logits);
    sample_top(s, logits, (size_t)o->top_k, o->top_p < 1.0);
    if (s->n_kept == 0)
        return 0;
    if (o->top_p < 1.0 || o->min_p > 0.0)
        sample_softmax(s, 1.0);
    if (o->top_p < 1.0)
        sample_top_p(s);
    if (o->min_p > 0.0)
        sample_min_p(s);
    sample_softmax(s, o->temperature);
    r = sal_rng_uniform(&s->rng);
    for (size_t i = 0; i < s->n_kept; i++) {
        sum += s->kept[i].p;
        if (r < sum)
            return s->kept[i].id;
    }
    return s->kept[s->n_kept - 1].id;
}
