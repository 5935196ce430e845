#include "support/language_case.h"

#include "base/base.h"

#include <math.h>
#include <stdio.h>

enum { CASE_IDS, CASE_SEED, CASE_LOGITS, CASE_GRADIENT, CASE_FILES };

static double case_apart(const sal_tensor *a, const sal_tensor *b)
{
    double most = 0.0, apart = 0.0;

    if (a == NULL || sal_tensor_count(a) != sal_tensor_count(b))
        return INFINITY;
    for (int64_t i = 0; i < sal_tensor_count(b); i++) {
        double d = fabs(sal_tensor_get(a, i) - sal_tensor_get(b, i));

        most = fmax(most, fabs(sal_tensor_get(b, i)));
        apart = d <= apart ? apart : d; /* takes NaN */
    }
    return apart / most;
}

sal_status language_case(const char *model, const char *stem, double *logits, double *gradient,
                         sal_error *err)
{
    static const char *const endings[] = {"ids", "seed", "logits", "gradient"};
    const char *of = "logits", *wrt = "embeddings";
    sal_tensor t[CASE_FILES] = {SAL_TENSOR_INIT, SAL_TENSOR_INIT, SAL_TENSOR_INIT, SAL_TENSOR_INIT};
    sal_runner_opts o = SAL_RUNNER_OPTS_INIT;
    sal_runner *r = NULL;
    sal_model *m = NULL;
    char path[1024];
    sal_status st = SAL_OK;

    for (int i = 0; i < CASE_FILES; i++) {
        (void)snprintf(path, sizeof(path), "%s.%s.npy", stem, endings[i]);
        SAL_TRY(sal_npy_read(&t[i], path, err));
    }
    o.of = of;
    o.wrt = &wrt;
    o.n_wrt = 1;
    o.outputs = &of;
    o.n_outputs = 1;
    SAL_TRY(sal_model_open(&m, model, err));
    SAL_TRY(sal_runner_new(&r, m, &o, err));
    SAL_TRY(sal_runner_run(r, &t[CASE_IDS], &t[CASE_SEED], err));
    *logits = case_apart(sal_runner_output(r, 0), &t[CASE_LOGITS]);
    *gradient = case_apart(sal_runner_output(r, 1), &t[CASE_GRADIENT]);
done:
    sal_runner_free(r);
    sal_model_free(m);
    for (int i = 0; i < CASE_FILES; i++)
        sal_tensor_free(&t[i]);
    return st;
}
