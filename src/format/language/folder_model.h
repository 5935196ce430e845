/* Hugging Face folders as graphs: config.json, and model.safetensors or the files that
 * model.safetensors.index.json names. */
#ifndef SAL_FORMAT_FOLDER_MODEL_H
#define SAL_FORMAT_FOLDER_MODEL_H

#include "graph/graph.h"

/* Read a language model. The graph's constants lie in the mapped files. *out: sal_graph_free().
 * Errors: SAL_EIO; SAL_EFORMAT; SAL_EUNSUPPORTED (the family, a variant of it, a type of weights;
 * the message names it). */
sal_status sal_folder_read_model(sal_graph **out, const char *path, sal_error *err);
/* The same from the contents of config.json and of one safetensors file; `name` begins the
 * messages. */
sal_status sal_folder_read_model_memory(sal_graph **out, const void *config, size_t n_config,
                                        const void *weights, size_t n_weights, const char *name,
                                        sal_error *err);
/* Is it a folder? */
bool sal_folder_is(const char *path);

#endif
