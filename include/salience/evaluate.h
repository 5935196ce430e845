/* Can a map be trusted? Sanity checks of one explanation, and how much two maps are alike. */
#ifndef SALIENCE_EVALUATE_H
#define SALIENCE_EVALUATE_H

#include <salience/error.h>
#include <salience/explain.h>
#include <salience/model.h>
#include <salience/tensor.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- checks of one explanation ---- */

typedef enum sal_verdict {
    SAL_VERDICT_NONE,  /* the check says nothing here; the text tells why */
    SAL_VERDICT_PASS,  /* nothing speaks against the map */
    SAL_VERDICT_DOUBT, /* in between */
    SAL_VERDICT_FAIL,  /* the map is not what it claims to be */
} sal_verdict;

/* "none", "pass", "doubt", "fail". Static. */
SAL_API const char *sal_verdict_name(sal_verdict v);

typedef struct sal_check_info {
    const char *name;      /* "model-randomisation" */
    const char *title;     /* for people */
    const char *reference; /* paper or origin */
    const char *help;      /* what is done and where the limits are, one sentence */
} sal_check_info;

/* The table of checks, in the order in which they run. */
SAL_API size_t sal_check_count(void);
/* NULL beyond the end. Static. */
SAL_API const sal_check_info *sal_check_at(size_t i);

typedef struct sal_check_result {
    const sal_check_info *check;
    sal_verdict verdict;
    double value; /* what was measured; NaN when nothing was */
    double seconds;
    char text[240]; /* the measurement in words, one line */
} sal_check_result;

/* Run all checks on sample 0 of an explanation. model, opts, inputs and weights are those that made
 * `e`; all but the progress function of opts is used. out: room for sal_check_count() results. The
 * number of results that were written goes to *n: fewer when the progress function stopped it
 * (SAL_ECANCELLED). Costs about three more explanations and 55 forward passes. */
SAL_API SAL_MUST_USE sal_status sal_explain_check(const sal_model *model,
                                                  const sal_explain_opts *opts,
                                                  const sal_tensor *inputs,
                                                  const sal_tensor *weights,
                                                  const sal_explanation *e, sal_check_result *out,
                                                  size_t *n, sal_error *err);
/* The worst of the verdicts that are not SAL_VERDICT_NONE, SAL_VERDICT_NONE if all are. */
SAL_API sal_verdict sal_check_summary(const sal_check_result *results, size_t n);

/* ---- how much two maps are alike ---- */

typedef struct sal_similarity {
    double pearson;  /* of the values, -1..1; 0 when a map is constant */
    double spearman; /* of the ranks, ties at their mean rank, -1..1; 0 when a map is constant */
    double overlap;  /* of the top fifth of each: intersection over union, 0..1 */
} sal_similarity;

/* Compare n values. Errors: SAL_ENOMEM, SAL_EINVAL (n is 0; a value is not finite). */
SAL_API SAL_MUST_USE sal_status sal_map_similarity(sal_similarity *out, const float *a,
                                                   const float *b, size_t n, sal_error *err);

#ifdef __cplusplus
}
#endif
#endif
