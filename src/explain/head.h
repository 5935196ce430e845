/* The head of a model: the part from a layer to the logits, run from cached values.
 *
 * Everything before the layer runs once a sample. The head reads the layer and, where other paths
 * lead around it (a residual connection, say), the values that they bring; those are kept too and
 * never computed again. */
#ifndef SAL_EXPLAIN_HEAD_H
#define SAL_EXPLAIN_HEAD_H

#include "explain/explainer.h"

typedef struct sal_head sal_head;

/* The explainer's head behind its layer, planned when first wanted for `count` variants; with a
 * count of 0 only what lies before the layer. Borrowed. */
sal_status sal_head_open(const sal_method_run *r, size_t count, sal_head **out);
/* Run what lies before the layer for sample s and keep it. */
sal_status sal_head_cache(sal_head *h, const sal_method_run *r, size_t s);
/* The layer's values of that sample as float32, one sample of it: [C, h, w] or as the layer's
 * layout says. Borrowed until the next sal_head_cache(). */
const float *sal_head_layer(const sal_head *h, size_t *elements);

typedef struct sal_head_job {
    size_t count;
    void *ctx;
    /* Change the layer for variant i. x holds the values that the slot had before: those of
     * sal_head_layer() the first time, then what the last variant in it left. */
    sal_status (*fill)(void *ctx, size_t i, size_t slot, float *x, sal_error *err);
    sal_status (*take)(void *ctx, size_t i, double target, sal_error *err);
} sal_head_job;

/* T of every variant, in full batches. */
sal_status sal_head_run(sal_head *h, const sal_method_run *r, size_t s, const sal_head_job *job);
void sal_head_free(sal_head *h);

#endif
