/* AveragePoolGrad(dy; spatial = size of the pooled tensor, AveragePool's attributes): its adjoint.
 * Every element of a window gets dy over the window's count. */
#include "ops/core/conv_ref.h"
#include "ops/core/pool_ref.h"

/* Shape of the pooled tensor, from dy's and the attribute. */
static sal_status average_pool_grad_dims(const sal_node *n, int rank, const int64_t *dy,
                                         int64_t *dims, sal_error *err)
{
    size_t count = 0;
    const int64_t *spatial = sal_node_ints(n, "spatial", &count);
    if (spatial == NULL || rank < 2 || count != (size_t)(rank - 2))
        return sal_fail(err, SAL_EINVAL,
                        "attribute spatial must have one number for each spatial axis");
    dims[0] = dy[0];
    dims[1] = dy[1];
    for (int i = 2; i < rank; i++) {
        dims[i] = spatial[i - 2];
        if (dims[i] < 0)
            return sal_fail(err, SAL_EINVAL, "attribute spatial holds %lld", (long long)dims[i]);
    }
    return SAL_OK;
}

static sal_status average_pool_grad_infer(sal_infer *c)
{
    const sal_value *dy = sal_infer_in(c, 0);
    int64_t dims[SAL_MAX_RANK];
    sal_window win;

    if (dy->rank < 0)
        return sal_infer_out(c, 0, dy->dtype, -1, NULL);
    sal_status st = average_pool_grad_dims(c->node, dy->rank, dy->dims, dims, c->err);
    if (st == SAL_OK)
        st = sal_window_from_node(&win, c->node, dy->rank, dims, NULL, false, c->err);
    if (st != SAL_OK)
        return st;
    for (int i = 0; i < win.n; i++)
        if (dy->dims[2 + i] >= 0 && dy->dims[2 + i] != win.out[i])
            return sal_fail(c->err, SAL_ESHAPE,
                            "%lld positions along spatial axis %d; pooling gives %lld",
                            (long long)dy->dims[2 + i], i, (long long)win.out[i]);
    return sal_infer_out(c, 0, dy->dtype, dy->rank, dims);
}

static sal_status average_pool_grad_eval(const sal_eval *e)
{
    sal_status st = SAL_OK;
    sal_ref rd = SAL_REF_INIT, ro = SAL_REF_INIT;
    double *share = NULL, *counts = NULL;
    sal_pool_ref p;

    SAL_TRY(sal_pool_ref_make(&p, e->node, e->out[0]->rank, e->out[0]->dims, e->err));
    SAL_TRY(sal_ref_in(&rd, e->in[0], e->err));
    SAL_TRY(sal_ref_out(&ro, e->out[0], e->err));
    counts = sal_calloc((size_t)SAL_MAX(2 * p.out_size, 1), sizeof(*counts));
    if (counts == NULL) {
        st = sal_fail_nomem(e->err);
        goto done;
    }
    share = counts + p.out_size;
    sal_pool_ref_counts(&p, sal_node_int(e->node, "count_include_pad", 0) != 0, counts);
    for (int64_t n = 0; n < p.planes; n++) {
        for (int64_t o = 0; o < p.out_size; o++)
            share[o] = rd.x[n * p.out_size + o] / counts[o];
        sal_pool_ref_spread(&p, share, ro.x + n * p.in_size);
    }
    sal_ref_store(&ro);
done:
    sal_free(counts);
    sal_ref_free(&rd);
    sal_ref_free(&ro);
    return st;
}

/* Divide by the counts, then a transposed convolution with ones, each channel as an image of its
 * own. */
static sal_status average_pool_grad_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    sal_vid dy = n->in[0];
    const sal_value *dv = sal_val(b->g, dy);
    int rank = dv->rank;
    int64_t dims[SAL_MAX_RANK], planes[SAL_MAX_RANK] = {-1, 1}, ones[SAL_MAX_RANK] = {1, 1};
    sal_tensor t = SAL_TENSOR_INIT;
    sal_window win;
    sal_status st = SAL_OK;

    SAL_TRY(average_pool_grad_dims(n, rank, dv->dims, dims, b->err));
    SAL_TRY(sal_window_from_node(&win, n, rank, dims, NULL, false, b->err));
    sal_vid counts =
        sal_pool_build_counts(b, n, dy, dims, sal_node_int(n, "count_include_pad", 0) != 0);
    sal_vid share = sal_b2(b, "Div", dy, counts);
    for (int i = 0; i < win.n; i++) {
        planes[2 + i] = win.out[i];
        ones[2 + i] = win.kernel[i];
    }
    share = sal_b2(b, "Reshape", share, sal_b_ints(b, planes, rank));
    SAL_TRY(sal_tensor_new(&t, dv->dtype, rank, ones, b->err));
    for (int64_t i = 0; i < sal_tensor_count(&t); i++)
        sal_tensor_set(&t, i, 1.0);
    sal_vid spread = sal_conv_build_data(b, share, sal_b_tensor(b, &t), &win, 1);
    out[0] = sal_b_reshape(b, spread, rank, dims, dy);
    st = b->st;
done:
    sal_tensor_free(&t);
    return b->st = st;
}

static sal_status average_pool_grad_vjp(sal_vjp *v)
{
    sal_attr attr[SAL_POOL_ATTRS];
    if (v->need[0])
        v->gin[0] =
            sal_b_op(v->b, "AveragePool", 1, v->gout, sal_pool_attrs(v->node, 0, NULL, attr), attr);
    return v->b->st;
}

static const char *const average_pool_grad_cases[] = {
    "f32[2,3,4,5] ; spatial=[5,6] kernel_shape=[2,2] ;",
    "f32[1,2,4,3] ; spatial=[7,6] kernel_shape=[3,2] strides=[2,2] pads=[1,0,1,1] ;",
    "f32[1,2,3,2] ; spatial=[7,6] kernel_shape=[3,3] strides=[2,3] pads=[1,1,0,1] "
    "count_include_pad=1 ;",
    "f32[1,2,3,3] ; spatial=[6,7] kernel_shape=[3,3] strides=[2,2] ceil_mode=1 ;",
    "f32[1,2,4,3] ; spatial=[7,6] kernel_shape=[3,2] strides=[2,2] auto_pad=\"SAME_UPPER\" ;",
    "f32[1,2,6,6] ; spatial=[7,8] kernel_shape=[2,3] dilations=[3,2] pads=[1,1,1,1] ;",
    "f32[2,3,4] ; spatial=[7] kernel_shape=[3] strides=[2] pads=[1,1] ;",
    "f32[1,2,3,3,3] ; spatial=[3,4,3] kernel_shape=[2,2,2] strides=[1,2,1] pads=[0,1,0,1,1,1] ;",
    NULL,
};

const sal_op_desc sal_op_average_pool_grad = {
    .name = "AveragePoolGrad",
    .domain = SAL_DOMAIN_INTERNAL,
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .since = 11,
    .infer = average_pool_grad_infer,
    .eval = average_pool_grad_eval,
    .expand = average_pool_grad_expand,
    .vjp = average_pool_grad_vjp,
    .cases = average_pool_grad_cases,
};
