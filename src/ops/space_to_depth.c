/* SpaceToDepth: blocks of pixels become channels, in the order (block row, block column, channel).
 */
#include "ops/core/move.h"

static sal_status space_to_depth_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    int64_t block = sal_node_int(c->node, "blocksize", 0), dims[4];
    if (block < 1 || block > 1 << 15)
        return sal_fail(c->err, SAL_EINVAL, "blocksize is %lld", (long long)block);
    if (x->rank < 0)
        return sal_move_out_unknown(c, 4);
    if (x->rank != 4)
        return sal_fail(c->err, SAL_ESHAPE, "the input must have 4 dimensions, it has %d",
                        (int)x->rank);
    for (int i = 2; i < 4; i++)
        if (x->dims[i] >= 0 && x->dims[i] % block != 0)
            return sal_fail(c->err, SAL_ESHAPE, "axis %d of %lld elements does not divide by %lld",
                            i, (long long)x->dims[i], (long long)block);
    dims[0] = x->dims[0];
    dims[1] = sal_dim_mul(c->g, x->dims[1], block * block);
    dims[2] = sal_dim_div(c->g, x->dims[2], block);
    dims[3] = sal_dim_div(c->g, x->dims[3], block);
    return sal_infer_out(c, 0, x->dtype, 4, dims);
}

static sal_status space_to_depth_eval(const sal_eval *e)
{
    const sal_tensor *x = e->in[0];
    int64_t b = sal_node_int(e->node, "blocksize", 0), xs[6], ys[6];
    int64_t ch = x->dims[1], h = x->dims[2] / b, w = x->dims[3] / b;
    int64_t from[6] = {x->dims[0], ch, h, b, w, b}, box[6] = {x->dims[0], b, b, ch, h, w};
    size_t elem = sal_dtype_size(x->dtype);
    sal_move_strides(6, from, elem, xs);
    sal_move_strides(6, box, elem, ys);
    int64_t ss[6] = {xs[0], xs[3], xs[5], xs[1], xs[2], xs[4]};
    sal_move_box(elem, 6, box, e->out[0]->data, ys, x->data, ss);
    return SAL_OK;
}

static sal_status space_to_depth_vjp(sal_vjp *v)
{
    sal_attr a = SAL_AI("blocksize", sal_node_int(v->node, "blocksize", 0));
    if (v->need[0])
        v->gin[0] = sal_b_op(v->b, "DepthToSpace", 1, &v->gout[0], 1, &a);
    return v->b->st;
}

static const char *const space_to_depth_cases[] = {
    "f32[2,3,4,6] ; blocksize=2",
    "f32[1,1,3,6] ; blocksize=3",
    NULL,
};

const sal_op_desc sal_op_space_to_depth = {
    .name = "SpaceToDepth",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_MOVE,
    .since = 13,
    .infer = space_to_depth_infer,
    .eval = space_to_depth_eval,
    .vjp = space_to_depth_vjp,
    .cases = space_to_depth_cases,
};
