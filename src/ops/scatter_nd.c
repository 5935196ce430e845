/* ScatterND: a copy of the data in which the elements or slices that the index tuples address are
 * replaced by, or combined with, the updates. */
#include "ops/core/scatter.h"

static sal_status scatter_nd_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0), *i = sal_infer_in(c, 1), *u = sal_infer_in(c, 2);
    sal_scatter_op op;
    sal_status st;
    SAL_TRY(sal_scatter_op_of(c->node, &op, c->err));
    SAL_TRY(sal_infer_out_like(c, 0, 0));
    if (x->rank < 0 || i->rank < 0 || u->rank < 0)
        goto done;
    if (i->rank < 1)
        return sal_fail(c->err, SAL_ESHAPE, "the indices must have at least one dimension");
    int64_t m = i->dims[i->rank - 1];
    if (m > x->rank || (m >= 0 && u->rank != i->rank - 1 + x->rank - m))
        return sal_fail(c->err, SAL_ESHAPE,
                        "tuples of %lld indices into %d dimensions need updates of %lld "
                        "dimensions, not %d",
                        (long long)m, (int)x->rank, (long long)(i->rank - 1 + x->rank - m),
                        (int)u->rank);
    for (int k = 0; m >= 0 && k < u->rank; k++) {
        int64_t want = k < i->rank - 1 ? i->dims[k] : x->dims[k - (i->rank - 1) + m];
        if (want >= 0 && u->dims[k] >= 0 && want != u->dims[k])
            return sal_fail(c->err, SAL_ESHAPE,
                            "the updates have %lld elements along axis %d, %lld are needed",
                            (long long)u->dims[k], k, (long long)want);
    }
done:
    return st;
}

static sal_status scatter_nd_eval(const sal_eval *e)
{
    const sal_tensor *x = e->in[0], *index = e->in[1], *u = e->in[2];
    int64_t m = index->dims[index->rank - 1], n = sal_move_count(index->dims, 0, index->rank - 1);
    int64_t count = sal_move_count(x->dims, (int)m, x->rank);
    size_t elem = sal_dtype_size(x->dtype);
    sal_scatter_op op;
    sal_status st;
    SAL_TRY(sal_scatter_op_of(e->node, &op, e->err));
    SAL_TRY(sal_move_all(e->out[0], x, e->err));
    if (sal_tensor_count(u) != n * count)
        return sal_fail(e->err, SAL_ESHAPE, "the updates do not fit the indices");
    for (int64_t i = 0; count > 0 && i < n; i++) {
        int64_t to;
        SAL_TRY(sal_scatter_tuple(x, 0, NULL, index, i, m, &to, e->err));
        SAL_TRY(sal_scatter_apply(op, x->dtype, (char *)e->out[0]->data + (size_t)to * elem,
                                  (const char *)u->data + (size_t)(i * count) * elem, count,
                                  e->err));
    }
done:
    return st;
}

static sal_status scatter_nd_vjp(sal_vjp *v)
{
    return sal_scatter_vjp(v, "GatherND");
}

static const char *const scatter_nd_cases[] = {
    "f32[8] i64[4,1]{4,3,1,7} f32[4]",
    "f32[4,2,3] i64[2,1]{0,-2} f32[2,2,3]",
    "f32[3,2,2] i64[2,2]{0,1,2,0} f32[2,2]",
    "f32[4,3] i64[3,1]{1,1,-1} f32[3,3] ; reduction=\"add\"",
    "f32[4]:0.5..2 i64[3,1]{1,1,2} f32[3]:0.5..2 ; reduction=\"mul\"",
    "f32[4,2] i64[3,1]{1,1,2} f32[3,2] ; reduction=\"min\"",
    "f32[4,2] i64[3,1]{1,1,2} f32[3,2] ; reduction=\"max\"",
    "i64[4] i64[1,1]{2} i64[1]{9} ; ; nograd",
    NULL,
};

const sal_op_desc sal_op_scatter_nd = {
    .name = "ScatterND",
    .min_in = 3,
    .max_in = 3,
    .alike = 1 << 2,
    .min_out = 1,
    .max_out = 1,
    .since = 18,
    .infer = scatter_nd_infer,
    .eval = scatter_nd_eval,
    .vjp = scatter_nd_vjp,
    .cases = scatter_nd_cases,
};
