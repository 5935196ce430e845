/* Reference pooling over one plane (the spatial axes of one channel of one image), and what the
 * pooling operators share. */
#ifndef SAL_OPS_CORE_POOL_REF_H
#define SAL_OPS_CORE_POOL_REF_H

#include "ops/builder.h"
#include "ops/core/gemm_ref.h"
#include "ops/core/window.h"
#include "ops/infer.h"

/* Inference of MaxPool, AveragePool and LpPool. */
sal_status sal_pool_infer(sal_infer *c);

/* Inference of operators on (gradient, pooled tensor x, pooled values y): inputs 2 and `pooled`
 * (-1: none) have the shape of y, the others that of x; the output is shaped as input `like`. */
sal_status sal_pool_infer_grad(sal_infer *c, int pooled, int like);

/* The planes of a pooling: window lifted to three axes, sizes, number of planes (batch * channels).
 */
typedef struct sal_pool_ref {
    sal_window win;
    int64_t planes, in_size, out_size;
} sal_pool_ref;

/* dims: shape of the pooled tensor (batch, channels, spatial ...), all known. */
sal_status sal_pool_ref_make(sal_pool_ref *p, const sal_node *node, int rank, const int64_t *dims,
                             sal_error *err);
/* at[o]: element of the plane that is the first maximum of window o, -1 when the window is all
 * padding. A NaN counts as larger than any number. */
void sal_pool_ref_argmax(const sal_pool_ref *p, const double *plane, int64_t *at);
/* sums[o] = sum of window o; its adjoint plane[i] += sum over the windows o that contain i of
 * values[o]. */
void sal_pool_ref_sum(const sal_pool_ref *p, const double *plane, double *sums);
void sal_pool_ref_spread(const sal_pool_ref *p, const double *values, double *plane);
/* counts[o] = elements of window o; the explicit (or automatic) padding counts when include_pad,
 * what ceil_mode reaches beyond it never does. */
void sal_pool_ref_counts(const sal_pool_ref *p, bool include_pad, double *counts);

/* Constant [1, 1, out ...] of the counts for pooling a tensor shaped like x, whose spatial sizes
 * are known. */
sal_vid sal_pool_build_counts(sal_builder *b, const sal_node *node, sal_vid x, const int64_t *dims,
                              bool include_pad);

/* The node's attributes that describe the windows (all but storage_order, spatial and p), then
 * `more`. Returns how many; out has room for SAL_POOL_ATTRS + n_more. */
#define SAL_POOL_ATTRS 8
int sal_pool_attrs(const sal_node *node, int n_more, const sal_attr *more, sal_attr *out);

#endif
