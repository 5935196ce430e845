/* GatherElements: out[i][j][k] = x[i][index[i][j][k]][k] for axis 1; the result has the indices'
 * shape. */
#include "ops/core/scatter.h"

static sal_status gather_elements_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0), *i = sal_infer_in(c, 1);
    int axis;
    sal_status st;
    if (x->rank >= 0) {
        SAL_TRY(sal_infer_axis(c, sal_node_int(c->node, "axis", 0), x->rank, &axis));
        if (i->rank >= 0 && i->rank != x->rank)
            return sal_fail(c->err, SAL_ESHAPE, "the indices have %d dimensions, the data %d",
                            (int)i->rank, (int)x->rank);
        for (int k = 0; k < i->rank; k++)
            if (k != axis && x->dims[k] >= 0 && i->dims[k] > x->dims[k])
                return sal_fail(c->err, SAL_ESHAPE,
                                "the indices are longer than the data along axis %d", k);
    }
    st = sal_infer_out(c, 0, x->dtype, i->rank, i->dims);
done:
    return st;
}

static sal_status gather_elements_eval(const sal_eval *e)
{
    const sal_tensor *x = e->in[0], *index = e->in[1];
    int64_t axis = sal_node_int(e->node, "axis", 0), n = sal_tensor_count(index),
            at[SAL_MAX_RANK] = {0};
    size_t elem = sal_dtype_size(x->dtype);
    int k = (int)(axis < 0 ? axis + x->rank : axis);
    sal_status st = SAL_OK;
    for (int64_t i = 0; i < n && st == SAL_OK; i++) {
        int64_t from;
        st = sal_scatter_offset(x->rank, x->dims, index, i, at, k, &from, e->err);
        if (st == SAL_OK)
            memcpy((char *)e->out[0]->data + (size_t)i * elem,
                   (const char *)x->data + (size_t)from * elem, elem);
        sal_scatter_next(index->rank, index->dims, at);
    }
    return st;
}

static sal_status gather_elements_vjp(sal_vjp *v)
{
    sal_builder *b = v->b;
    const sal_node *n = v->node;
    sal_attr a[] = {SAL_AI("axis", sal_node_int(n, "axis", 0)), SAL_AS("reduction", "add")};
    if (v->need[0]) {
        sal_vid in[3] = {sal_b_zeros_like(b, n->in[0]), n->in[1], v->gout[0]};
        v->gin[0] = sal_b_op(b, "ScatterElements", 3, in, 2, a);
    }
    return b->st;
}

static const char *const gather_elements_cases[] = {
    "f32[3,3] i64[2,3]{1,2,0,2,0,0}",
    "f32[2,3] i64[2,4]{0,-1,1,1,2,0,0,-3} ; axis=1",
    "f32[2,3,2] i32[1,3,3]{0,1,1,0,0,0,-1,-2,1} ; axis=-1",
    "i64[4] i64[2]{3,0} ; ; nograd",
    NULL,
};

const sal_op_desc sal_op_gather_elements = {
    .name = "GatherElements",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_MOVE,
    .since = 13,
    .infer = gather_elements_infer,
    .eval = gather_elements_eval,
    .vjp = gather_elements_vjp,
    .cases = gather_elements_cases,
};
