/* What ScatterElements, ScatterND and their gathering counterparts share. */
#ifndef SAL_OPS_SCATTER_H
#define SAL_OPS_SCATTER_H

#include "ops/core/move.h"

typedef enum sal_scatter_op {
    SAL_SCATTER_NONE,
    SAL_SCATTER_ADD,
    SAL_SCATTER_MUL,
    SAL_SCATTER_MIN,
    SAL_SCATTER_MAX
} sal_scatter_op;

/* Attribute `reduction`; SAL_EINVAL for another word. */
sal_status sal_scatter_op_of(const sal_node *n, sal_scatter_op *op, sal_error *err);
/* y[i] = op(y[i], u[i]) for n elements of one type. */
sal_status sal_scatter_apply(sal_scatter_op op, sal_dtype dtype, void *y, const void *u, int64_t n,
                             sal_error *err);
/* Element of an array of shape dims addressed by position `at`, with axis k replaced by index
 * element i. */
sal_status sal_scatter_offset(int rank, const int64_t *dims, const sal_tensor *index, int64_t i,
                              const int64_t *at, int k, int64_t *out, sal_error *err);
/* Next position in row-major order. */
void sal_scatter_next(int rank, const int64_t *dims, int64_t *at);
/* First element that index tuple i of an ND index (last axis: m numbers) points to; the leading
 * `skip` axes are given in at. */
sal_status sal_scatter_tuple(const sal_tensor *x, int skip, const int64_t *at,
                             const sal_tensor *index, int64_t i, int64_t m, int64_t *out,
                             sal_error *err);
/* Derivative of scatter(data, index, updates), where `gather` names the operator that takes the
 * elements that the index points to. */
sal_status sal_scatter_vjp(sal_vjp *v, const char *gather);

#endif
