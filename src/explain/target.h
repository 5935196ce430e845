/* What is asked about a model: which input, which output, and the weights on it. */
#ifndef SAL_EXPLAIN_TARGET_H
#define SAL_EXPLAIN_TARGET_H

#include "graph/graph.h"
#include "ops/builder.h"

typedef struct sal_target {
    sal_vid input;   /* the input to explain */
    int input_index; /* its place among the graph's inputs */
    sal_vid output;  /* the output asked about */
    sal_vid
        logits; /* the value that is differentiated: the output, or what its final softmax reads */
    sal_vid query;         /* graph input: weights, [1 or N, per-sample shape of logits] */
    sal_vid seed;          /* the query brought to the shape of logits: dT/dlogits */
    bool batched;          /* axis 0 of input and logits counts samples */
    bool nhwc;             /* 4-D input with channels last */
    int64_t classes;       /* elements of a sample of logits; -1 when not fixed */
    int64_t height, width; /* of the input picture; 0 when the input is none */
} sal_target;

/* Look the model over and fill *t, without query and seed. Names may be NULL. */
sal_status sal_target_find(sal_target *t, const sal_graph *g, const char *input, const char *output,
                           bool probabilities, sal_error *err);
/* Add the graph input `query` and the seed. */
sal_status sal_target_add_query(sal_target *t, sal_graph *g, sal_error *err);
/* Which of two names a new value may have: `name`, for which an inner value of the model gives way,
 * or `fallback` when an input or output of the model has it. */
sal_status sal_target_claim_name(sal_graph *g, const char *name, const char *fallback,
                                 const char **out, sal_error *err);
/* True for samples along axis 0 of v: same first dimension as the explained input. */
bool sal_target_is_batch(const sal_target *t, const sal_graph *g, sal_vid v);

#endif
