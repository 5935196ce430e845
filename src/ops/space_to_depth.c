/* SpaceToDepth: blocks of pixels become channels. Channel order (mode) DCR: (block row, block
 * column, channel), CRD: (channel, block row, block column). */
#include "ops/core/move.h"

static bool space_to_depth_crd(const sal_node *n)
{
    return strcmp(sal_node_str(n, "mode", "DCR"), "CRD") == 0;
}

static sal_status space_to_depth_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    int64_t block = sal_node_int(c->node, "blocksize", 0), dims[4];
    if (block < 1 || block > 1 << 15)
        return sal_fail(c->err, SAL_EINVAL, "blocksize is %lld", (long long)block);
    if (!space_to_depth_crd(c->node) && strcmp(sal_node_str(c->node, "mode", "DCR"), "DCR") != 0)
        return sal_fail(c->err, SAL_EINVAL, "mode '%s' is neither DCR nor CRD",
                        sal_node_str(c->node, "mode", "DCR"));
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
    bool crd = space_to_depth_crd(e->node);
    int64_t from[6] = {x->dims[0], ch, h, b, w, b};
    int64_t box[6] = {x->dims[0], crd ? ch : b, b, crd ? b : ch, h, w};
    size_t elem = sal_dtype_size(x->dtype);
    sal_move_strides(6, from, elem, xs);
    sal_move_strides(6, box, elem, ys);
    int64_t ss[6] = {xs[0], crd ? xs[1] : xs[3], crd ? xs[3] : xs[5], crd ? xs[5] : xs[1], xs[2],
                     xs[4]};
    sal_move_box(elem, 6, box, e->out[0]->data, ys, x->data, ss);
    return SAL_OK;
}

static sal_status space_to_depth_vjp(sal_vjp *v)
{
    sal_attr a[] = {SAL_AI("blocksize", sal_node_int(v->node, "blocksize", 0)),
                    SAL_AS("mode", space_to_depth_crd(v->node) ? "CRD" : "DCR")};
    if (v->need[0])
        v->gin[0] = sal_b_op(v->b, "DepthToSpace", 1, &v->gout[0], 2, a);
    return v->b->st;
}

static const char *const space_to_depth_cases[] = {
    "f32[2,3,4,6] ; blocksize=2",
    "f32[1,1,3,6] ; blocksize=3",
    /* mode came with opset 28, which ONNX Runtime 1.32 does not read */
    "f32[2,3,4,6] ; blocksize=2 mode=\"CRD\" ; noort",
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
