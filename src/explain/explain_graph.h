/* The graph that explains: a model with an input `query` and an output `saliency`. The same graph
 * is run here and exported. */
#ifndef SAL_EXPLAIN_GRAPH_H
#define SAL_EXPLAIN_GRAPH_H

#include "explain/method.h"

typedef struct sal_explain_graph {
    sal_graph *graph; /* inputs: the model's, query, perhaps `other` */
    const sal_method_desc *method;
    double params[SAL_METHOD_MAX_PARAMS];
    sal_target target;
    sal_target found;  /* the same with the values' ids in the model, no query and no seed */
    sal_layer layer;   /* value is SAL_NONE for methods without */
    sal_vid saliency;  /* SAL_NONE for methods that need only forward passes */
    sal_vid layer_map; /* CAMs only */
    sal_vid other; /* input behind the query that holds the sample where variants are baselines */
    sal_bytes layer_text, notes;
} sal_explain_graph;

/* What is built. */
typedef enum sal_explain_purpose {
    SAL_FOR_RUN,     /* outputs: logits, saliency, for CAMs the map at the layer's size */
    SAL_FOR_FORWARD, /* output: logits */
    SAL_FOR_EXPORT,  /* outputs: the model's own, saliency */
} sal_explain_purpose;

/* Build from a model whose shapes are fixed but for the batch. *out: sal_explain_graph_free(), also
 * after failure. */
sal_status sal_explain_graph_build(sal_explain_graph *out, const sal_graph *model,
                                   const sal_explain_opts *opts, sal_explain_purpose purpose,
                                   sal_error *err);
void sal_explain_graph_free(sal_explain_graph *x);

/* Method and parameters of opts, checked; params has room for SAL_METHOD_MAX_PARAMS. */
sal_status sal_explain_params(const sal_explain_opts *opts, const sal_method_desc **method,
                              double *params, sal_error *err);

#endif
