/* Expand: broadcast to a shape; both sides may have ones. */
#include "ops/core/move.h"

static sal_status expand_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0), *s = sal_infer_in(c, 1);
    int64_t shape[SAL_KNOWN_MAX], dims[SAL_MAX_RANK], known[SAL_KNOWN_MAX];
    int n, rank, n_known;
    bool symbolic;
    sal_status st;
    SAL_TRY(sal_infer_ints(c, 1, shape, SAL_KNOWN_MAX, &n, &symbolic));
    if (n < 0 && x->rank >= 0 && s->rank == 1 && s->dims[0] >= 0 && s->dims[0] <= SAL_MAX_RANK)
        return sal_move_out_unknown(c, (int)SAL_MAX(s->dims[0], (int64_t)x->rank));
    if (n < 0 || x->rank < 0)
        return sal_infer_out(c, 0, x->dtype, -1, NULL);
    if (n > SAL_MAX_RANK)
        return sal_fail(c->err, SAL_EUNSUPPORTED,
                        "a shape of %d dimensions; at most %d are possible", n, SAL_MAX_RANK);
    for (int i = 0; i < n; i++) {
        if (shape[i] >= 0 || (symbolic && !sal_known_is_number(shape[i])))
            continue;
        /* -1 keeps the dimension: not in the standard, but written by exporters and taken by
         * engines */
        if (sal_known_decode(shape[i]) != -1)
            return sal_fail(c->err, SAL_EINVAL, "shape element %d is negative", i);
        shape[i] = 1;
    }
    SAL_TRY(sal_infer_broadcast_dims(c->g, x->rank, x->dims, n, shape, &rank, dims, c->err));
    SAL_TRY(sal_infer_out(c, 0, x->dtype, rank, dims));
    SAL_TRY(sal_infer_known_in(c, 0, known, &n_known));
    if (rank > 1 || n_known < 0 || (rank == 1 && (dims[0] < 0 || dims[0] > SAL_KNOWN_MAX)))
        goto done;
    int count = rank == 1 ? (int)dims[0] : 1;
    for (int i = n_known; i < count && n_known == 1; i++)
        known[i] = known[0];
    SAL_TRY(sal_infer_known_out(c, 0, known, n_known == 1 || n_known == count ? count : -1));
done:
    return st;
}

static sal_status expand_eval(const sal_eval *e)
{
    const sal_tensor *x = e->in[0];
    sal_tensor *y = e->out[0];
    size_t elem = sal_dtype_size(x->dtype);
    int64_t xs[SAL_MAX_RANK], ys[SAL_MAX_RANK], ss[SAL_MAX_RANK] = {0};
    int lead = y->rank - x->rank;
    sal_move_strides(x->rank, x->dims, elem, xs);
    sal_move_strides(y->rank, y->dims, elem, ys);
    for (int i = 0; i < x->rank; i++) {
        if (lead < 0 || (x->dims[i] != 1 && x->dims[i] != y->dims[lead + i]))
            return sal_fail(e->err, SAL_ESHAPE, "the input does not broadcast to the shape");
        ss[lead + i] = x->dims[i] == 1 ? 0 : xs[i];
    }
    sal_move_box(elem, y->rank, y->dims, y->data, ys, x->data, ss);
    return SAL_OK;
}

static sal_status expand_vjp(sal_vjp *v)
{
    if (v->need[0])
        v->gin[0] = sal_b_sum_to(v->b, v->gout[0], v->node->in[0]);
    return v->b->st;
}

static const char *const expand_cases[] = {
    "f32[3,1] i64[2]{3,4}",         "f32[3,1] i64[3]{2,1,4}",
    "f32[2,3,1] i64[1]{1}",         "f32[] i64[2]{2,3}",
    "f32[1,3,1,2] i64[4]{2,1,4,1}", "i64[2,1] i64[2]{2,3} ; ; nograd",
    "bool[1] i64[1]{5} ; ; nograd", NULL,
};

const sal_op_desc sal_op_expand = {
    .name = "Expand",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_MOVE,
    .since = 13,
    .infer = expand_infer,
    .eval = expand_eval,
    .vjp = expand_vjp,
    .cases = expand_cases,
};
