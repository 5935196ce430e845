/* Reductions: axes, inference, and a loop that hands each group of elements to a function. */
#ifndef SAL_OPS_CORE_REDUCE_H
#define SAL_OPS_CORE_REDUCE_H

#include "ops/core/elementwise.h"

/* Which axes of the input are reduced. */
typedef struct sal_axes {
    int rank; /* of the input */
    int n;    /* axes reduced; 0 with noop_with_empty_axes */
    int64_t list[SAL_MAX_RANK];
    bool reduced[SAL_MAX_RANK];
    bool keepdims;
} sal_axes;

/* Fold n elements; dtype is that of the input (limits of integers). */
typedef struct sal_reduce {
    double (*f)(const double *x, int64_t n);
    int64_t (*i)(const int64_t *x, int64_t n, sal_dtype dtype);
    uint64_t (*u)(const uint64_t *x, int64_t n);
} sal_reduce;

/* Opsets that had axes as an attribute: ReduceSum before 13, the others before 18. */
sal_status sal_reduce_upgrade(sal_upgrade *u);
sal_status sal_reduce_infer(sal_infer *c);
sal_status sal_reduce_eval(const sal_eval *e, const sal_reduce *k);

/* Axes of a node in a graph; fails in b with SAL_ENOGRAD when the rank or the axes are only known
 * at run time. */
bool sal_reduce_axes(sal_builder *b, const sal_node *n, sal_axes *out);
/* The same reduction of another kind: op over the axes, all of them kept (length 1) when keep. */
sal_vid sal_reduce_as(sal_builder *b, const char *op, sal_vid x, const sal_axes *a, bool keep);
/* v has the output's shape; give it length 1 along the reduced axes. */
sal_vid sal_reduce_keep(sal_builder *b, sal_vid v, const sal_axes *a);
/* Elements in a group, as a scalar of x's type: a constant when the lengths are known. */
sal_vid sal_reduce_count(sal_builder *b, sal_vid x, sal_vid y, const sal_axes *a);
/* Derivative of ReduceMax and ReduceMin: ties share equally. */
sal_status sal_reduce_extremum_vjp(sal_vjp *v);

/* Tensor seen as [outer][len][inner] about an axis. */
typedef struct sal_lines {
    int64_t outer, len, inner;
} sal_lines;
sal_status sal_lines_of(sal_lines *out, const sal_tensor *t, int64_t axis, sal_error *err);

/* ArgMax and ArgMin. better(a, b): a is to be preferred to b. */
sal_status sal_infer_arg(sal_infer *c);
sal_status sal_arg_eval(const sal_eval *e, bool (*better)(double a, double b));

/* Softmax family: out0 = type of in0, a float, with attribute axis (default -1) in range. */
sal_status sal_infer_softmax(sal_infer *c);

#endif
