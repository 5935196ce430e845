/* Transpose: out axis i is in axis perm[i]; without `perm` the axes in reverse. */
#include "ops/core/move.h"

static sal_status transpose_perm(const sal_node *n, int rank, int64_t *perm, sal_error *err)
{
    size_t count;
    const int64_t *given = sal_node_ints(n, "perm", &count);
    bool seen[SAL_MAX_RANK] = {false};
    if (given == NULL && (count == 0 && sal_node_attr(n, "perm") == NULL)) {
        for (int i = 0; i < rank; i++)
            perm[i] = rank - 1 - i;
        return SAL_OK;
    }
    if (count != (size_t)rank)
        return sal_fail(err, SAL_ESHAPE, "perm has %zu numbers, the input %d dimensions", count,
                        rank);
    for (int i = 0; i < rank; i++) {
        if (given[i] < 0 || given[i] >= rank || seen[given[i]])
            return sal_fail(err, SAL_EINVAL, "perm is no permutation of 0..%d", rank - 1);
        seen[given[i]] = true;
        perm[i] = given[i];
    }
    return SAL_OK;
}

static sal_status transpose_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    int64_t perm[SAL_MAX_RANK], dims[SAL_MAX_RANK], known[SAL_KNOWN_MAX];
    int n;
    sal_status st = SAL_OK;
    if (x->rank < 0) {
        size_t count;
        const int64_t *given = sal_node_ints(c->node, "perm", &count);
        return given != NULL ? sal_move_out_unknown(c, (int)SAL_MIN(count, (size_t)INT32_MAX))
                             : sal_infer_out(c, 0, x->dtype, -1, NULL);
    }
    SAL_TRY(transpose_perm(c->node, x->rank, perm, c->err));
    for (int i = 0; i < x->rank; i++)
        dims[i] = x->dims[perm[i]];
    SAL_TRY(sal_infer_out(c, 0, x->dtype, x->rank, dims));
    if (x->rank <= 1) {
        SAL_TRY(sal_infer_known_in(c, 0, known, &n));
        SAL_TRY(sal_infer_known_out(c, 0, known, n));
    }
done:
    return st;
}

static sal_status transpose_eval(const sal_eval *e)
{
    const sal_tensor *x = e->in[0];
    size_t elem = sal_dtype_size(x->dtype);
    int64_t perm[SAL_MAX_RANK], xs[SAL_MAX_RANK], ys[SAL_MAX_RANK], ss[SAL_MAX_RANK];
    sal_status st = transpose_perm(e->node, x->rank, perm, e->err);
    if (st != SAL_OK)
        return st;
    sal_move_strides(x->rank, x->dims, elem, xs);
    sal_move_strides(x->rank, e->out[0]->dims, elem, ys);
    for (int i = 0; i < x->rank; i++)
        ss[i] = xs[perm[i]];
    sal_move_box(elem, x->rank, e->out[0]->dims, e->out[0]->data, ys, x->data, ss);
    return SAL_OK;
}

static sal_status transpose_vjp(sal_vjp *v)
{
    const sal_value *x = sal_val(v->b->g, v->node->in[0]);
    int64_t perm[SAL_MAX_RANK], inverse[SAL_MAX_RANK];
    if (!v->need[0])
        return SAL_OK;
    if (x->rank < 0)
        return sal_fail(v->b->err, SAL_ESHAPE,
                        "the number of dimensions of the input must be known");
    sal_status st = transpose_perm(v->node, x->rank, perm, v->b->err);
    if (st != SAL_OK)
        return st;
    for (int i = 0; i < x->rank; i++)
        inverse[perm[i]] = i;
    v->gin[0] = sal_b_transpose(v->b, v->gout[0], inverse);
    return v->b->st;
}

static const char *const transpose_cases[] = {
    "f32[2,3]",
    "f32[2,3,4] ; perm=[1,2,0]",
    "f32[2,3,4,5] ; perm=[0,2,1,3]",
    "f32[2,3,4,5] ; perm=[0,2,3,1]",
    "f32[2,1,37,35] ; perm=[0,3,1,2]",
    "f32[17,512]", /* source rows a multiple of 2 KiB apart */
    "f32[2,3,4] ; perm=[0,1,2]",
    "f32[] ; ",
    "u8[3,5,2] ; perm=[2,0,1] ; nograd",
    "i64[3,4] ; ; nograd",
    "f16[3,4] ; ; nograd",
    NULL,
};

const sal_op_desc sal_op_transpose = {
    .name = "Transpose",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_MOVE,
    .since = 13,
    .infer = transpose_infer,
    .eval = transpose_eval,
    .vjp = transpose_vjp,
    .cases = transpose_cases,
};
