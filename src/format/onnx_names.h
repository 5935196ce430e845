/* A set of names, to keep node names unique: files need not, the graph and ONNX Runtime want it. */
#ifndef SAL_ONNX_NAMES_H
#define SAL_ONNX_NAMES_H

#include "base/base.h"

typedef struct sal_onnx_names {
    const char **slot; /* open addressing, NULL = free */
    size_t cap, used;
} sal_onnx_names;

/* The name itself when it is new, else with a number behind it, in the arena. The set borrows it.
 */
sal_status sal_onnx_names_unique(sal_onnx_names *s, sal_arena *arena, const char *name,
                                 const char **out, sal_error *err);
void sal_onnx_names_free(sal_onnx_names *s);

#endif
