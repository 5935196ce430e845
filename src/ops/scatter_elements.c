/* ScatterElements: a copy of the data in which y[i][index[i][j]] (for axis 1) is replaced by, or
 * combined with, updates[i][j]. */
#include "ops/core/scatter.h"

static sal_status scatter_elements_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0), *i = sal_infer_in(c, 1), *u = sal_infer_in(c, 2);
    sal_scatter_op op;
    int axis;
    sal_status st;
    SAL_TRY(sal_scatter_op_of(c->node, &op, c->err));
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
    if (i->rank >= 0 && u->rank >= 0) {
        bool differ = i->rank != u->rank;
        for (int k = 0; !differ && k < i->rank; k++)
            differ = i->dims[k] >= 0 && u->dims[k] >= 0 && i->dims[k] != u->dims[k];
        if (differ)
            return sal_fail(c->err, SAL_ESHAPE, "indices and updates differ in shape");
    }
    SAL_TRY(sal_infer_out_like(c, 0, 0));
done:
    return st;
}

static sal_status scatter_elements_eval(const sal_eval *e)
{
    const sal_tensor *x = e->in[0], *index = e->in[1], *u = e->in[2];
    int64_t axis = sal_node_int(e->node, "axis", 0), n = sal_tensor_count(index),
            at[SAL_MAX_RANK] = {0};
    size_t elem = sal_dtype_size(x->dtype);
    int k = (int)(axis < 0 ? axis + x->rank : axis);
    sal_scatter_op op;
    sal_status st;
    SAL_TRY(sal_scatter_op_of(e->node, &op, e->err));
    SAL_TRY(sal_move_all(e->out[0], x, e->err));
    if (sal_tensor_count(u) != n)
        return sal_fail(e->err, SAL_ESHAPE, "indices and updates differ in shape");
    for (int64_t i = 0; i < n; i++) {
        int64_t to;
        SAL_TRY(sal_scatter_offset(x->rank, x->dims, index, i, at, k, &to, e->err));
        SAL_TRY(sal_scatter_apply(op, x->dtype, (char *)e->out[0]->data + (size_t)to * elem,
                                  (const char *)u->data + (size_t)i * elem, 1, e->err));
        sal_scatter_next(index->rank, index->dims, at);
    }
done:
    return st;
}

static sal_status scatter_elements_vjp(sal_vjp *v)
{
    return sal_scatter_vjp(v, "GatherElements");
}

static const char *const scatter_elements_cases[] = {
    "f32[3,3] i64[2,3]{1,0,2,0,2,1} f32[2,3]",
    "f32[2,5] i64[2,2]{1,-2,0,2} f32[2,2] ; axis=1",
    "f32[2,5] i64[2,3]{1,1,-4,0,2,2} f32[2,3] ; axis=-1 reduction=\"add\"",
    "f32[2,3]:0.5..2 i64[2,2]{1,1,0,2} f32[2,2]:0.5..2 ; axis=1 reduction=\"mul\"",
    "f32[2,3] i64[2,2]{1,1,0,2} f32[2,2] ; axis=1 reduction=\"min\"",
    "f32[2,3] i64[2,2]{1,1,0,2} f32[2,2] ; axis=1 reduction=\"max\"",
    "i64[4] i32[2]{3,0} i64[2]{7,8} ; reduction=\"add\" ; nograd",
    NULL,
};

const sal_op_desc sal_op_scatter_elements = {
    .name = "ScatterElements",
    .min_in = 3,
    .max_in = 3,
    .alike = 1 << 2,
    .min_out = 1,
    .max_out = 1,
    .since = 18,
    .infer = scatter_elements_infer,
    .eval = scatter_elements_eval,
    .vjp = scatter_elements_vjp,
    .cases = scatter_elements_cases,
};
