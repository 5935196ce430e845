/* Rerun: the same question through a plan made anew gives the same bytes. */
#include "evaluate/check.h"

#include <string.h>

static sal_status rerun_run(sal_check_run *r)
{
    sal_explanation again = SAL_EXPLANATION_INIT;
    sal_status st = SAL_OK;
    size_t differ = 0, n = (size_t)sal_tensor_count(&r->e->map);
    size_t bytes = sal_dtype_size(r->e->map.dtype);

    SAL_TRY(sal_explainer_run(r->explainer, r->inputs, r->query, &again, r->err));
    if ((size_t)sal_tensor_count(&again.map) != n || again.map.dtype != r->e->map.dtype) {
        sal_check_say(r, SAL_VERDICT_FAIL, 1.0, "the second map has another shape");
        goto done;
    }
    for (size_t i = 0; i < n; i++)
        differ += memcmp((const char *)again.map.data + i * bytes,
                         (const char *)r->e->map.data + i * bytes, bytes) != 0;
    if (differ == 0)
        sal_check_say(r, SAL_VERDICT_PASS, 0.0, "a second run gives the same bytes");
    else
        sal_check_say(r, SAL_VERDICT_FAIL, (double)differ / (double)n,
                      "a second run differs in %zu of %zu values", differ, n);
done:
    sal_explanation_free(&again);
    return st;
}

const sal_check_desc sal_check_rerun = {
    .info = {.name = "rerun",
             .title = "Rerun",
             .reference = "reproducibility",
             .help = "the same question once more, planned anew: fails unless all bytes are equal"},
    .run = rerun_run,
};
