/* ConvTranspose: the adjoint of a convolution with the weights [channels, output channels / group,
 * kernel]: y[n,m,i*stride+k*dilation-pad] += w[c,m,k] x[n,c,i], plus a bias. */
#include "ops/core/conv_ref.h"
#include "ops/infer.h"

static sal_status conv_transpose_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0), *w = sal_infer_in(c, 1), *bias = sal_infer_in(c, 2);
    int64_t group = sal_node_int(c->node, "group", 1), dims[SAL_MAX_RANK];
    sal_window win;

    if (x->rank < 0 || w->rank < 0)
        return sal_infer_out(c, 0, x->dtype, -1, NULL);
    if (w->rank != x->rank)
        return sal_fail(c->err, SAL_ESHAPE,
                        "input of rank %d and weights of rank %d; they must agree", (int)x->rank,
                        (int)w->rank);
    sal_status st = sal_window_from_node(&win, c->node, x->rank, x->dims, w->dims, true, c->err);
    if (st != SAL_OK)
        return st;
    if (group < 1 || (w->dims[0] >= 0 && w->dims[0] % group != 0))
        return sal_fail(c->err, SAL_EINVAL, "%lld input channels do not divide into %lld groups",
                        (long long)w->dims[0], (long long)group);
    if (x->dims[1] >= 0 && w->dims[0] >= 0 && x->dims[1] != w->dims[0])
        return sal_fail(c->err, SAL_ESHAPE,
                        "the input has %lld channels but the weights expect %lld",
                        (long long)x->dims[1], (long long)w->dims[0]);
    dims[0] = x->dims[0];
    dims[1] = sal_dim_mul(c->g, w->dims[1], group);
    if (bias != NULL && bias->rank >= 0 &&
        (bias->rank != 1 || (bias->dims[0] >= 0 && dims[1] >= 0 && bias->dims[0] != dims[1])))
        return sal_fail(c->err, SAL_ESHAPE,
                        "the bias must have one element for each of %lld output channels",
                        (long long)dims[1]);
    for (int i = 0; i < win.n; i++)
        dims[2 + i] = sal_window_out_dim(&win, c->g, i, x->dims[2 + i], true);
    return sal_infer_out(c, 0, x->dtype, x->rank, dims);
}

static sal_status conv_transpose_eval(const sal_eval *e)
{
    sal_status st = SAL_OK;
    const sal_tensor *x = e->in[0], *w = e->in[1];
    sal_ref rx = SAL_REF_INIT, rw = SAL_REF_INIT, rb = SAL_REF_INIT, ry = SAL_REF_INIT;
    sal_window win;

    SAL_TRY(sal_window_from_node(&win, e->node, x->rank, x->dims, w->dims, true, e->err));
    SAL_TRY(sal_ref_in(&rx, x, e->err));
    SAL_TRY(sal_ref_in(&rw, w, e->err));
    SAL_TRY(sal_ref_in(&rb, e->node->n_in > 2 ? e->in[2] : NULL, e->err));
    SAL_TRY(sal_ref_out(&ry, e->out[0], e->err));
    win = sal_conv_adjoint(&win);
    sal_conv_ref c =
        sal_conv_ref_make(&win, x->dims[0], sal_node_int(e->node, "group", 1), w->dims);
    sal_conv_ref_bias(ry.x, rb.x, x->dims[0], c.groups * c.image_ch,
                      c.win.in[0] * c.win.in[1] * c.win.in[2]);
    SAL_TRY(sal_conv_ref_data(&c, rx.x, rw.x, ry.x, e->err));
    sal_ref_store(&ry);
done:
    sal_ref_free(&rx);
    sal_ref_free(&rw);
    sal_ref_free(&rb);
    sal_ref_free(&ry);
    return st;
}

/* y is the image and x the map of the adjoint convolution. */
static sal_status conv_transpose_vjp(sal_vjp *v)
{
    sal_builder *b = v->b;
    sal_vid x = v->node->in[0], w = v->node->in[1], gy = v->gout[0];
    const sal_value *xv = sal_val(b->g, x), *wv = sal_val(b->g, w);
    int64_t group = sal_node_int(v->node, "group", 1);
    sal_window win;

    if (v->need[0] || v->need[1]) {
        sal_status st = sal_window_need_static(b->g, v->node, x, b->err);
        if (st == SAL_OK)
            st = sal_window_from_node(&win, v->node, xv->rank, xv->dims, wv->dims, true, b->err);
        if (st != SAL_OK)
            return b->st = st;
        win = sal_conv_adjoint(&win);
    }
    if (v->need[0])
        v->gin[0] = sal_conv_build_forward(b, gy, w, &win, group);
    if (v->need[1])
        v->gin[1] = sal_conv_build_weights(b, gy, x, &win, group);
    if (v->node->n_in > 2 && v->need[2]) {
        int64_t axes[] = {0, 2, 3, 4};
        v->gin[2] = sal_b_reduce(b, "ReduceSum", gy, sal_val(b->g, gy)->rank - 1, axes, false);
    }
    return b->st;
}

static const char *const conv_transpose_cases[] = {
    "f32[2,3,3,4] f32[3,2,3,2] f32[2] ; ;",
    "f32[1,2,4,3] f32[2,3,3,3] ; strides=[2,2] pads=[1,1,1,1] output_padding=[1,1] ;",
    "f32[1,2,3,3] f32[2,2,4,3] f32[2] ; strides=[3,2] pads=[0,1,2,1] kernel_shape=[4,3] ;",
    "f32[1,2,4,4] f32[2,2,3,2] ; dilations=[2,3] pads=[1,0,2,1] ;",
    "f32[1,4,3,4] f32[4,2,3,3] f32[4] ; group=2 strides=[2,2] pads=[1,1,1,1] ;",
    "f32[2,3,3,3] f32[3,1,4,4] ; group=3 strides=[2,2] pads=[1,1,1,1] ;",
    "f32[1,2,3,4] f32[2,2,3,3] ; strides=[2,2] auto_pad=\"SAME_UPPER\" ;",
    "f32[1,2,3,4] f32[2,2,4,3] ; strides=[2,2] auto_pad=\"SAME_LOWER\" ;",
    "f32[1,2,3,3] f32[2,2,3,3] ; strides=[3,2] output_shape=[10,8] ;",
    "f32[2,2,5] f32[2,3,4] f32[3] ; strides=[2] pads=[1,0] ;",
    /* ONNX Runtime refuses output_padding between the stride and the dilation. */
    "f32[1,2,4] f32[2,2,3] ; dilations=[3] output_padding=[2] pads=[1,1] ; noort",
    "f32[1,2,4] f32[2,2,2] ; dilations=[4] output_padding=[3] pads=[0,1] ; noort",
    "f32[1,2,2,3,2] f32[2,2,2,3,2] f32[2] ; strides=[2,1,2] pads=[0,1,0,1,1,0] ;",
    NULL,
};

const sal_op_desc sal_op_conv_transpose = {
    .name = "ConvTranspose",
    .min_in = 2,
    .max_in = 3,
    .alike = 1 << 1 | 1 << 2,
    .min_out = 1,
    .max_out = 1,
    .since = 11,
    .infer = conv_transpose_infer,
    .eval = conv_transpose_eval,
    .vjp = conv_transpose_vjp,
    .cases = conv_transpose_cases,
};
