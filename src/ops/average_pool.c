/* AveragePool: the sum of each window over the number of its elements; padding is zero and counts
 * only with count_include_pad. What ceil_mode reaches beyond the padding never counts. */
#include "ops/core/pool_ref.h"

static sal_status average_pool_eval(const sal_eval *e)
{
    sal_status st = SAL_OK;
    const sal_tensor *x = e->in[0];
    sal_ref rx = SAL_REF_INIT, ry = SAL_REF_INIT;
    double *counts = NULL;
    sal_pool_ref p;

    SAL_TRY(sal_pool_ref_make(&p, e->node, x->rank, x->dims, e->err));
    SAL_TRY(sal_ref_in(&rx, x, e->err));
    SAL_TRY(sal_ref_out(&ry, e->out[0], e->err));
    counts = sal_calloc((size_t)SAL_MAX(p.out_size, 1), sizeof(*counts));
    if (counts == NULL) {
        st = sal_fail_nomem(e->err);
        goto done;
    }
    sal_pool_ref_counts(&p, sal_node_int(e->node, "count_include_pad", 0) != 0, counts);
    for (int64_t n = 0; n < p.planes; n++) {
        double *y = ry.x + n * p.out_size;
        sal_pool_ref_sum(&p, rx.x + n * p.in_size, y);
        for (int64_t o = 0; o < p.out_size; o++)
            y[o] /= counts[o];
    }
    sal_ref_store(&ry);
done:
    sal_free(counts);
    sal_ref_free(&rx);
    sal_ref_free(&ry);
    return st;
}

static sal_status average_pool_vjp(sal_vjp *v)
{
    sal_attr attr[SAL_POOL_ATTRS + 1];
    sal_vid x = v->node->in[0];
    const sal_value *xv = sal_val(v->b->g, x);
    if (!v->need[0])
        return SAL_OK;
    sal_status st = sal_window_need_static(v->b->g, v->node, x, v->b->err);
    if (st != SAL_OK)
        return v->b->st = st;
    sal_attr spatial = SAL_AINTS("spatial", xv->dims + 2, xv->rank - 2);
    v->gin[0] = sal_b_op(v->b, "AveragePoolGrad", 1, v->gout,
                         sal_pool_attrs(v->node, 1, &spatial, attr), attr);
    return v->b->st;
}

static const char *const average_pool_cases[] = {
    "f32[2,3,5,6] ; kernel_shape=[2,2] ;",
    "f32[1,2,7,6] ; kernel_shape=[3,2] strides=[2,2] pads=[1,0,1,1] ;",
    "f32[1,2,7,6] ; kernel_shape=[3,3] strides=[2,3] pads=[1,1,0,1] count_include_pad=1 ;",
    "f32[1,2,6,7] ; kernel_shape=[3,3] strides=[2,2] ceil_mode=1 ;",
    "f32[1,2,6,7] ; kernel_shape=[3,2] strides=[2,2] pads=[1,1,0,0] ceil_mode=1 "
    "count_include_pad=1 ;",
    "f32[1,2,7,8] ; kernel_shape=[2,3] dilations=[3,2] pads=[1,1,1,1] ;",
    "f32[1,2,7,6] ; kernel_shape=[3,2] strides=[2,2] auto_pad=\"SAME_UPPER\" ;",
    "f32[1,2,7,6] ; kernel_shape=[2,3] strides=[2,1] auto_pad=\"SAME_LOWER\" count_include_pad=1 ;",
    "f32[1,2,7,6] ; kernel_shape=[2,3] strides=[2,2] auto_pad=\"VALID\" ;",
    "f32[2,3,7] ; kernel_shape=[3] strides=[2] pads=[1,1] ;",
    "f32[1,2,3,4,3] ; kernel_shape=[2,2,2] strides=[1,2,1] pads=[0,1,0,1,1,1] ;",
    NULL,
};

const sal_op_desc sal_op_average_pool = {
    .name = "AveragePool",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .since = 19,
    .infer = sal_pool_infer,
    .eval = average_pool_eval,
    .vjp = average_pool_vjp,
    .cases = average_pool_cases,
};
