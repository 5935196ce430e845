/* From words to weights: "why dog and not cat" as numbers on the model's classes. */
#ifndef SAL_EXPLAIN_QUERY_H
#define SAL_EXPLAIN_QUERY_H

#include "format/labels.h"
#include <salience/explain.h>

typedef struct sal_query {
    sal_tensor weights;  /* float32 [1 or n, classes] */
    int64_t *why, *foil; /* classes found, those of sample s from s * n_why (s * n_not) on */
    size_t n_why, n_not; /* for each sample */
    size_t rows;         /* samples with weights of their own: 1 or n */
    sal_bytes text;      /* of the first sample: "why 207 golden retriever, not 281 tabby" */
    sal_bytes notes;     /* which class an ambiguous name was taken for */
} sal_query;

/* True when the answer depends on the logits (top, or a name of several classes). */
bool sal_query_needs_logits(const sal_question *q, const sal_labels *labels);
/* Find the classes and their weights. dims: shape of one sample of the logits. logits: [n, ...],
 * NULL when not needed. labels: NULL when the classes have no names. *out: sal_query_free(), also
 * after failure. */
sal_status sal_query_resolve(sal_query *out, const sal_question *q, int rank, const int64_t *dims,
                             const sal_tensor *logits, const sal_labels *labels, sal_error *err);
void sal_query_free(sal_query *q);

#endif
