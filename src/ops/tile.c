/* Tile: the whole tensor `repeats[i]` times along axis i. */
#include "ops/core/move.h"

static sal_status tile_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    int64_t rep[SAL_KNOWN_MAX], dims[SAL_MAX_RANK], known[SAL_KNOWN_MAX];
    int n, n_known;
    bool symbolic;
    sal_status st;
    if (x->rank < 0)
        return sal_infer_out(c, 0, x->dtype, -1, NULL);
    SAL_TRY(sal_infer_ints(c, 1, rep, SAL_KNOWN_MAX, &n, &symbolic));
    if (n < 0)
        return sal_move_out_unknown(c, x->rank);
    if (n != x->rank)
        return sal_fail(c->err, SAL_ESHAPE, "%d repeats for %d dimensions", n, (int)x->rank);
    for (int i = 0; i < n; i++) {
        if (rep[i] < 0 && (!symbolic || sal_known_is_number(rep[i])))
            return sal_fail(c->err, SAL_EINVAL, "repeats must not be negative");
        dims[i] = sal_dim_mul(c->g, x->dims[i], rep[i]);
    }
    SAL_TRY(sal_infer_out(c, 0, x->dtype, n, dims));
    SAL_TRY(sal_infer_known_in(c, 0, known, &n_known));
    if (x->rank != 1 || n_known < 1 || dims[0] < 0 || dims[0] > SAL_KNOWN_MAX)
        goto done;
    for (int i = n_known; i < dims[0]; i++)
        known[i] = known[i % n_known];
    SAL_TRY(sal_infer_known_out(c, 0, known, (int)dims[0]));
done:
    return st;
}

static sal_status tile_eval(const sal_eval *e)
{
    const sal_tensor *x = e->in[0];
    sal_tensor *y = e->out[0];
    size_t elem = sal_dtype_size(x->dtype);
    int64_t dims[SAL_MOVE_RANK], ds[SAL_MOVE_RANK], ss[SAL_MOVE_RANK], xs[SAL_MAX_RANK],
        ys[SAL_MAX_RANK];
    if (sal_tensor_count(y) == 0)
        return SAL_OK;
    sal_move_strides(x->rank, x->dims, elem, xs);
    sal_move_strides(y->rank, y->dims, elem, ys);
    for (int i = 0; i < x->rank; i++) { /* every axis is (repeat, element) */
        if (y->dims[i] % x->dims[i] != 0)
            return sal_fail(e->err, SAL_ESHAPE,
                            "axis %d of the output is no multiple of the input's", i);
        dims[2 * i] = y->dims[i] / x->dims[i];
        ds[2 * i] = ys[i] * x->dims[i];
        ss[2 * i] = 0;
        dims[2 * i + 1] = x->dims[i];
        ds[2 * i + 1] = ys[i];
        ss[2 * i + 1] = xs[i];
    }
    sal_move_box(elem, 2 * x->rank, dims, y->data, ds, x->data, ss);
    return SAL_OK;
}

/* Sum over the repeats, one axis after the other. */
static sal_status tile_vjp(sal_vjp *v)
{
    sal_builder *b = v->b;
    const sal_value *x = sal_val(b->g, v->node->in[0]);
    sal_infer c = {b->g, v->node, b->err};
    int64_t rep[SAL_KNOWN_MAX], dims[SAL_MAX_RANK];
    int n;
    bool symbolic;
    sal_vid g = v->gout[0];
    sal_status st = SAL_OK;
    if (!v->need[0])
        return SAL_OK;
    SAL_TRY(sal_infer_ints(&c, 1, rep, SAL_KNOWN_MAX, &n, &symbolic));
    if (n < 0 || symbolic || x->rank < 0)
        return sal_fail(b->err, SAL_ESHAPE, "repeats must be constants");
    for (int i = 0; i < n; i++) {
        if (rep[i] == 1)
            continue;
        if (b->st != SAL_OK)
            break;
        if (n == SAL_MAX_RANK)
            return sal_fail(b->err, SAL_EUNSUPPORTED,
                            "repeating one of %d axes has no derivative here", SAL_MAX_RANK);
        memcpy(dims, sal_val(b->g, g)->dims, sizeof dims);
        memmove(dims + i + 2, dims + i + 1, (size_t)(n - i - 1) * sizeof *dims);
        dims[i] = rep[i];
        dims[i + 1] = x->dims[i];
        int64_t axis = i;
        g = sal_b_reduce(b, "ReduceSum", sal_b_reshape(b, g, n + 1, dims, v->node->in[0]), 1, &axis,
                         false);
    }
    v->gin[0] = g;
    st = b->st;
done:
    return st;
}

static const char *const tile_cases[] = {
    "f32[2,3] i64[2]{1,2}",
    "f32[2,3] i64[2]{3,2}",
    "f32[2,1,3] i64[3]{2,4,1}",
    "f32[2,3] i64[2]{1,1}",
    "u8[2,2] i64[2]{2,2} ; ; nograd",
    "i64[3] i64[1]{2} ; ; nograd",
    NULL,
};

const sal_op_desc sal_op_tile = {
    .name = "Tile",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_MOVE,
    .since = 13,
    .infer = tile_infer,
    .eval = tile_eval,
    .vjp = tile_vjp,
    .cases = tile_cases,
};
