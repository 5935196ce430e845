/* What a sanity check is. One const descriptor a check, at the end of src/evaluate/checks/<id>.c;
 * its row in src/evaluate/checks.def is the only other edit. */
#ifndef SAL_EVALUATE_CHECK_H
#define SAL_EVALUATE_CHECK_H

#include "explain/explainer.h"

#include <salience/evaluate.h>

typedef struct sal_check_run {
    const sal_graph *model;       /* what the explanation was made from */
    const sal_explain_opts *opts; /* the same method and parameters */
    const sal_tensor *inputs, *query;
    const sal_explanation *e;
    sal_explainer *explainer; /* planned anew, for the same model */
    sal_check_result *out;
    sal_error *err;
} sal_check_run;

typedef struct sal_check_desc {
    sal_check_info info;
    sal_status (*run)(sal_check_run *r);
} sal_check_desc;

/* Run all on sample 0. *n: results written. */
sal_status sal_checks_run(const sal_graph *model, const sal_explain_opts *opts,
                          const sal_tensor *inputs, const sal_tensor *query,
                          const sal_explanation *e, sal_check_result *out, size_t *n,
                          sal_error *err);

/* ---- for the checks' files ---- */

/* Set verdict, value and text. */
void sal_check_say(sal_check_run *r, sal_verdict verdict, double value, const char *fmt, ...)
    SAL_PRINTF(4, 5);
/* Sample 0 of a map as floats, the channels of a picture summed. *out: sal_free(). */
sal_status sal_check_map(const sal_check_run *r, const sal_explanation *e, float **out, size_t *n);
/* How much alike two maps are to a reader, 0..1: the rank correlation of the values, or, with
 * `magnitudes`, of the values or of their magnitudes, whichever is larger; 0 when a map is
 * constant.
 */
sal_status sal_check_alike(const sal_check_run *r, const sal_explanation *other, bool magnitudes,
                           double *out);

#endif
