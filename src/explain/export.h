/* A model and a method as one ONNX file. */
#ifndef SAL_EXPLAIN_EXPORT_H
#define SAL_EXPLAIN_EXPORT_H

#include "explain/explain_graph.h"

/* Build the graph that has the model's inputs and outputs, the input `query` [batch or 1, classes]
 * and the output `saliency`, in standard operators only. *out: sal_graph_free(). info (may be NULL)
 * takes what a reader should know: layer and notes, one line each. */
sal_status sal_export_graph(sal_graph **out, const sal_graph *model, const sal_explain_opts *opts,
                            sal_bytes *info, sal_error *err);
/* The same, written to a file. */
sal_status sal_export_write(const sal_graph *model, const sal_explain_opts *opts, const char *path,
                            sal_bytes *info, sal_error *err);

#endif
