/* Completeness: a map that promises to add up to T(x) - T(baseline) does so. */
#include "evaluate/check.h"

#include <math.h>

#define COMPLETENESS_PASS 0.02
#define COMPLETENESS_FAIL 0.1

static sal_status completeness_run(sal_check_run *r)
{
    double whole, missed;

    if (r->e->residual == NULL) {
        sal_check_say(r, SAL_VERDICT_NONE, NAN, "the method promises no sum");
        return SAL_OK;
    }
    whole = r->e->target[0] - (r->e->baseline_target == NULL ? 0.0 : r->e->baseline_target[0]);
    missed = fabs(r->e->residual[0]) / fmax(fabs(whole), 1e-12);
    sal_check_say(r,
                  missed <= COMPLETENESS_PASS   ? SAL_VERDICT_PASS
                  : missed <= COMPLETENESS_FAIL ? SAL_VERDICT_DOUBT
                                                : SAL_VERDICT_FAIL,
                  missed, "the map sums to %.4g where %.4g is explained: %.2g %% missed",
                  whole + r->e->residual[0], whole, 100.0 * missed);
    return SAL_OK;
}

const sal_check_desc sal_check_completeness = {
    .info = {.name = "completeness",
             .title = "Completeness",
             .reference = "Sundararajan et al., 2017, arXiv:1703.01365",
             .help = "the share of T(x) - T(baseline) that the map's sum misses: passes up to 2 %, "
                     "fails above 10 %"},
    .run = completeness_run,
};
