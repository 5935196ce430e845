/* What the operators that hold graphs (If, Loop, Scan) need to put them in their own place. */
#ifndef SAL_GRAPH_UNFOLD_H
#define SAL_GRAPH_UNFOLD_H

#include "graph/passes/fold.h"

enum {
    /* Nodes that loops may be unrolled to, and graphs in graphs. */
    SAL_UNFOLD_NODES_MAX = 200000,
    SAL_UNFOLD_ROUNDS_MAX = 20000,
    SAL_UNFOLD_DEPTH_MAX = 64,
};

struct sal_unfold {
    sal_graph *g;
    const sal_fold *how;
    bool run; /* the graph is about to be run: a loop may be unrolled in part */
    size_t grown, added;
    int depth;
    sal_error *err;
};

/* Append a copy of `body`, in[i] in the place of its input i. out[i]: the value of its output i.
 * `name` begins the names of what is made. constants: body->n_values entries of SAL_NONE at first;
 * keeps the body's constants for the next copy. */
sal_status sal_unfold_body(sal_unfold *u, const sal_graph *body, const char *name,
                           sal_vid *constants, const sal_vid *in, sal_vid *out);
/* Append a node of one output, inferred and folded. *out SAL_NONE: the value is made. */
sal_status sal_unfold_node(sal_unfold *u, const char *op, const char *name, int n_in,
                           const sal_vid *in, int n_attr, const sal_attr *attr, sal_vid *out);
/* Append any node. */
sal_status sal_unfold_append(sal_unfold *u, const sal_op_desc *op, const char *name, int n_in,
                             const sal_vid *in, int n_out, const sal_vid *out, int n_attr,
                             const sal_attr *attr);
/* Output i of the node that is being replaced is v. */
sal_status sal_unfold_result(sal_unfold *u, const sal_node *n, int i, sal_vid v);
/* Constants; rank 0 or, for a list, 1. */
sal_status sal_unfold_int(sal_unfold *u, sal_dtype dtype, int rank, int64_t v, sal_vid *out);
/* Stack `count` >= 1 values along a new axis. */
sal_status sal_unfold_stack(sal_unfold *u, const char *name, int64_t axis, size_t count,
                            const sal_vid *v, sal_vid *out);
/* A single truth value or number, when it is known. */
bool sal_unfold_known(const sal_unfold *u, sal_vid v, int64_t *out);

/* Put the graphs of If, Loop and Scan in the place of their nodes wherever it is known by now how
 * often they run; constants are folded on the way. run: unroll loops also as far as is known. */
sal_status sal_pass_unfold(sal_graph *g, const sal_fold *how, bool run, sal_error *err);
/* Is there a node that holds graphs? */
bool sal_graph_has_control(const sal_graph *g);

#endif
