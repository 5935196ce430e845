/* MaxPoolGather(g, x, y): the elements of g at the first maximum of each window in x; the
 * derivative of MaxPoolGrad with respect to its gradient. y is what MaxPool gives for x. */
#include "ops/core/pool_ref.h"

static sal_status max_pool_gather_infer(sal_infer *c)
{
    return sal_pool_infer_grad(c, -1, 2);
}

static sal_status max_pool_gather_eval(const sal_eval *e)
{
    sal_status st = SAL_OK;
    const sal_tensor *x = e->in[1];
    sal_ref rg = SAL_REF_INIT, rx = SAL_REF_INIT, ro = SAL_REF_INIT;
    int64_t *at = NULL;
    sal_pool_ref p;

    SAL_TRY(sal_pool_ref_make(&p, e->node, x->rank, x->dims, e->err));
    SAL_TRY(sal_ref_in(&rg, e->in[0], e->err));
    SAL_TRY(sal_ref_in(&rx, x, e->err));
    SAL_TRY(sal_ref_out(&ro, e->out[0], e->err));
    at = sal_calloc((size_t)SAL_MAX(p.out_size, 1), sizeof(*at));
    if (at == NULL) {
        st = sal_fail_nomem(e->err);
        goto done;
    }
    for (int64_t n = 0; n < p.planes; n++) {
        sal_pool_ref_argmax(&p, rx.x + n * p.in_size, at);
        for (int64_t o = 0; o < p.out_size; o++)
            if (at[o] >= 0)
                ro.x[n * p.out_size + o] = rg.x[n * p.in_size + at[o]];
    }
    sal_ref_store(&ro);
done:
    sal_free(at);
    sal_ref_free(&rg);
    sal_ref_free(&rx);
    sal_ref_free(&ro);
    return st;
}

static sal_status max_pool_gather_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    static const int64_t flat[] = {-1};
    sal_vid pooled[2] = {SAL_NONE, SAL_NONE}, x = n->in[1];
    sal_attr attr[SAL_POOL_ATTRS], axis = SAL_AI("axis", 0);
    sal_vid minus = sal_b_ints(b, flat, 1);
    sal_b_node(b, "MaxPool", 1, &x, sal_pool_attrs(n, 0, NULL, attr), attr, 2, pooled);
    sal_vid in[2] = {sal_b2(b, "Reshape", n->in[0], minus), sal_b2(b, "Reshape", pooled[1], minus)};
    out[0] = sal_b_reshape_like(b, sal_b_op(b, "GatherElements", 2, in, 1, &axis), pooled[1]);
    return b->st;
}

static sal_status max_pool_gather_vjp(sal_vjp *v)
{
    sal_attr attr[SAL_POOL_ATTRS];
    const sal_node *n = v->node;
    if (v->need[0])
        v->gin[0] = sal_b_op(v->b, "MaxPoolGrad", 3, (sal_vid[]){v->gout[0], n->in[1], n->in[2]},
                             sal_pool_attrs(n, 0, NULL, attr), attr);
    return v->b->st;
}

#define MAX_POOL_30                                                                                \
    "{3,-7,12,5,-1,9,14,-4,0,7,-12,2,11,-9,6,-2,13,-6,1,10,-11,4,-3,8,-14,15,-5,-8,-10,-13}"

/* The last input is what MaxPool gives for the second. */
static const char *const max_pool_gather_cases[] = {
    "f32[1,1,5,6] f32[1,1,5,6]" MAX_POOL_30
    " f32[1,1,2,3]{14,12,9,11,6,13} ; kernel_shape=[2,2] strides=[2,2] ;",
    "f32[2,3,5] f32[2,3,5]" MAX_POOL_30
    " f32[2,3,3]{3,12,5,14,14,7,2,11,6,13,13,10,4,8,8,15,-5,-10} ; "
    "kernel_shape=[3] strides=[2] pads=[1,1] ;",
    NULL,
};

const sal_op_desc sal_op_max_pool_gather = {
    .name = "MaxPoolGather",
    .domain = SAL_DOMAIN_INTERNAL,
    .min_in = 3,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .since = 12,
    .infer = max_pool_gather_infer,
    .eval = max_pool_gather_eval,
    .expand = max_pool_gather_expand,
    .vjp = max_pool_gather_vjp,
    .cases = max_pool_gather_cases,
};
