/* What passes share: replace values, kill nodes, append nodes, then put the graph in order once. */
#ifndef SAL_GRAPH_REWRITE_H
#define SAL_GRAPH_REWRITE_H

#include "graph/graph.h"
#include "graph/op.h"

typedef struct sal_rewrite {
    sal_graph *g;
    sal_error *err;
    sal_vid *alias;  /* by value: SAL_NONE, or the value that replaces it */
    int32_t *uses;   /* by value: readers at the beginning, graph outputs included */
    uint8_t *is_out; /* by value: a graph output */
    size_t cap;      /* entries of the three */
    uint8_t *dead;   /* by node id */
    size_t cap_nodes;
    bool changed;
} sal_rewrite;

sal_status sal_rewrite_begin(sal_rewrite *r, sal_graph *g, sal_error *err);
/* All readers of `from` are to read `to`. False (and nothing happens) when `from` is a graph output
 * whose place `to` cannot take: an input, a constant or another output. */
bool sal_rewrite_replace(sal_rewrite *r, sal_vid from, sal_vid to);
void sal_rewrite_kill(sal_rewrite *r, const sal_node *n);
/* Append a node that computes output 0 of `last` instead of it: the value keeps its id, name and
 * readers, and `last` dies. SAL_EUNSUPPORTED when the operator is not in the table. */
sal_status sal_rewrite_supplant(sal_rewrite *r, const sal_node *last, const char *op,
                                const char *name, int n_in, const sal_vid *in, int n_attr,
                                const sal_attr *attr);
/* Append a node with one new value, *out. */
sal_status sal_rewrite_append(sal_rewrite *r, const char *op, int n_in, const sal_vid *in,
                              int n_attr, const sal_attr *attr, sal_vid *out);
/* Room for every value and node of the graph and some more: needed after values were added. */
sal_status sal_rewrite_fit(sal_rewrite *r);
/* Apply the replacements, drop dead nodes, sort, renumber. Call it in every case: it also releases.
 */
sal_status sal_rewrite_end(sal_rewrite *r, sal_status st);

/* The value that stands for v by now. */
sal_vid sal_rewrite_now(const sal_rewrite *r, sal_vid v);
/* Node that produces (what stands for) v, if it is alive and called `op` (NULL: any). */
const sal_node *sal_rewrite_producer(const sal_rewrite *r, sal_vid v, const char *op);
/* v is read once and is no graph output. */
bool sal_rewrite_single(const sal_rewrite *r, sal_vid v);

/* ---- questions about values, for all passes ---- */

bool sal_node_is(const sal_node *n, const char *op);      /* operator of ONNX's own domain */
bool sal_node_is_ours(const sal_node *n, const char *op); /* of the internal domain */
const sal_tensor *sal_value_constant(const sal_graph *g,
                                     sal_vid v); /* NULL when omitted or computed */
/* The single number that constant v consists of. */
bool sal_value_number(const sal_graph *g, sal_vid v, double *out);
/* Integers of a constant of rank <= 1; count -1 when it is none or longer than cap. */
int sal_value_integers(const sal_graph *g, sal_vid v, int64_t *out, int cap);
/* Same rank and dims (symbols included). */
bool sal_value_same_shape(const sal_graph *g, sal_vid a, sal_vid b);
/* Run a node's inference; errors name the node. */
sal_status sal_node_reinfer(sal_graph *g, const sal_node *n, sal_error *err);

#endif
