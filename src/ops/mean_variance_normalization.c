/* MeanVarianceNormalization: y = (x - mean) / (sqrt(variance) + 1e-9), the statistics over `axes`.
 */
#include "ops/core/reduce.h"

static sal_status mean_variance_infer(sal_infer *c)
{
    const sal_attr *a = sal_node_attr(c->node, "axes");
    const sal_value *x = sal_infer_in(c, 0);
    int axis;
    sal_status st = SAL_OK;
    if (a != NULL && a->kind != SAL_ATTR_INTS)
        return sal_fail(c->err, SAL_EINVAL, "axes must be a list of integers");
    for (size_t i = 0; a != NULL && i < a->n && x->rank >= 0; i++)
        SAL_TRY(sal_infer_axis(c, a->ints[i], x->rank, &axis));
    if (a == NULL && x->rank >= 0 && x->rank < 4)
        return sal_fail(c->err, SAL_ESHAPE, "the axes 0, 2, 3 are wanted of an input of rank %d",
                        (int)x->rank);
    SAL_TRY(sal_infer_float(c));
done:
    return st;
}

static sal_status mean_variance_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    static const int64_t usual[] = {0, 2, 3};
    const sal_attr *a = sal_node_attr(n, "axes");
    const int64_t *axes = a != NULL ? a->ints : usual;
    int n_axes = a != NULL ? (int)a->n : (int)SAL_COUNTOF(usual);
    sal_vid x = n->in[0];
    sal_vid d = sal_b2(b, "Sub", x, sal_b_reduce(b, "ReduceMean", x, n_axes, axes, true));
    sal_vid var = sal_b_reduce(b, "ReduceMean", sal_b2(b, "Mul", d, d), n_axes, axes, true);
    out[0] = sal_b2(b, "Div", d, sal_b_addc(b, sal_b1(b, "Sqrt", var), 1e-9));
    return b->st;
}

static const char *const mean_variance_cases[] = {
    "f32[2,3,4,5] ; axes=[0,2,3]",
    /* onnx 1.23 cannot infer its own function body when the default is meant */
    "f32[2,3,4,5] ; ; noort",
    "f32[2,3,5] ; axes=[1,-1]",
    NULL,
};

const sal_op_desc sal_op_mean_variance_normalization = {
    .name = "MeanVarianceNormalization",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_COMPOSITE,
    .since = 9,
    .infer = mean_variance_infer,
    .expand = mean_variance_expand,
    .cases = mean_variance_cases,
};
