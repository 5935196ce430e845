/* ConvWeightGrad(x, dy): derivative of a convolution with respect to its weights,
 * dw[m,c,k] = sum over n, o of dy[n,m,o] x[n,c,o*stride+k*dilation-pad]. The pads are explicit; x
 * may be up to any length longer than what the windows of dy reach. */
#include "ops/core/conv_ref.h"
#include "ops/infer.h"

/* Window with out = dy's size. */
static sal_status conv_weight_grad_window(sal_window *win, const sal_node *node, int rank,
                                          const int64_t *x, const int64_t *dy, sal_error *err)
{
    sal_status st = sal_window_from_node(win, node, rank, x, NULL, false, err);
    for (int i = 0; st == SAL_OK && i < win->n; i++) {
        if (win->out[i] >= 0 && dy[2 + i] > win->out[i])
            return sal_fail(err, SAL_ESHAPE,
                            "%lld positions along spatial axis %d where the input allows "
                            "%lld",
                            (long long)dy[2 + i], i, (long long)win->out[i]);
        win->out[i] = SAL_MAX(dy[2 + i], -1);
    }
    return st;
}

static sal_status conv_weight_grad_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0), *dy = sal_infer_in(c, 1);
    int64_t group = sal_node_int(c->node, "group", 1), dims[SAL_MAX_RANK];
    sal_window win;

    if (x->rank < 0 || dy->rank < 0)
        return sal_infer_out(c, 0, x->dtype, -1, NULL);
    if (dy->rank != x->rank)
        return sal_fail(c->err, SAL_ESHAPE, "inputs of rank %d and %d; they must agree",
                        (int)x->rank, (int)dy->rank);
    sal_status st = conv_weight_grad_window(&win, c->node, x->rank, x->dims, dy->dims, c->err);
    if (st != SAL_OK)
        return st;
    if (group < 1 || (x->dims[1] >= 0 && x->dims[1] % group != 0) ||
        (dy->dims[1] >= 0 && dy->dims[1] % group != 0))
        return sal_fail(c->err, SAL_EINVAL, "%lld and %lld channels do not divide into %lld groups",
                        (long long)x->dims[1], (long long)dy->dims[1], (long long)group);
    if (x->dims[0] >= 0 && dy->dims[0] >= 0 && x->dims[0] != dy->dims[0])
        return sal_fail(c->err, SAL_ESHAPE, "batches of %lld and %lld", (long long)x->dims[0],
                        (long long)dy->dims[0]);
    dims[0] = dy->dims[1];
    dims[1] = group == 1 ? x->dims[1] : sal_dim_div(c->g, x->dims[1], group);
    for (int i = 0; i < win.n; i++)
        dims[2 + i] = win.kernel[i];
    return sal_infer_out(c, 0, x->dtype, x->rank, dims);
}

static sal_status conv_weight_grad_eval(const sal_eval *e)
{
    sal_status st = SAL_OK;
    const sal_tensor *x = e->in[0], *dy = e->in[1];
    sal_ref rx = SAL_REF_INIT, rd = SAL_REF_INIT, rw = SAL_REF_INIT;
    sal_window win;

    SAL_TRY(conv_weight_grad_window(&win, e->node, x->rank, x->dims, dy->dims, e->err));
    SAL_TRY(sal_ref_in(&rx, x, e->err));
    SAL_TRY(sal_ref_in(&rd, dy, e->err));
    SAL_TRY(sal_ref_out(&rw, e->out[0], e->err));
    sal_conv_ref c =
        sal_conv_ref_make(&win, x->dims[0], sal_node_int(e->node, "group", 1), e->out[0]->dims);
    SAL_TRY(sal_conv_ref_weights(&c, rx.x, rd.x, rw.x, e->err));
    sal_ref_store(&rw);
done:
    sal_ref_free(&rx);
    sal_ref_free(&rd);
    sal_ref_free(&rw);
    return st;
}

/* The sum over n and o is itself a convolution: images and channels swap roles, dy is the kernel,
 * stride and dilation swap. With groups the batch becomes the channels of each group: x  [N, g*C,
 * in]  -> [C, g*N, in]      dy [N, g*M, out] -> [g*M, N, out] Conv -> [C, g*M, K'] with K' >= K ->
 * [g*M, C, K]. */
static sal_status conv_weight_grad_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    sal_vid x = n->in[0], dy = n->in[1];
    const sal_value *xv = sal_val(b->g, x), *dv = sal_val(b->g, dy);
    int64_t group = sal_node_int(n, "group", 1), pads[2 * SAL_WINDOW_AXES];
    int rank = xv->rank;
    sal_attr attr[SAL_WINDOW_ATTRS];
    sal_window win, swapped;

    sal_status st = sal_window_need_static(b->g, n, x, b->err);
    if (st == SAL_OK)
        st = sal_window_need_static(b->g, n, dy, b->err);
    if (st == SAL_OK)
        st = conv_weight_grad_window(&win, n, rank, xv->dims, dv->dims, b->err);
    if (st != SAL_OK)
        return b->st = st;

    int64_t swap[SAL_MAX_RANK] = {1, 0, 2, 3, 4};
    if (group == 1) {
        x = sal_b_transpose(b, x, swap);
    } else {
        int64_t split[SAL_MAX_RANK] = {xv->dims[0], group, sal_dim_div(b->g, xv->dims[1], group)};
        int64_t order[SAL_MAX_RANK] = {2, 1, 0, 3, 4, 5};
        int64_t join[SAL_MAX_RANK] = {split[2], sal_dim_mul(b->g, split[0], group)};
        for (int i = 2; i < rank; i++)
            split[1 + i] = join[i] = xv->dims[i];
        x = sal_b_reshape(b, x, rank + 1, split, x);
        x = sal_b_transpose(b, x, order);
        x = sal_b_reshape(b, x, rank, join, x);
    }
    sal_vid w = sal_b_transpose(b, dy, swap);

    swapped = win;
    for (int i = 0; i < win.n; i++) {
        swapped.strides[i] = win.dilations[i];
        swapped.dilations[i] = win.strides[i];
        swapped.kernel[i] = win.out[i];
    }
    (void)sal_window_attrs(&swapped, pads, attr);
    attr[0] = SAL_AI("group", group); /* the kernel's size is the weights' */
    sal_vid y = sal_b_op(b, "Conv", 2, (sal_vid[]){x, w}, SAL_WINDOW_ATTRS, attr);
    y = sal_b_transpose(b, y, swap);
    for (int i = 0; i < win.n && b->st == SAL_OK; i++)
        if (sal_val(b->g, y)->dims[2 + i] != win.kernel[i])
            y = sal_b_slice(b, y, 2 + i, 0, win.kernel[i], 1);
    out[0] = y;
    return b->st;
}

/* Linear in x and in dy: dw is both the weight gradient of a convolution of x and ... of its
 * adjoint. */
static sal_status conv_weight_grad_vjp(sal_vjp *v)
{
    sal_builder *b = v->b;
    sal_vid x = v->node->in[0], dy = v->node->in[1], gw = v->gout[0];
    const sal_value *xv = sal_val(b->g, x), *dv = sal_val(b->g, dy);
    int64_t group = sal_node_int(v->node, "group", 1);
    sal_window win;

    sal_status st = sal_window_need_static(b->g, v->node, x, b->err);
    if (st == SAL_OK)
        st = sal_window_need_static(b->g, v->node, dy, b->err);
    if (st == SAL_OK)
        st = conv_weight_grad_window(&win, v->node, xv->rank, xv->dims, dv->dims, b->err);
    if (st != SAL_OK)
        return b->st = st;
    if (v->need[0])
        v->gin[0] = sal_conv_build_data(b, dy, gw, &win, group);
    if (v->need[1])
        v->gin[1] = sal_conv_build_forward(b, x, gw, &win, group);
    return b->st;
}

static const char *const conv_weight_grad_cases[] = {
    "f32[2,3,6,5] f32[2,4,4,4] ; kernel_shape=[3,2] ;",
    "f32[1,2,7,6] f32[1,3,4,3] ; kernel_shape=[3,3] strides=[2,2] pads=[1,1,1,1] ;",
    "f32[2,2,8,7] f32[2,2,3,4] ; kernel_shape=[3,2] strides=[3,2] pads=[0,1,2,1] ;",
    "f32[1,2,9,8] f32[1,3,8,8] ; kernel_shape=[3,2] dilations=[2,3] pads=[2,1,1,2] ;",
    "f32[2,4,5,5] f32[2,6,5,5] ; kernel_shape=[3,3] group=2 pads=[1,1,1,1] ;",
    "f32[2,3,6,6] f32[2,3,3,3] ; kernel_shape=[3,3] group=3 strides=[2,2] pads=[1,1,1,1] ;",
    "f32[2,3,9] f32[2,4,5] ; kernel_shape=[4] strides=[2] pads=[1,2] ;",
    "f32[1,2,9] f32[1,3,4] ; kernel_shape=[3] dilations=[3] pads=[0,1] ;",
    "f32[1,2,4,5,4] f32[1,3,4,2,4] ; kernel_shape=[2,3,2] strides=[1,2,1] pads=[1,0,0,0,1,1] ;",
    NULL,
};

const sal_op_desc sal_op_conv_weight_grad = {
    .name = "ConvWeightGrad",
    .domain = SAL_DOMAIN_INTERNAL,
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .since = 11,
    .infer = conv_weight_grad_infer,
    .eval = conv_weight_grad_eval,
    .expand = conv_weight_grad_expand,
    .vjp = conv_weight_grad_vjp,
    .cases = conv_weight_grad_cases,
};
