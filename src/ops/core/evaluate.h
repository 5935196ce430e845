/* Reference evaluation, single-threaded: constant folding, the executor's fallback and the tests
 * use it. */
#ifndef SAL_OPS_CORE_EVALUATE_H
#define SAL_OPS_CORE_EVALUATE_H

#include "graph/op.h"

/* Compute one node. in: node->n_in pointers, NULL for omitted inputs. out: node->n_out pointers to
 * SAL_TENSOR_INIT tensors (free them), NULL for outputs that are not wanted. Floats of 16 bits are
 * widened to float32 and the results rounded. An operator without eval is computed through its
 * expansion. The shapes come from the inferred types of g when they are concrete, else from the
 * inputs at hand. */
sal_status sal_node_eval(const sal_graph *g, const sal_node *node, const sal_tensor *const *in,
                         sal_tensor *const *out, sal_error *err);
/* The same, but through the expansion when there is one. */
sal_status sal_node_eval_expanded(const sal_node *node, const sal_tensor *const *in,
                                  sal_tensor *const *out, sal_error *err);
/* Compute all outputs of the graph. inputs: in the order of g->inputs; outputs: g->n_outputs
 * tensors, to be freed by the caller; an output that is an input shares its storage. Only what the
 * outputs need is computed. */
sal_status sal_graph_evaluate(const sal_graph *g, const sal_tensor *inputs, sal_tensor *outputs,
                              sal_error *err);

#endif
