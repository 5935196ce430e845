/* Random logit: the map of another class must be another map. Of two classes one may well have the
 * other's map with the opposite sign, so the sign counts. */
#include "evaluate/check.h"

#include <math.h>

#define RANDOM_LOGIT_PASS 0.7
#define RANDOM_LOGIT_FAIL 0.95

/* A class that the question does not weigh, drawn with the seed; -1 when there is none. */
static int64_t random_logit_draw(const sal_check_run *r, int64_t classes)
{
    sal_rng rng = sal_rng_seed(r->opts->seed, 0x6c6f676974ULL);

    for (int tries = 0; tries < 64; tries++) {
        int64_t k = (int64_t)(sal_rng_uniform(&rng) * (double)classes);

        if (sal_tensor_get(r->query, k) == 0.0)
            return k;
    }
    return -1;
}

static sal_status random_logit_run(sal_check_run *r)
{
    int64_t classes = sal_explainer_target(r->explainer)->classes;
    sal_explanation other = SAL_EXPLANATION_INIT;
    sal_tensor query = SAL_TENSOR_INIT;
    int64_t k = classes < 2 ? -1 : random_logit_draw(r, classes);
    double alike = 0.0;
    sal_status st = SAL_OK;

    if (k < 0) {
        sal_check_say(r, SAL_VERDICT_NONE, NAN, "the output has no other element to ask about");
        return SAL_OK;
    }
    SAL_TRY(sal_tensor_new(&query, SAL_F32, r->query->rank, r->query->dims, r->err));
    for (int64_t i = k; i < sal_tensor_count(&query); i += classes)
        sal_tensor_set(&query, i, 1.0);
    SAL_TRY(sal_explainer_run(r->explainer, r->inputs, &query, &other, r->err));
    SAL_TRY(sal_check_alike(r, &other, false, &alike));
    sal_check_say(r,
                  alike <= RANDOM_LOGIT_PASS   ? SAL_VERDICT_PASS
                  : alike <= RANDOM_LOGIT_FAIL ? SAL_VERDICT_DOUBT
                                               : SAL_VERDICT_FAIL,
                  alike, "rank correlation %.2f with the map of class %lld, drawn at random", alike,
                  (long long)k);
done:
    sal_explanation_free(&other);
    sal_tensor_free(&query);
    return st;
}

const sal_check_desc sal_check_random_logit = {
    .info = {.name = "random-logit",
             .title = "Random logit",
             .reference = "Sixt et al., 2020, arXiv:1912.09818",
             .help = "rank correlation with the map of another class: passes up to 0.7, fails "
                     "above 0.95"},
    .run = random_logit_run,
};
