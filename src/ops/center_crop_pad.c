/* CenterCropPad: axes cut or padded with zeros, about the middle, to the lengths `shape`. */
#include "ops/core/move.h"

static sal_status center_crop_pad_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    sal_infer c = {b->g, n, b->err};
    int64_t want[SAL_MAX_RANK], begin[SAL_MAX_RANK] = {0}, end[SAL_MAX_RANK] = {0};
    int count;
    bool symbolic;
    size_t n_axes;
    const int64_t *axes = sal_node_ints(n, "axes", &n_axes);
    b->st = sal_infer_ints(&c, 1, want, SAL_MAX_RANK, &count, &symbolic);
    if (b->st != SAL_OK)
        return b->st;
    const sal_value *x = sal_val(b->g, n->in[0]);
    if (count < 0 || symbolic || x->rank < 0 ||
        (axes != NULL ? n_axes != (size_t)count : count != x->rank))
        return b->st = sal_fail(b->err, SAL_ESHAPE,
                                "node %s: constant lengths, one for each of the axes, are needed",
                                n->name);
    for (int i = 0; i < count; i++) {
        int axis;
        b->st = sal_infer_axis(&c, axes != NULL ? axes[i] : i, x->rank, &axis);
        if (b->st != SAL_OK)
            return b->st;
        int64_t d = x->dims[axis];
        if (d < 0 || want[i] < 0 || want[i] > SAL_DIM_MAX)
            return b->st = sal_fail(b->err, SAL_ESHAPE, "node %s: axis %d has no known length",
                                    n->name, axis);
        /* What is odd: one more is cut at the end, or padded there. */
        int64_t more = want[i] > d ? want[i] - d : d - want[i];
        begin[axis] = want[i] > d ? more / 2 : -(more / 2);
        end[axis] = want[i] > d ? more - more / 2 : -(more - more / 2);
    }
    out[0] = sal_move_pad(b, n->in[0], begin, end);
    return b->st;
}
/* Sizes that are only known at run time leave the result's shape open. */
static sal_status center_crop_pad_infer(sal_infer *c)
{
    int64_t size[SAL_MAX_RANK];
    int count;
    bool symbolic;
    const sal_value *x = sal_infer_in(c, 0);
    if (sal_infer_in(c, 1) == NULL)
        return sal_infer_expansion(c);
    sal_status st = sal_infer_ints(c, 1, size, SAL_MAX_RANK, &count, &symbolic);
    if (st != SAL_OK || (count >= 0 && !symbolic))
        return st != SAL_OK ? st : sal_infer_expansion(c);
    return sal_move_out_unknown(c, x->rank);
}

static const char *const center_crop_pad_cases[] = {
    "f32[5,6,3] i64[3]{3,8,3}",
    "f32[4,7,3] i64[2]{7,2} ; axes=[0,1]",
    "f32[4,7,3] i64[1]{2} ; axes=[-2]",
    NULL,
};

const sal_op_desc sal_op_center_crop_pad = {
    .name = "CenterCropPad",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_COMPOSITE,
    .since = 18,
    .infer = center_crop_pad_infer,
    .expand = center_crop_pad_expand,
    .cases = center_crop_pad_cases,
};
