/* What the operators that move data share: strided copies, indices, shapes as graph values. */
#ifndef SAL_OPS_MOVE_H
#define SAL_OPS_MOVE_H

#include "ops/builder.h"
#include "ops/infer.h"

/* A box may have more axes than a tensor (Tile and Transpose split axes). */
#define SAL_MOVE_RANK (2 * SAL_MAX_RANK)

/* Row-major strides in bytes. */
void sal_move_strides(int rank, const int64_t *dims, size_t elem, int64_t *stride);
/* dst[i] = src[i] over a box. Strides in bytes, any sign; a source stride of 0 repeats. Elements of
 * 1, 2, 4 or 8 bytes. Axes that are contiguous on both sides are merged, the rest goes by memcpy
 * runs or cache blocks. */
void sal_move_box(size_t elem, int rank, const int64_t *dims, void *dst, const int64_t *dst_stride,
                  const void *src, const int64_t *src_stride);
/* Copy all elements of one tensor into another of the same count and element size. */
sal_status sal_move_all(sal_tensor *out, const sal_tensor *in, sal_error *err);
/* Fill n elements with the one at `value`. */
void sal_move_fill(size_t elem, void *dst, int64_t n, const void *value);

/* Product of dims from..to-1. */
int64_t sal_move_count(const int64_t *dims, int from, int to);
/* Element of an integer tensor. */
int64_t sal_move_int(const sal_tensor *t, int64_t i);
/* Element of an index tensor, negative ones counted from the end of an axis of `dim` elements. */
sal_status sal_move_index(const sal_tensor *t, int64_t i, int64_t dim, int64_t *out,
                          sal_error *err);

/* ---- inference ---- */

/* Product of symbolic dimensions. */
int64_t sal_move_product(sal_graph *g, int n, const int64_t *dims);
/* The dimension that gives b (with it at position `at`) as many elements as a. Common factors
 * cancel first, so it is exact whenever one symbol at most is left over. SAL_ESHAPE when concrete
 * counts do not divide. */
sal_status sal_move_solve(sal_graph *g, int na, const int64_t *a, int nb, const int64_t *b, int at,
                          int64_t *out, sal_error *err);
/* An unknown without a name (sal_dim_fresh). */
bool sal_move_is_unknown(const sal_graph *g, int64_t d);
/* Output 0 has the dtype of input 0 and a rank, but nothing is known of its dimensions. */
sal_status sal_move_out_unknown(sal_infer *c, int rank);

/* ---- graph building (errors stick to the builder) ---- */

/* Stop the builder with a message. */
void sal_move_fail(sal_builder *b, sal_status st, const char *text);
/* The dimensions as an int64 list; symbols are looked up in the shape of `from`. */
sal_vid sal_move_dims(sal_builder *b, int rank, const int64_t *dims, sal_vid from);
sal_vid sal_move_zeros(sal_builder *b, sal_dtype dtype, int rank, const int64_t *dims,
                       sal_vid from);
/* Pad with zeros (negative: crop); begin and end hold one number an axis. */
sal_vid sal_move_pad(sal_builder *b, sal_vid x, const int64_t *begin, const int64_t *end);

#endif
