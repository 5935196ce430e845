/* The table of checks and what they share. */
#define _POSIX_C_SOURCE 200809L /* clock_gettime */

#include "evaluate/check.h"
#include "evaluate/similarity.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#define SAL_CHECK(id) extern const sal_check_desc sal_check_##id;
#include "evaluate/checks.def"
#undef SAL_CHECK

static const sal_check_desc *const checks_table[] = {
#define SAL_CHECK(id) &sal_check_##id,
#include "evaluate/checks.def"
#undef SAL_CHECK
};

size_t sal_check_count(void)
{
    return SAL_COUNTOF(checks_table);
}

const sal_check_info *sal_check_at(size_t i)
{
    return i < SAL_COUNTOF(checks_table) ? &checks_table[i]->info : NULL;
}

const char *sal_verdict_name(sal_verdict v)
{
    static const char *const names[] = {"none", "pass", "doubt", "fail"};

    return (size_t)v < SAL_COUNTOF(names) ? names[v] : "none";
}

sal_verdict sal_check_summary(const sal_check_result *results, size_t n)
{
    sal_verdict worst = SAL_VERDICT_NONE;

    for (size_t i = 0; i < n; i++)
        worst = SAL_MAX(worst, results[i].verdict);
    return worst;
}

void sal_check_say(sal_check_run *r, sal_verdict verdict, double value, const char *fmt, ...)
{
    va_list args;

    r->out->verdict = verdict;
    r->out->value = value;
    va_start(args, fmt);
    (void)vsnprintf(r->out->text, sizeof(r->out->text), fmt, args);
    va_end(args);
}

sal_status sal_check_map(const sal_check_run *r, const sal_explanation *e, float **out, size_t *n)
{
    const sal_target *t = sal_explainer_target(r->explainer);
    size_t pixels = (size_t)(t->height * t->width);
    size_t elements = (size_t)sal_tensor_count(&e->map) / SAL_MAX(e->n, 1);
    size_t channels = pixels > 0 && elements % pixels == 0 ? elements / pixels : 1;
    size_t count = elements / channels;
    float *map = sal_calloc(count + 1, sizeof(*map));

    if (map == NULL)
        return sal_fail_nomem(r->err);
    for (size_t i = 0; i < count; i++) {
        double sum = 0.0;

        for (size_t c = 0; c < channels; c++)
            sum += sal_tensor_get(&e->map, (int64_t)(t->nhwc ? i * channels + c : c * count + i));
        map[i] = (float)sum;
    }
    *out = map;
    *n = count;
    return SAL_OK;
}

sal_status sal_check_alike(const sal_check_run *r, const sal_explanation *other, bool magnitudes,
                           double *out)
{
    float *a = NULL, *b = NULL;
    size_t n = 0;
    sal_similarity s, magnitude;
    sal_status st = SAL_OK;

    SAL_TRY(sal_check_map(r, r->e, &a, &n));
    SAL_TRY(sal_check_map(r, other, &b, &n));
    SAL_TRY(sal_map_similarity(&s, a, b, n, r->err));
    *out = fmax(s.spearman, 0.0);
    for (size_t i = 0; magnitudes && i < n; i++) {
        a[i] = fabsf(a[i]);
        b[i] = fabsf(b[i]);
    }
    SAL_TRY(sal_map_similarity(&magnitude, a, b, n, r->err));
    if (magnitudes)
        *out = fmax(*out, magnitude.spearman);
done:
    sal_free(a);
    sal_free(b);
    return st;
}

/* ---- running ---- */

typedef struct checks_progress {
    const sal_explain_opts *opts;
    double from, share;
} checks_progress;

static bool checks_step(void *ctx, double done)
{
    const checks_progress *p = ctx;

    return p->opts->progress(p->opts->progress_ctx, p->from + p->share * done);
}

static double checks_seconds(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

sal_status sal_checks_run(const sal_graph *model, const sal_explain_opts *opts,
                          const sal_tensor *inputs, const sal_tensor *query,
                          const sal_explanation *e, sal_check_result *out, size_t *n,
                          sal_error *err)
{
    checks_progress progress = {opts, 0.0, 1.0 / (double)SAL_COUNTOF(checks_table)};
    sal_explain_opts own = *opts;
    sal_check_run r = {
        .model = model, .opts = &own, .inputs = inputs, .query = query, .e = e, .err = err};
    sal_status st = SAL_OK;

    *n = 0;
    if (opts->progress != NULL) {
        own.progress = checks_step;
        own.progress_ctx = &progress;
    }
    SAL_TRY(sal_explainer_new(&r.explainer, model, &own, inputs, err));
    for (size_t i = 0; i < SAL_COUNTOF(checks_table); i++) {
        double began = checks_seconds();

        out[i] = (sal_check_result){.check = &checks_table[i]->info, .value = NAN};
        r.out = &out[i];
        progress.from = (double)i * progress.share;
        if (own.progress != NULL && !own.progress(own.progress_ctx, 0.0))
            SAL_TRY(sal_fail(err, SAL_ECANCELLED, "interrupted"));
        SAL_TRY(checks_table[i]->run(&r));
        out[i].seconds = checks_seconds() - began;
        *n = i + 1;
    }
done:
    sal_explainer_free(r.explainer);
    return st;
}
