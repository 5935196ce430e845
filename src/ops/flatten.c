/* Flatten: two dimensions, the product of those before `axis` and of the rest. */
#include "ops/core/move.h"

static sal_status flatten_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    int64_t axis = sal_node_int(c->node, "axis", 1), dims[2];
    if (x->rank < 0)
        return sal_move_out_unknown(c, 2);
    if (axis < -x->rank || axis > x->rank)
        return sal_fail(c->err, SAL_EINVAL, "axis %lld is outside -%d..%d", (long long)axis,
                        (int)x->rank, (int)x->rank);
    int k = (int)(axis < 0 ? axis + x->rank : axis);
    dims[0] = sal_move_product(c->g, k, x->dims);
    dims[1] = sal_move_product(c->g, x->rank - k, x->dims + k);
    return sal_infer_out(c, 0, x->dtype, 2, dims);
}

static sal_status flatten_eval(const sal_eval *e)
{
    return sal_move_all(e->out[0], e->in[0], e->err);
}

static sal_status flatten_vjp(sal_vjp *v)
{
    if (v->need[0])
        v->gin[0] = sal_b_reshape_like(v->b, v->gout[0], v->node->in[0]);
    return v->b->st;
}

static const char *const flatten_cases[] = {
    "f32[2,3,4]",
    "f32[2,3,4] ; axis=0",
    "f32[2,3,4] ; axis=3",
    "f32[2,3,4] ; axis=-1",
    "i32[2,3,1,2] ; axis=2 ; nograd",
    NULL,
};

const sal_op_desc sal_op_flatten = {
    .name = "Flatten",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_MOVE | SAL_OP_VIEW,
    .since = 13,
    .infer = flatten_infer,
    .eval = flatten_eval,
    .vjp = flatten_vjp,
    .cases = flatten_cases,
};
