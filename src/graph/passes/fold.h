/* Folding of one node, for the passes that interleave it with inference. */
#ifndef SAL_GRAPH_FOLD_H
#define SAL_GRAPH_FOLD_H

#include "graph/passes/passes.h"
#include "graph/passes/rewrite.h"

/* Make the outputs of n constant if that can and should be done. *grown: bytes made out of nothing
 * so far. The caller drops the node when *folded. */
sal_status sal_fold_node(sal_graph *g, const sal_node *n, const sal_fold *how, size_t *grown,
                         bool *folded, sal_error *err);

#endif
