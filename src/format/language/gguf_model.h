/* GGUF files as graphs. */
#ifndef SAL_FORMAT_GGUF_MODEL_H
#define SAL_FORMAT_GGUF_MODEL_H

#include "graph/graph.h"

/* Read a language model. The graph's constants lie in the mapped file. *out: sal_graph_free().
 * Errors: those of sal_gguf_open(); SAL_EUNSUPPORTED (the architecture, a type of weights; the
 * message names those that are known), SAL_EFORMAT. */
sal_status sal_gguf_read_model(sal_graph **out, const char *path, sal_error *err);
/* The same from memory; `name` begins the messages. */
sal_status sal_gguf_read_model_memory(sal_graph **out, const void *bytes, size_t n,
                                      const char *name, sal_error *err);
/* Does the file begin as GGUF? False also when it cannot be read. */
bool sal_gguf_is_file(const char *path);

#endif
