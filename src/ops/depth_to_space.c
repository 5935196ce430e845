/* DepthToSpace: blocks of channels become blocks of pixels. Channel order (mode) DCR: (block row,
 * block column, channel), CRD: (channel, block row, block column). */
#include "ops/core/move.h"

static sal_status depth_to_space_block(const sal_node *n, int64_t *block, bool *crd, sal_error *err)
{
    const char *mode = sal_node_str(n, "mode", "DCR");
    *block = sal_node_int(n, "blocksize", 0);
    *crd = strcmp(mode, "CRD") == 0;
    if (*block < 1 || *block > 1 << 15)
        return sal_fail(err, SAL_EINVAL, "blocksize is %lld", (long long)*block);
    if (!*crd && strcmp(mode, "DCR") != 0)
        return sal_fail(err, SAL_EINVAL, "mode '%s' is neither DCR nor CRD", mode);
    return SAL_OK;
}

static sal_status depth_to_space_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    int64_t block, dims[4];
    bool crd;
    sal_status st;
    SAL_TRY(depth_to_space_block(c->node, &block, &crd, c->err));
    if (x->rank < 0)
        return sal_move_out_unknown(c, 4);
    if (x->rank != 4)
        return sal_fail(c->err, SAL_ESHAPE, "the input must have 4 dimensions, it has %d",
                        (int)x->rank);
    if (x->dims[1] >= 0 && x->dims[1] % (block * block) != 0)
        return sal_fail(c->err, SAL_ESHAPE, "%lld channels do not divide by %lld",
                        (long long)x->dims[1], (long long)(block * block));
    dims[0] = x->dims[0];
    dims[1] = sal_dim_div(c->g, x->dims[1], block * block);
    dims[2] = sal_dim_mul(c->g, x->dims[2], block);
    dims[3] = sal_dim_mul(c->g, x->dims[3], block);
    SAL_TRY(sal_infer_out(c, 0, x->dtype, 4, dims));
done:
    return st;
}

static sal_status depth_to_space_eval(const sal_eval *e)
{
    const sal_tensor *x = e->in[0];
    int64_t b, xs[6], ys[6], ss[6];
    bool crd;
    sal_status st;
    SAL_TRY(depth_to_space_block(e->node, &b, &crd, e->err));
    int64_t ch = x->dims[1] / (b * b), h = x->dims[2], w = x->dims[3];
    /* the result as [n, channel, h, row, w, column] */
    int64_t box[6] = {x->dims[0], ch, h, b, w, b};
    int64_t from[6] = {x->dims[0], crd ? ch : b, b, crd ? b : ch, h, w};
    size_t elem = sal_dtype_size(x->dtype);
    sal_move_strides(6, from, elem, xs);
    sal_move_strides(6, box, elem, ys);
    ss[0] = xs[0];
    ss[1] = crd ? xs[1] : xs[3];
    ss[2] = xs[4];
    ss[3] = crd ? xs[2] : xs[1];
    ss[4] = xs[5];
    ss[5] = crd ? xs[3] : xs[2];
    sal_move_box(elem, 6, box, e->out[0]->data, ys, x->data, ss);
done:
    return st;
}

/* The inverse: SpaceToDepth, which has the DCR order; CRD by hand. */
static sal_status depth_to_space_vjp(sal_vjp *v)
{
    sal_builder *b = v->b;
    const sal_value *x = sal_val(b->g, v->node->in[0]);
    int64_t block;
    bool crd;
    sal_status st = SAL_OK;
    if (!v->need[0])
        return SAL_OK;
    SAL_TRY(depth_to_space_block(v->node, &block, &crd, b->err));
    if (!crd) {
        sal_attr a = SAL_AI("blocksize", block);
        v->gin[0] = sal_b_op(b, "SpaceToDepth", 1, &v->gout[0], 1, &a);
        return b->st;
    }
    if (x->rank != 4 || x->dims[1] < 0 || x->dims[2] < 0 || x->dims[3] < 0)
        return sal_fail(b->err, SAL_ESHAPE, "channels, height and width must be known");
    int64_t split[6] = {x->dims[0], x->dims[1] / (block * block), x->dims[2], block, x->dims[3],
                        block};
    int64_t perm[6] = {0, 1, 3, 5, 2, 4};
    sal_vid g = sal_b_reshape(b, v->gout[0], 6, split, v->node->in[0]);
    v->gin[0] = sal_b_reshape_like(b, sal_b_transpose(b, g, perm), v->node->in[0]);
    st = b->st;
done:
    return st;
}

static const char *const depth_to_space_cases[] = {
    "f32[2,8,2,3] ; blocksize=2",
    "f32[2,8,2,3] ; blocksize=2 mode=\"CRD\"",
    "f32[1,9,2,1] ; blocksize=3 mode=\"DCR\"",
    "f32[1,2,2,3] ; blocksize=1",
    NULL,
};

const sal_op_desc sal_op_depth_to_space = {
    .name = "DepthToSpace",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_MOVE,
    .since = 13,
    .infer = depth_to_space_infer,
    .eval = depth_to_space_eval,
    .vjp = depth_to_space_vjp,
    .cases = depth_to_space_cases,
};
