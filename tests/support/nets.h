/* Small networks with random weights, built node by node, for tests of whole graphs. */
#ifndef SAL_TESTS_NETS_H
#define SAL_TESTS_NETS_H

#include "graph/graph.h"
#include "ops/builder.h"

typedef struct nets_opts {
    sal_dtype dtype;
    int64_t batch; /* 0: free, called N */
    bool bias;     /* all convolutions and the head have offsets */
    bool smooth;   /* Softplus in place of rectifiers: derivatives of any order exist */
    bool softmax;  /* the output is "probs", the logits stay an inner value */
    uint64_t seed;
} nets_opts;

/* Convolutional classifier: input "image" [N,3,12,12]; values "stem", "pooled", "features"
 * [N,8,6,6] (the last map, behind its activation), "logits" [N,5]; weights "head.weight" [5,8],
 * "head.bias" [5]. A residual connection, batch normalisation and max-pooling are in it. */
sal_status nets_cnn(sal_graph **out, const nets_opts *o, sal_error *err);
/* Transformer: input "image" [N,3,12,12], patches of 4, a class token, width 8, two heads, `blocks`
 * blocks; layer normalisations "block0.norm1" ...; output "logits" [N,5]. */
sal_status nets_vit(sal_graph **out, const nets_opts *o, int blocks, sal_error *err);

/* Uniform numbers in lo..hi. *out must be SAL_TENSOR_INIT. */
sal_status nets_uniform(sal_tensor *out, sal_dtype dtype, int rank, const int64_t *dims, double lo,
                        double hi, uint64_t seed, sal_error *err);
/* Add `count` inputs' worth: tensor for graph input i with the batch set to `batch`, uniform in
 * -1..1. */
sal_status nets_input(const sal_graph *g, size_t i, int64_t batch, uint64_t seed, sal_tensor *out,
                      sal_error *err);
/* Pearson correlation, and max |a - b| / max |b|. */
double nets_pearson(const sal_tensor *a, const sal_tensor *b);
double nets_rel(const sal_tensor *a, const sal_tensor *b);

#endif
