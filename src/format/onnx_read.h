/* ONNX files in. */
#ifndef SAL_ONNX_READ_H
#define SAL_ONNX_READ_H

#include "graph/graph.h"

/* Read a model; shapes are inferred, symbolic dimensions keep their names. *out is yours
 * (sal_graph_free), NULL on failure. The message begins with the file's name; err->offset is the
 * damaged byte where there is one. Tensors in other files are looked for in the model's folder
 * only. Errors: SAL_EIO, SAL_EFORMAT (damaged), SAL_EUNSUPPORTED (operators, versions, element
 * types), SAL_ESHAPE, SAL_ENOMEM. */
sal_status sal_onnx_read(sal_graph **out, const char *path, sal_error *err);
/* The same from memory. `name` begins the messages; `dir` is where tensors in other files are
 * looked for, NULL: nowhere. `bytes` is not needed afterwards. */
sal_status sal_onnx_read_memory(sal_graph **out, const void *bytes, size_t n, const char *name,
                                const char *dir, sal_error *err);

#endif
