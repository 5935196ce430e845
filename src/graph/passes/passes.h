/* Passes: rewrite a graph in place without changing what it computes. Names of graph inputs and
 * outputs stay; values keep their ids (some lose their producer), nodes are renumbered. */
#ifndef SAL_GRAPH_PASSES_H
#define SAL_GRAPH_PASSES_H

#include "graph/graph.h"

/* How to compute one node on constants: sal_node_eval of ops/core/evaluate.h, which this layer
 * cannot see. */
typedef sal_status (*sal_eval_fn)(const sal_graph *g, const sal_node *node,
                                  const sal_tensor *const *in, sal_tensor *const *out,
                                  sal_error *err);

/* Folding replaces nodes whose inputs are constants by their results. A result that is larger than
 * the node's inputs together and than grow_max stays a node (ConstantOfShape, Expand and Tile make
 * much out of little); all such results together stay below grow_total. */
typedef struct sal_fold {
    sal_eval_fn eval;
    size_t grow_max;
    size_t grow_total;
    bool keep_transposed; /* large transposed weights of matrix products stay nodes: kernels read
                             them where they lie, so forward and backward share one copy */
    bool weights;         /* DequantizeLinear of constants too, whatever its size */
} sal_fold;

#define SAL_FOLD(fn)                                                                               \
    {                                                                                              \
        (fn), (size_t)1 << 20, (size_t)64 << 20, false, false                                      \
    } /* for files that will be written */
#define SAL_FOLD_EXEC(fn)                                                                          \
    {                                                                                              \
        (fn), (size_t)1 << 29, (size_t)1 << 31, true, true                                         \
    } /* for graphs about to be run */

sal_status sal_pass_dce(sal_graph *g, sal_error *err); /* nodes and constants that nothing needs */
sal_status sal_pass_fold(sal_graph *g, const sal_fold *how, sal_error *err);
sal_status sal_pass_cse(sal_graph *g, sal_error *err); /* equal nodes and small equal constants */
sal_status sal_pass_identity(sal_graph *g, sal_error *err); /* nodes that change nothing */
sal_status sal_pass_bn(sal_graph *g,
                       sal_error *err); /* scale and shift into the convolution before */
sal_status sal_pass_recognise(sal_graph *g,
                              sal_error *err); /* written-out Gelu, LayerNormalization ... */
/* Compute only the row that a Gather picks; values between change their shape, so this one is not
 * among those of sal_pass_all. */
sal_status sal_pass_narrow(sal_graph *g, sal_error *err);
/* All of them but narrowing in a useful order. */
sal_status sal_pass_all(sal_graph *g, const sal_fold *how, sal_error *err);

/* The passes that need nothing but a graph, for listings and tests. */
typedef struct sal_pass {
    const char *name;
    const char *what;
    sal_status (*run)(sal_graph *g, sal_error *err);
} sal_pass;
size_t sal_pass_count(void);
const sal_pass *sal_pass_at(size_t i);

/* ---- specialisation ---- */

/* Shape of one graph input. */
typedef struct sal_bound {
    int32_t input; /* index into g->inputs */
    int32_t rank;
    int64_t dims[SAL_MAX_RANK];
} sal_bound;

typedef struct sal_bound_symbol {
    const char *name;
    int64_t value;
} sal_bound_symbol;

/* Copy of g for concrete input shapes: symbols are replaced, shapes inferred anew and shape
 * arithmetic folded on the way. Inputs that are not listed get their shapes through shared symbols.
 * Afterwards every shape is concrete, except where it depends on data (exec/staged.h). Constants
 * are shared with g. Value ids stay. *out: sal_graph_free(). */
sal_status sal_graph_bind(sal_graph **out, const sal_graph *g, int n, const sal_bound *inputs,
                          const sal_fold *how, sal_error *err);
/* The same for some symbols only (everything but the batch, say); the rest may stay symbolic. */
sal_status sal_graph_bind_symbols(sal_graph **out, const sal_graph *g, int n,
                                  const sal_bound_symbol *symbols, const sal_fold *how,
                                  sal_error *err);

/* Infer all nodes anew from the inputs' shapes, with folding, and unfold control flow. run: as in
 * sal_pass_unfold(). */
sal_status sal_graph_reinfer(sal_graph *g, const sal_fold *how, bool run, sal_error *err);

/* Copy of g that computes the given values, which become its outputs in that order. All inputs
 * stay. */
sal_status sal_graph_extract(sal_graph **out, const sal_graph *g, int n, const sal_vid *outputs,
                             sal_error *err);

/* Copy of g that computes the outputs from the given values, which become its inputs in that order;
 * an input must be no constant. What the outputs need besides and no input replaces stays an input
 * only in name: list everything. Value ids stay. */
sal_status sal_graph_cut(sal_graph **out, const sal_graph *g, int n_in, const sal_vid *inputs,
                         int n_out, const sal_vid *outputs, sal_error *err);

#endif
