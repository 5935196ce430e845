/* A prepared explanation method: graphs and plans that serve many inputs and questions. */
#ifndef SAL_EXPLAIN_EXPLAINER_H
#define SAL_EXPLAIN_EXPLAINER_H

#include "exec/session.h"
#include "exec/windows.h"
#include "explain/explain_graph.h"

/* Prepare. Free dimensions other than the batch are fixed to those of `like` (the model's inputs,
 * in graph order; may be NULL). *out: sal_explainer_free(). */
sal_status sal_explainer_new(sal_explainer **out, const sal_graph *model,
                             const sal_explain_opts *opts, const sal_tensor *like, sal_error *err);
/* The model once more, with its weights, as it was given to sal_explainer_new(). */
typedef sal_status (*sal_explainer_source)(void *ctx, const sal_explain_opts *opts, sal_graph **out,
                                           sal_error *err);
/* Keep weights in plans only: for methods of one pass the first plan takes them over, and `source`
 * is asked for the model before another is made. opts and like: as given to sal_explainer_new(). */
sal_status sal_explainer_lean(sal_explainer *e, const sal_explain_opts *opts,
                              const sal_tensor *like, sal_explainer_source source, void *ctx,
                              sal_error *err);
void sal_explainer_free(sal_explainer *e);
const sal_target *sal_explainer_target(const sal_explainer *e);
const sal_graph *
sal_explainer_graph(const sal_explainer *e); /* the model with its free dimensions fixed */

/* What the query weighs: the logits of every sample, float32 or float64. *out: sal_tensor_free().
 */
sal_status sal_explainer_logits(sal_explainer *e, const sal_tensor *inputs, sal_tensor *out,
                                sal_error *err);
/* Explain. inputs: the model's, in graph order. query: [1 or N, classes] float32, or the shape of
 * one sample of the output. *out: sal_explanation_free(). */
sal_status sal_explainer_run(sal_explainer *e, const sal_tensor *inputs, const sal_tensor *query,
                             sal_explanation *out, sal_error *err);
/* What was built for the method: layer, notes, parameters. */
const sal_explain_graph *sal_explainer_method(const sal_explainer *e);
/* The session that ran last; NULL before a run. */
const sal_session *sal_explainer_last(const sal_explainer *e);
/* Run the session of a method of one run once more and give the milliseconds of every step. */
sal_status sal_explainer_profile(sal_explainer *e, const sal_tensor *inputs,
                                 const sal_tensor *query, double *ms, sal_error *err);

/* ---- the batch evaluator, for methods that evaluate many variants of one sample ---- */

/* A result of the evaluator: T, and rows of its outputs. */
typedef struct sal_variant {
    double target;            /* sum(query * logits) */
    const sal_tensor *logits; /* of the batch; this variant's elements begin at row * elements */
    const sal_tensor *map;    /* NULL for forward jobs */
    int64_t row;
} sal_variant;

typedef struct sal_batch_job {
    size_t count;
    bool forward; /* only logits are wanted */
    bool quiet;   /* a side job: no progress is reported */
    void *ctx;
    /* Write variant i of the sample's explained input; x has the elements of one sample. */
    sal_status (*fill)(void *ctx, size_t i, float *x, sal_error *err);
    sal_status (*take)(void *ctx, size_t i, const sal_variant *v, sal_error *err);
    /* Rows and columns of a picture [C, H, W] outside of which variant i is the sample itself; NULL
     * when variants differ everywhere. */
    sal_box (*box)(void *ctx, size_t i);
} sal_batch_job;

/* T(x) of sample s. */
double sal_explainer_own_target(const sal_method_run *r, size_t s);
/* sum[k] += map[k] of the variant. */
void sal_variant_add(const sal_variant *v, size_t elements, double *sum);
/* Evaluate all variants of sample `s` in filled batches; memory does not depend on their number. */
sal_status sal_explainer_batch(const sal_method_run *r, size_t s, const sal_batch_job *job);
/* One sample of the explained input as float32. *out: sal_tensor_free(). */
sal_status sal_explainer_sample(const sal_method_run *r, size_t s, sal_tensor *out);

#endif
