/* ONNX files out. */
#ifndef SAL_ONNX_WRITE_H
#define SAL_ONNX_WRITE_H

#include "graph/graph.h"

/* Weights beyond this many bytes go to PATH.data: protobuf messages end at 2 GB. */
#define SAL_ONNX_INLINE_MAX ((size_t)1900 * 1000 * 1000)

/* Write the graph with the lowest operator set (13 at least) that has all its operators in the form
 * at hand. Operators that ONNX lacks must have been expanded before (SAL_EUNSUPPORTED names the
 * node). The file appears whole or not at all. */
sal_status sal_onnx_write(const sal_graph *g, const char *path, sal_error *err);
/* The same with a limit of one's own for weights that stay in the file. */
sal_status sal_onnx_write_limit(const sal_graph *g, const char *path, size_t inline_max,
                                sal_error *err);
/* The same into memory; everything inline. *out: sal_bytes_free(). */
sal_status sal_onnx_write_memory(const sal_graph *g, sal_bytes *out, sal_error *err);

#endif
