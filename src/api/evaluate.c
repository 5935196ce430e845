/* Checks of an explanation, for callers. */
#include "api/api.h"

#include "evaluate/check.h"

sal_status sal_explain_check(const sal_model *model, const sal_explain_opts *opts,
                             const sal_tensor *inputs, const sal_tensor *weights,
                             const sal_explanation *e, sal_check_result *out, size_t *n,
                             sal_error *err)
{
    sal_explain_opts o = SAL_EXPLAIN_OPTS_INIT;
    const sal_graph *use;
    sal_graph *own = NULL;
    sal_status st = SAL_OK;

    *n = 0;
    SAL_TRY(api_opts(&o, sizeof(o), opts, err));
    if (e->n < 1 || e->map.data == NULL)
        SAL_TRY(sal_fail(err, SAL_EINVAL, "there is no map to check"));
    SAL_TRY(api_explained(&own, &use, model, &o, err));
    SAL_TRY(sal_checks_run(use, &o, inputs, weights, e, out, n, err));
done:
    sal_graph_free(own);
    return st;
}
