/* ReverseSequence: of each sequence of a batch the first sequence_lens elements in reverse order,
 * the rest as it is. It is its own inverse, so it is its own derivative too. */
#include "ops/core/move.h"

static sal_status reverse_sequence_axes(const sal_node *n, int *batch, int *time, sal_error *err)
{
    int64_t b = sal_node_int(n, "batch_axis", 1), t = sal_node_int(n, "time_axis", 0);
    if (b + t != 1 || (b != 0 && b != 1))
        return sal_fail(err, SAL_EINVAL, "batch_axis and time_axis must be 0 and 1, not %lld, %lld",
                        (long long)b, (long long)t);
    *batch = (int)b;
    *time = (int)t;
    return SAL_OK;
}

static sal_status reverse_sequence_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0), *lens = sal_infer_in(c, 1);
    int batch, time;
    sal_status st;
    SAL_TRY(reverse_sequence_axes(c->node, &batch, &time, c->err));
    if (x->rank >= 0 && x->rank < 2)
        return sal_fail(c->err, SAL_ESHAPE, "the input must have at least 2 dimensions");
    if (lens->rank >= 0 && lens->rank != 1)
        return sal_fail(c->err, SAL_ESHAPE, "sequence_lens must be a list");
    if (x->rank >= 0 && lens->rank == 1 && x->dims[batch] >= 0 && lens->dims[0] >= 0 &&
        x->dims[batch] != lens->dims[0])
        return sal_fail(c->err, SAL_ESHAPE, "%lld lengths for a batch of %lld",
                        (long long)lens->dims[0], (long long)x->dims[batch]);
    SAL_TRY(sal_infer_out_like(c, 0, 0));
done:
    return st;
}

static sal_status reverse_sequence_eval(const sal_eval *e)
{
    const sal_tensor *x = e->in[0], *lens = e->in[1];
    int batch, time;
    sal_status st;
    SAL_TRY(reverse_sequence_axes(e->node, &batch, &time, e->err));
    int64_t steps = x->dims[time];
    size_t row = (size_t)sal_move_count(x->dims, 2, x->rank) * sal_dtype_size(x->dtype);
    if (sal_tensor_count(lens) != x->dims[batch])
        return sal_fail(e->err, SAL_ESHAPE, "one length for each sequence is wanted");
    for (int64_t b = 0; b < x->dims[batch]; b++) {
        int64_t len = sal_move_int(lens, b);
        if (len < 0 || len > steps)
            return sal_fail(e->err, SAL_EINVAL, "the length %lld is outside 0..%lld",
                            (long long)len, (long long)steps);
        for (int64_t t = 0; t < steps && row > 0; t++) {
            int64_t s = t < len ? len - 1 - t : t;
            int64_t to = batch == 0 ? b * steps + t : t * x->dims[1] + b;
            int64_t from = batch == 0 ? b * steps + s : s * x->dims[1] + b;
            memcpy((char *)e->out[0]->data + (size_t)to * row,
                   (const char *)x->data + (size_t)from * row, row);
        }
    }
done:
    return st;
}

static sal_status reverse_sequence_vjp(sal_vjp *v)
{
    const sal_node *n = v->node;
    sal_vid in[2] = {v->gout[0], n->in[1]};
    sal_attr a[] = {SAL_AI("batch_axis", sal_node_int(n, "batch_axis", 1)),
                    SAL_AI("time_axis", sal_node_int(n, "time_axis", 0))};
    if (v->need[0])
        v->gin[0] = sal_b_op(v->b, "ReverseSequence", 2, in, 2, a);
    return v->b->st;
}

static const char *const reverse_sequence_cases[] = {
    "f32[4,3] i64[3]{4,2,1}",
    "f32[3,4,2] i64[3]{0,3,4} ; batch_axis=0 time_axis=1",
    "i64[2,2]{1,2,3,4} i64[2]{2,1} ; ; nograd",
    NULL,
};

const sal_op_desc sal_op_reverse_sequence = {
    .name = "ReverseSequence",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_MOVE,
    .since = 10,
    .infer = reverse_sequence_infer,
    .eval = reverse_sequence_eval,
    .vjp = reverse_sequence_vjp,
    .cases = reverse_sequence_cases,
};
