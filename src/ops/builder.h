/* Append nodes with inference, for derivatives, expansions and methods.
 *
 * Errors stick: after the first failure every call does nothing and returns SAL_NONE; look at b->st
 * once at the end. Passing SAL_NONE as an input omits it. Constants with equal contents are shared
 * by the CSE pass. */
#ifndef SAL_OPS_BUILDER_H
#define SAL_OPS_BUILDER_H

#include "graph/graph.h"
#include "graph/op.h"

struct sal_builder {
    sal_graph *g;
    sal_error *err;
    sal_status st;
    const char *
        origin; /* name of the node for which nodes are being made (names, messages); may be NULL */
};

#define SAL_BUILDER(graph, error, from)                                                            \
    {                                                                                              \
        (graph), (error), SAL_OK, (from)                                                           \
    }

/* Infer the node's outputs through its descriptor; errors are prefixed by operator and node name.
 */
sal_status sal_node_infer(sal_graph *g, const sal_node *n, sal_error *err);

/* General form: n_out outputs (internal operators are found too). */
void sal_b_node(sal_builder *b, const char *op, int n_in, const sal_vid *in, int n_attr,
                const sal_attr *attr, int n_out, sal_vid *out);
/* One output. */
sal_vid sal_b_op(sal_builder *b, const char *op, int n_in, const sal_vid *in, int n_attr,
                 const sal_attr *attr);
sal_vid sal_b1(sal_builder *b, const char *op, sal_vid a);
sal_vid sal_b2(sal_builder *b, const char *op, sal_vid a, sal_vid c);
sal_vid sal_b3(sal_builder *b, const char *op, sal_vid a, sal_vid c, sal_vid d);

/* Constants. sal_b_scalar: rank 0 of the dtype. sal_b_like: scalar of x's dtype. */
sal_vid sal_b_tensor(sal_builder *b, const sal_tensor *t);
sal_vid sal_b_scalar(sal_builder *b, sal_dtype dtype, double v);
sal_vid sal_b_like(sal_builder *b, sal_vid x, double v);
sal_vid sal_b_ints(sal_builder *b, const int64_t *v, int n); /* int64, rank 1 */

/* Shapes. Dimensions may be symbols: at most one becomes -1, otherwise pieces of Shape nodes of
 * `from` are concatenated (from: any value whose dims contain the symbols). */
sal_vid sal_b_reshape(sal_builder *b, sal_vid x, int rank, const int64_t *dims, sal_vid from);
sal_vid sal_b_reshape_like(sal_builder *b, sal_vid x, sal_vid like);
sal_vid sal_b_shape_of(sal_builder *b,
                       sal_vid x); /* int64 rank 1: constant when static, else Shape */
sal_vid sal_b_transpose(sal_builder *b, sal_vid x, const int64_t *perm);
sal_vid sal_b_unsqueeze(sal_builder *b, sal_vid x, int n_axes, const int64_t *axes);
sal_vid sal_b_squeeze(sal_builder *b, sal_vid x, int n_axes, const int64_t *axes);
sal_vid sal_b_slice(sal_builder *b, sal_vid x, int64_t axis, int64_t start, int64_t end,
                    int64_t step);
sal_vid sal_b_concat(sal_builder *b, int n, const sal_vid *in, int64_t axis);
/* op: "ReduceSum", "ReduceMean", "ReduceMax" ...; n_axes 0 = all axes. */
sal_vid sal_b_reduce(sal_builder *b, const char *op, sal_vid x, int n_axes, const int64_t *axes,
                     bool keepdims);
sal_vid sal_b_cast(sal_builder *b, sal_vid x, sal_dtype dtype);
/* Sum g over the axes along which a value of like's shape was broadcast, giving like's shape. */
sal_vid sal_b_sum_to(sal_builder *b, sal_vid g, sal_vid like);
/* Broadcast x to like's shape. */
sal_vid sal_b_expand_like(sal_builder *b, sal_vid x, sal_vid like);
sal_vid sal_b_zeros_like(sal_builder *b, sal_vid like);
sal_vid sal_b_ones_like(sal_builder *b, sal_vid like);
/* a + c where either may be SAL_NONE (= zero). */
sal_vid sal_b_add_opt(sal_builder *b, sal_vid a, sal_vid c);

#endif
