/* Gather: slices of an axis picked by an index tensor, whose axes take the place of that axis. */
#include "ops/core/move.h"

static sal_status gather_known(sal_infer *c, int out_rank)
{
    int64_t known[SAL_KNOWN_MAX], index[SAL_KNOWN_MAX], out[SAL_KNOWN_MAX];
    int n, m;
    sal_status st = SAL_OK;
    if (out_rank > 1)
        return SAL_OK;
    SAL_TRY(sal_infer_known_in(c, 0, known, &n));
    SAL_TRY(sal_infer_known_in(c, 1, index, &m));
    if (n < 0 || m < 0)
        goto done;
    for (int i = 0; i < m; i++) {
        int64_t k = sal_known_decode(index[i]);
        if (!sal_known_is_number(index[i]))
            goto done;
        if (k < -n || k >= n)
            return sal_fail(c->err, SAL_EINVAL, "index %lld is outside an axis of %d elements",
                            (long long)k, n);
        out[i] = known[k < 0 ? k + n : k];
    }
    SAL_TRY(sal_infer_known_out(c, 0, out, m));
done:
    return st;
}

static sal_status gather_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0), *i = sal_infer_in(c, 1);
    int64_t dims[2 * SAL_MAX_RANK];
    int axis, n = 0;
    sal_status st;
    if (x->rank < 0 || i->rank < 0)
        return sal_infer_out(c, 0, x->dtype, -1, NULL);
    SAL_TRY(sal_infer_axis(c, sal_node_int(c->node, "axis", 0), x->rank, &axis));
    for (int k = 0; k < axis; k++)
        dims[n++] = x->dims[k];
    for (int k = 0; k < i->rank; k++)
        dims[n++] = i->dims[k];
    for (int k = axis + 1; k < x->rank; k++)
        dims[n++] = x->dims[k];
    SAL_TRY(sal_infer_out(c, 0, x->dtype, n, dims));
    SAL_TRY(gather_known(c, n));
done:
    return st;
}

static sal_status gather_eval(const sal_eval *e)
{
    const sal_tensor *x = e->in[0], *index = e->in[1];
    int64_t axis = sal_node_int(e->node, "axis", 0);
    int k = (int)(axis < 0 ? axis + x->rank : axis);
    int64_t outer = sal_move_count(x->dims, 0, k), n = sal_tensor_count(index);
    size_t run = (size_t)sal_move_count(x->dims, k + 1, x->rank) * sal_dtype_size(x->dtype);
    char *dst = e->out[0]->data;
    for (int64_t i = 0; run > 0 && i < n; i++) {
        int64_t at;
        sal_status st = sal_move_index(index, i, x->dims[k], &at, e->err);
        if (st != SAL_OK)
            return st;
        for (int64_t o = 0; o < outer; o++)
            memcpy(dst + (size_t)(o * n + i) * run,
                   (const char *)x->data + (size_t)(o * x->dims[k] + at) * run, run);
    }
    return SAL_OK;
}

/* One constant index: its slice stands alone among zeros. Else the internal GatherGrad adds slices
 * up. */
static sal_status gather_vjp(sal_vjp *v)
{
    sal_builder *b = v->b;
    const sal_value *x = sal_val(b->g, v->node->in[0]), *i = sal_val(b->g, v->node->in[1]);
    sal_infer c = {b->g, v->node, b->err};
    int64_t begin[SAL_MAX_RANK] = {0}, end[SAL_MAX_RANK] = {0}, at[1];
    int axis, n = -1;
    bool symbolic;
    sal_status st = SAL_OK;
    if (!v->need[0])
        return SAL_OK;
    if (x->rank < 0 || i->rank < 0)
        return sal_fail(b->err, SAL_ESHAPE,
                        "the number of dimensions of both inputs must be known");
    SAL_TRY(sal_infer_axis(&c, sal_node_int(v->node, "axis", 0), x->rank, &axis));
    if (x->dims[axis] < 0)
        return sal_fail(b->err, SAL_ESHAPE, "axis %d is picked from, its length must be known",
                        axis);
    if (i->rank <= 1)
        SAL_TRY(sal_infer_ints(&c, 1, at, 1, &n, &symbolic));
    if (n == 1 && !symbolic) {
        int64_t a64 = axis;
        sal_vid g = i->rank == 0 ? sal_b_unsqueeze(b, v->gout[0], 1, &a64) : v->gout[0];
        begin[axis] = at[0] < 0 ? at[0] + x->dims[axis] : at[0];
        end[axis] = x->dims[axis] - 1 - begin[axis];
        v->gin[0] = sal_move_pad(b, g, begin, end);
        return b->st;
    }
    sal_attr a[] = {SAL_AI("axis", axis), SAL_AI("dim", x->dims[axis])};
    v->gin[0] = sal_b_op(b, "GatherGrad", 2, (sal_vid[]){v->gout[0], v->node->in[1]}, 2, a);
    st = b->st;
done:
    return st;
}

static const char *const gather_cases[] = {
    "f32[5,3] i64[4]{0,2,2,-1}",         "f32[2,5,3] i64[2,2]{4,1,-5,1} ; axis=1",
    "f32[2,3,4] i64[]{1} ; axis=1",      "f32[2,3,4] i64[1]{-1} ; axis=-1",
    "f32[2,3,4] i32[3]{0,0,3} ; axis=2", "i64[4] i64[]{2} ; ; nograd",
    "u8[3,2] i64[2]{1,0} ; ; nograd",    NULL,
};

const sal_op_desc sal_op_gather = {
    .name = "Gather",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_MOVE,
    .since = 13,
    .infer = gather_infer,
    .eval = gather_eval,
    .vjp = gather_vjp,
    .cases = gather_cases,
};
