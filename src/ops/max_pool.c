/* MaxPool: the largest element of each window, and optionally its index in the flattened tensor. */
#include "ops/core/pool_ref.h"

#include <math.h>

/* Smallest value of an element type: what a window of nothing but padding gives. */
static double max_pool_lowest(sal_dtype dtype)
{
    return dtype == SAL_U8 ? 0.0 : dtype == SAL_I8 ? -128.0 : (double)-INFINITY;
}

/* storage_order 1 numbers the elements of a plane with the first axis running fastest. */
static int64_t max_pool_index(const sal_pool_ref *p, int64_t plane, int64_t at, bool column_major)
{
    const int64_t *in = p->win.in;
    if (column_major) {
        int64_t x = at % in[2], y = at / in[2] % in[1], z = at / (in[2] * in[1]);
        at = z + in[0] * (y + in[1] * x);
    }
    return plane * p->in_size + at;
}

static sal_status max_pool_eval(const sal_eval *e)
{
    sal_status st = SAL_OK;
    const sal_tensor *x = e->in[0];
    sal_ref rx = SAL_REF_INIT, ry = SAL_REF_INIT;
    int64_t *at = NULL;
    int64_t *index = e->node->n_out > 1 && e->out[1] != NULL ? e->out[1]->data : NULL;
    bool column_major = sal_node_int(e->node, "storage_order", 0) != 0;
    double lowest = max_pool_lowest(x->dtype);
    sal_pool_ref p;

    SAL_TRY(sal_pool_ref_make(&p, e->node, x->rank, x->dims, e->err));
    SAL_TRY(sal_ref_in(&rx, x, e->err));
    SAL_TRY(sal_ref_out(&ry, e->out[0], e->err));
    at = sal_calloc((size_t)SAL_MAX(p.out_size, 1), sizeof(*at));
    if (at == NULL) {
        st = sal_fail_nomem(e->err);
        goto done;
    }
    for (int64_t n = 0; n < p.planes; n++) {
        sal_pool_ref_argmax(&p, rx.x + n * p.in_size, at);
        for (int64_t o = 0; o < p.out_size; o++) {
            if (ry.x != NULL)
                ry.x[n * p.out_size + o] = at[o] < 0 ? lowest : rx.x[n * p.in_size + at[o]];
            if (index != NULL)
                index[n * p.out_size + o] =
                    at[o] < 0 ? -1 : max_pool_index(&p, n, at[o], column_major);
        }
    }
    sal_ref_store(&ry);
done:
    sal_free(at);
    sal_ref_free(&rx);
    sal_ref_free(&ry);
    return st;
}

static sal_status max_pool_vjp(sal_vjp *v)
{
    sal_attr attr[SAL_POOL_ATTRS];
    const sal_node *n = v->node;
    if (v->need[0] && v->gout[0] != SAL_NONE)
        v->gin[0] = sal_b_op(v->b, "MaxPoolGrad", 3, (sal_vid[]){v->gout[0], n->in[0], n->out[0]},
                             sal_pool_attrs(n, 0, NULL, attr), attr);
    return v->b->st;
}

/* Values that are far apart, so that small steps do not change which one is the maximum. */
#define MAX_POOL_30                                                                                \
    "{3,-7,12,5,-1,9,14,-4,0,7,-12,2,11,-9,6,-2,13,-6,1,10,-11,4,-3,8,-14,15,-5,-8,-10,-13}"
#define MAX_POOL_24 "{3,-7,12,5,-1,9,14,-4,0,7,-12,2,11,-9,6,-2,13,-6,1,10,-11,4,-3,8}"

static const char *const max_pool_cases[] = {
    "f32[1,1,5,6]" MAX_POOL_30 " ; kernel_shape=[2,2] ;",
    "f32[1,1,5,6]" MAX_POOL_30 " ; kernel_shape=[3,2] strides=[2,2] pads=[1,0,1,1] ;",
    "f32[1,1,5,6]" MAX_POOL_30 " ; kernel_shape=[3,3] strides=[2,3] pads=[1,1,0,1] ; out=2",
    "f32[1,1,5,6]" MAX_POOL_30 " ; kernel_shape=[2,3] strides=[2,2] ceil_mode=1 ;",
    "f32[1,1,5,6]" MAX_POOL_30
    " ; kernel_shape=[2,2] dilations=[2,3] strides=[1,2] pads=[1,1,0,1] ;",
    "f32[1,1,5,6]" MAX_POOL_30 " ; kernel_shape=[3,2] strides=[2,2] auto_pad=\"SAME_UPPER\" ;",
    "f32[1,1,5,6]" MAX_POOL_30 " ; kernel_shape=[2,3] strides=[2,1] auto_pad=\"SAME_LOWER\" ;",
    "f32[1,1,5,6]" MAX_POOL_30 " ; kernel_shape=[2,3] strides=[2,2] auto_pad=\"VALID\" ;",
    "f32[1,1,5,6]" MAX_POOL_30 " ; kernel_shape=[2,2] storage_order=1 strides=[2,2] ; out=2",
    "f32[2,3,5]" MAX_POOL_30 " ; kernel_shape=[3] strides=[2] pads=[1,1] ; out=2",
    "f32[1,2,2,3,2]" MAX_POOL_24 " ; kernel_shape=[2,2,2] pads=[0,1,0,0,1,1] ;",
    "i8[1,1,5,6]" MAX_POOL_30 " ; kernel_shape=[2,2] strides=[2,2] ; nograd",
    NULL,
};

const sal_op_desc sal_op_max_pool = {
    .name = "MaxPool",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 2,
    .since = 12,
    .infer = sal_pool_infer,
    .eval = max_pool_eval,
    .vjp = max_pool_vjp,
    .cases = max_pool_cases,
};
