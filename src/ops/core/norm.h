/* What the normalisation operators share. */
#ifndef SAL_OPS_CORE_NORM_H
#define SAL_OPS_CORE_NORM_H

#include "ops/builder.h"
#include "ops/core/gemm_ref.h"
#include "ops/infer.h"

/* y[r, i] = (x[r, i] - mean_r) / sqrt(var_r + epsilon) for rows of n elements; without `centred`
 * the mean is taken as zero (var is then the mean square). mean and inv (one number a row) may be
 * NULL. */
void sal_norm_ref_rows(const double *x, double *y, int64_t rows, int64_t n, double epsilon,
                       bool centred, double *mean, double *inv);

/* Nodes for the same over axes; mean and inv receive the statistics with the axes kept as 1 and may
 * be NULL. x should have passed sal_norm_wide(). */
sal_vid sal_norm_build(sal_builder *b, sal_vid x, int n_axes, const int64_t *axes, double epsilon,
                       bool centred, sal_vid *mean, sal_vid *inv);
/* Statistics of 16-bit floats are taken in float32 (stash_type 1): cast there, and back to like's
 * type. */
sal_vid sal_norm_wide(sal_builder *b, const sal_node *n, sal_vid x);
sal_vid sal_norm_narrow(sal_builder *b, sal_vid v, sal_vid like);
/* v of length C as [C, 1, 1 ...] to broadcast against channels of a value of this rank. */
sal_vid sal_norm_per_channel(sal_builder *b, sal_vid v, int rank);
/* Element type of the statistics. */
sal_dtype sal_norm_stash(const sal_node *n, sal_dtype x);
/* SAL_ESHAPE unless input i is a vector as long as the channels of x. `what` names it. */
sal_status sal_norm_check_vector(const sal_infer *c, int i, const sal_value *x, const char *what);
/* SAL_ESHAPE unless input i has the shape of x (one of the first two inputs) or, where asked for,
 * broadcasts to it. */
sal_status sal_norm_check_scale(const sal_infer *c, int i, const sal_value *x, bool broadcast);
/* Product of dims[from .. to-1]. */
int64_t sal_norm_span(const int64_t *dims, int from, int to);

#endif
