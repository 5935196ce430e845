/* The inside of the public handles. */
#ifndef SAL_API_H
#define SAL_API_H

#include "graph/graph.h"
#include "graph/passes/passes.h"

#include <salience/salience.h>

/* Where the weights of a lean model come from. */
typedef struct api_source api_source;

struct sal_model {
    sal_graph *structure; /* as in the file, shapes inferred; without large weights when lean.
                             api_graph() gives the whole graph */
    char *path;
    bool in_memory;     /* path is a name for messages, no file */
    api_source *source; /* NULL unless lean */
};

/* The graph with its weights. *own: what the caller must free, NULL when the model keeps them;
 * *use: the graph, *own or the model's. */
sal_status api_graph(const sal_model *m, sal_graph **own, const sal_graph **use, sal_error *err);
/* The same as a graph of the caller's own: a clone that shares weights with the model, or, when it
 * is lean, the only owner of them. */
sal_status api_graph_own(const sal_model *m, sal_graph **out, sal_error *err);

/* What a field of a model's input or output is, for callers. */
void api_value_info(const sal_graph *g, sal_vid v, sal_value_info *out);
/* An options struct of this library's size, or an older, smaller one: copy it over the defaults. */
sal_status api_opts(void *out, size_t size, const void *opts, sal_error *err);
/* "own", "expansion", "zero", "none". */
const char *api_derivative(const sal_op_desc *op);
/* Hand the text over; "" when nothing was added. */
sal_status api_hand_over(sal_bytes *b, char **out, sal_error *err);
/* Copy with all passes applied. *out: sal_graph_free(). */
sal_status api_optimised(sal_graph **out, const sal_graph *g, sal_error *err);
/* What an explainer works on: the optimised model, or, where a layer or an inner value is asked for
 * by name that optimising would lose, the graph as it is in the file. *own (may become NULL):
 * sal_graph_free(), also after failure. */
sal_status api_explained(sal_graph **own, const sal_graph **use, const sal_model *model,
                         const sal_explain_opts *o, sal_error *err);
/* Bounds for inputs of the given shapes (rank < 0: not bound); bounds has room for all inputs.
 * Returns how many. */
int api_bounds(const sal_graph *g, const sal_tensor *shapes, sal_bound *bounds);

#endif
