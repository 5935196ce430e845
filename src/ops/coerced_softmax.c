/* CoercedSoftmax: Softmax (log = 1: LogSoftmax) as opsets before 13 defined it. The input is seen
 * as a matrix whose rows are the axes up to `axis` and whose columns are the rest; each row is
 * normalised. */
#include "ops/core/reduce.h"

static sal_status coerced_softmax_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    int64_t axis = sal_node_int(c->node, "axis", 1);
    if (x != NULL && x->rank >= 0 && (axis < -x->rank || axis > x->rank))
        return sal_fail(c->err, SAL_EINVAL, "axis %lld is outside 0..%d of the input",
                        (long long)axis, (int)x->rank);
    return sal_infer_float(c);
}

static sal_status coerced_softmax_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    sal_vid x = n->in[0];
    const sal_value *v = sal_val(b->g, x);
    int64_t dims[2] = {1, 1}, axis = sal_node_int(n, "axis", 1);
    if (v->rank < 0) {
        b->st = sal_fail(b->err, SAL_ESHAPE,
                         "Softmax node '%s': the shape of its input is not known; give the model "
                         "fixed input shapes",
                         n->name);
        return b->st;
    }
    if (axis < 0)
        axis += v->rank;
    for (int d = 0; d < v->rank; d++)
        dims[d >= axis] = sal_dim_mul(b->g, dims[d >= axis], v->dims[d]);
    sal_vid rows = sal_b_reshape(b, x, 2, dims, x);
    const char *op = sal_node_int(n, "log", 0) != 0 ? "LogSoftmax" : "Softmax";
    out[0] = sal_b_reshape_like(b, sal_b1_int(b, op, rows, "axis", -1), x);
    return b->st;
}

static const char *const coerced_softmax_cases[] = {
    "f32[2,3,5]",
    "f32[2,3,5]:-3..3 ; axis=0",
    "f32[2,3,4] ; axis=2 log=1",
    NULL,
};

const sal_op_desc sal_op_coerced_softmax = {
    .name = "CoercedSoftmax",
    .domain = SAL_DOMAIN_INTERNAL,
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_COMPOSITE,
    .since = 1,
    .infer = coerced_softmax_infer,
    .expand = coerced_softmax_expand,
    .cases = coerced_softmax_cases,
};
