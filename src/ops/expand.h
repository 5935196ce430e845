/* Rewrite nodes in simpler operators, in place. */
#ifndef SAL_OPS_EXPAND_H
#define SAL_OPS_EXPAND_H

#include "graph/graph.h"
#include "graph/op.h"

/* True for nodes that are to be replaced by their expansion. */
typedef bool (*sal_expand_predicate)(const sal_graph *g, const sal_node *n, void *ctx);

/* Replace every node for which `want` says so by its expansion, repeatedly, until none is left.
 * Graph outputs keep their names. Errors: SAL_EUNSUPPORTED when such a node has no expansion. */
sal_status sal_pass_expand(sal_graph *g, sal_expand_predicate want, void *ctx, sal_error *err);

/* The operator set of ai.onnx that this node needs: a later one than its operator where it has
 * attributes or inputs that came later. */
int sal_node_since(const sal_node *n);

/* Predicate: what is to be replaced before a graph is written for other engines: operators that are
 * not ONNX's own, and Attention with a window (operator set 25), which engines do not have yet. */
bool sal_expand_if_internal(const sal_graph *g, const sal_node *n, void *ctx);
/* Predicate: operators with SAL_OP_ON_READ. */
bool sal_expand_if_on_read(const sal_graph *g, const sal_node *n, void *ctx);

#endif
