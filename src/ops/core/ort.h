/* Operators of ONNX Runtime's own domain (com.microsoft), as its optimiser and quantiser write
 * them. Each is expanded into ONNX's operators when it is read. */
#ifndef SAL_OPS_CORE_ORT_H
#define SAL_OPS_CORE_ORT_H

#include "ops/core/quant.h"

/* Members of the descriptor that all of them share. */
#define SAL_ORT_OP(nm, in_min, in_max, out_max)                                                    \
    .name = (nm), .domain = SAL_DOMAIN_ORT, .min_in = (in_min), .max_in = (in_max), .min_out = 1,  \
    .max_out = (out_max), .flags = SAL_OP_COMPOSITE | SAL_OP_ON_READ, .since = 1,                  \
    .infer = sal_infer_expansion

#define SAL_ORT_ATTRS 16
/* The node's attributes whose names are in the NULL-terminated list. Returns how many. */
int sal_ort_attrs(const sal_node *n, const char *const *names, sal_attr out[SAL_ORT_ATTRS]);
/* Rank of v, which must be known: otherwise -1 and an error in b. */
int sal_ort_rank(sal_builder *b, const sal_node *n, sal_vid v);
/* Inputs whose bit is set are there; else an error in b. For operators whose optional inputs stand
 * before needed ones. */
bool sal_ort_given(sal_builder *b, const sal_node *n, unsigned needed);
/* SAL_EUNSUPPORTED in b, naming the node. Returns the status. */
sal_status sal_ort_refuse(sal_builder *b, const sal_node *n, const char *what);
/* The activation called `name` ("Relu", "LeakyRelu" ..., "" for none) of x; its parameters in p. */
sal_vid sal_ort_activation(sal_builder *b, const sal_node *n, sal_vid x, const char *name,
                           const double *p, size_t n_p);

/* Codes at input i, their scale and zero point at i + 1 and i + 2, as real numbers. */
sal_vid sal_ort_real(sal_builder *b, const sal_node *n, int i, int64_t axis);
/* Codes of y in the type of the value `like`, with scale and zero point at inputs i and i + 1. */
sal_vid sal_ort_codes(sal_builder *b, const sal_node *n, sal_vid y, int i, sal_vid like);

#endif
