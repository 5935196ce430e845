/* DeformConv: convolution (2-D) whose kernel elements read x at shifted places. Inputs x, weights,
 * offsets [N, groups * kernel * 2, out ..] (rows before columns), bias, mask [N, groups * kernel,
 * out ..]. */
#include "ops/core/sample.h"
#include "ops/core/window.h"

typedef struct deform {
    int64_t group, offset_group, taps, points; /* kernel elements, output positions */
    sal_window w;
} deform;

static sal_status deform_read(sal_builder *b, const sal_node *n, deform *d)
{
    const sal_value *x = sal_val(b->g, n->in[0]), *w = sal_val(b->g, n->in[1]),
                    *o = sal_val(b->g, n->in[2]);
    d->group = sal_node_int(n, "group", 1);
    d->offset_group = sal_node_int(n, "offset_group", 1);
    if (!sal_sample_known(b, n->name, n->in[0], 1) || !sal_sample_known(b, n->name, n->in[1], 0))
        return b->st;
    if (x->rank != 4 || w->rank != 4 || o->rank != 4)
        return b->st = sal_fail(b->err, SAL_EUNSUPPORTED,
                                "node %s: only two spatial axes are supported", n->name);
    b->st = sal_window_from_node(&d->w, n, x->rank, x->dims, w->dims, false, b->err);
    if (b->st != SAL_OK)
        return b->st;
    d->taps = d->w.kernel[0] * d->w.kernel[1];
    d->points = d->w.out[0] * d->w.out[1];
    if (d->group < 1 || d->offset_group < 1 || x->dims[1] % d->group != 0 ||
        w->dims[0] % d->group != 0 || x->dims[1] / d->group != w->dims[1] ||
        x->dims[1] % d->offset_group != 0 || o->dims[1] != d->offset_group * d->taps * 2 ||
        o->dims[2] != d->w.out[0] || o->dims[3] != d->w.out[1])
        return b->st = sal_fail(b->err, SAL_ESHAPE,
                                "node %s: the shapes of weights or offsets do not fit", n->name);
    return SAL_OK;
}

/* Where kernel element t reads for output position p without offset: [taps, points]. */
static sal_vid deform_base(sal_builder *b, const deform *d, int axis, sal_dtype dtype)
{
    sal_tensor t = SAL_TENSOR_INIT;
    const int64_t shape[2] = {d->taps, d->points};
    b->st = sal_tensor_new(&t, dtype, 2, shape, b->err);
    for (int64_t i = 0; b->st == SAL_OK && i < d->taps * d->points; i++) {
        int64_t tap = i / d->points, p = i % d->points;
        int64_t k = axis == 0 ? tap / d->w.kernel[1] : tap % d->w.kernel[1];
        int64_t o = axis == 0 ? p / d->w.out[1] : p % d->w.out[1];
        sal_tensor_set(
            &t, i,
            (double)(o * d->w.strides[axis] - d->w.pads_begin[axis] + k * d->w.dilations[axis]));
    }
    sal_vid v = b->st == SAL_OK ? sal_b_tensor(b, &t) : SAL_NONE;
    sal_tensor_free(&t);
    return v;
}

static sal_status deform_conv_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    static const int64_t second = 2;
    deform d;
    sal_vid at[2], mask = sal_node_in(n, 4);
    const sal_sample how = {SAL_SAMPLE_LINEAR, SAL_SAMPLE_ZEROS, false};
    if (deform_read(b, n, &d) != SAL_OK)
        return b->st;
    const sal_value *x = sal_val(b->g, n->in[0]), *w = sal_val(b->g, n->in[1]);
    int64_t batch = sal_dim_mul(b->g, x->dims[0], d.offset_group),
            each = x->dims[1] / d.offset_group;
    const int64_t image[4] = {batch, each, x->dims[2], x->dims[3]};
    const int64_t offsets[4] = {batch, d.taps, 2, d.points};
    const int64_t flat[2] = {batch, d.taps * d.points}, one[3] = {batch, 1, d.taps * d.points};
    sal_vid shift = sal_b_reshape(b, n->in[2], 4, offsets, n->in[2]);
    for (int k = 0; k < 2; k++) {
        sal_vid s = sal_b_squeeze(b, sal_b_slice(b, shift, 2, k, k + 1, 1), 1, &second);
        at[k] = sal_b_reshape(b, sal_b2(b, "Add", s, deform_base(b, &d, k, x->dtype)), 2, flat, s);
    }
    sal_vid read = sal_sample_build(b, &how, sal_b_reshape(b, n->in[0], 4, image, n->in[0]), at);
    if (mask != SAL_NONE)
        read = sal_b2(b, "Mul", read, sal_b_reshape(b, mask, 3, one, mask));
    /* The read elements as columns: the convolution is a matrix product for each group. */
    const int64_t columns[4] = {x->dims[0], d.group, w->dims[1] * d.taps, d.points};
    const int64_t rows[3] = {d.group, w->dims[0] / d.group, w->dims[1] * d.taps};
    const int64_t result[4] = {x->dims[0], w->dims[0], d.w.out[0], d.w.out[1]};
    sal_vid y = sal_b2(b, "MatMul", sal_b_reshape(b, n->in[1], 3, rows, n->in[1]),
                       sal_b_reshape(b, read, 4, columns, n->in[0]));
    y = sal_b_reshape(b, y, 4, result, n->in[0]);
    if (sal_node_in(n, 3) != SAL_NONE) {
        static const int64_t after[] = {1, 2};
        y = sal_b2(b, "Add", y, sal_b_unsqueeze(b, n->in[3], 2, after));
    }
    out[0] = y;
    return b->st;
}

static const char *const deform_conv_cases[] = {
    "f32[1,2,5,4] f32[3,2,2,2] f32[1,8,4,3]:-0.9..0.9 f32[3]",
    "f32[2,4,5,5] f32[2,2,3,3] f32[2,36,3,3]:-0.9..0.9 _ f32[2,18,3,3] ; group=2 offset_group=2 "
    "pads=[1,1,1,1] strides=[2,2] ; nofd2",
    NULL,
};

const sal_op_desc sal_op_deform_conv = {
    .name = "DeformConv",
    .min_in = 3,
    .max_in = 5,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_COMPOSITE,
    .since = 19,
    .infer = sal_infer_expansion,
    .expand = deform_conv_expand,
    .cases = deform_conv_cases,
};
