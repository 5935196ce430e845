/* Trilu: the upper (column >= row + k) or lower (column <= row + k) triangle of matrices, zeros
 * elsewhere. */
#include "ops/core/move.h"

static sal_status trilu_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    if (x->rank >= 0 && x->rank < 2)
        return sal_fail(c->err, SAL_ESHAPE, "the input must have at least 2 dimensions");
    return sal_infer_out_like(c, 0, 0);
}

static sal_status trilu_eval(const sal_eval *e)
{
    const sal_tensor *x = e->in[0], *kt = e->node->n_in > 1 ? e->in[1] : NULL;
    size_t elem = sal_dtype_size(x->dtype);
    int64_t rows = x->dims[x->rank - 2], cols = x->dims[x->rank - 1];
    int64_t count = sal_move_count(x->dims, 0, x->rank - 2), k = 0;
    bool upper = sal_node_int(e->node, "upper", 1) != 0;
    if (kt != NULL && sal_tensor_count(kt) == 1)
        k = SAL_MAX(SAL_MIN(sal_move_int(kt, 0), cols), -rows);
    for (int64_t r = 0; r < count * rows; r++) {
        int64_t edge =
            r % rows + k + (upper ? 0 : 1); /* first column of the upper, end of the lower part */
        edge = SAL_MAX(SAL_MIN(edge, cols), 0);
        int64_t from = upper ? edge : 0, n = upper ? cols - edge : edge;
        size_t at = (size_t)(r * cols + from) * elem;
        if (n > 0)
            memcpy((char *)e->out[0]->data + at, (const char *)x->data + at, (size_t)n * elem);
    }
    return SAL_OK;
}

static sal_status trilu_vjp(sal_vjp *v)
{
    const sal_attr *upper = sal_node_attr(v->node, "upper");
    sal_vid in[2] = {v->gout[0], sal_node_in(v->node, 1)};
    if (v->need[0])
        v->gin[0] = sal_b_op(v->b, "Trilu", 2, in, upper != NULL, upper);
    return v->b->st;
}

static const char *const trilu_cases[] = {
    "f32[4,5]",
    "f32[4,5] i64[]{1}",
    "f32[4,5] i64[]{-2} ; upper=0",
    "f32[2,3,3] ; upper=0",
    "f32[3,2] i64[]{9}",
    "f32[3,2] i64[]{-9} ; upper=0",
    "i64[3,3] ; ; nograd",
    NULL,
};

const sal_op_desc sal_op_trilu = {
    .name = "Trilu",
    .min_in = 1,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_MOVE,
    .since = 14,
    .infer = trilu_infer,
    .eval = trilu_eval,
    .vjp = trilu_vjp,
    .cases = trilu_cases,
};
