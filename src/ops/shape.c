/* Shape: the dimensions start..end-1 of a tensor, as int64. */
#include "ops/core/move.h"

static void shape_range(const sal_node *n, int rank, int *start, int *end)
{
    int64_t s = sal_node_int(n, "start", 0), e = sal_node_int(n, "end", INT64_MAX);
    s = s < 0 ? s + rank : s;
    e = e < 0 ? e + rank : e;
    *start = (int)SAL_MAX(SAL_MIN(s, (int64_t)rank), 0);
    *end = (int)SAL_MAX(SAL_MIN(e, (int64_t)rank), (int64_t)*start);
}

static sal_status shape_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    int start, end;
    sal_status st;
    if (x->rank < 0) {
        int64_t any = sal_dim_fresh(c->g);
        return sal_infer_out(c, 0, SAL_I64, 1, &any);
    }
    shape_range(c->node, x->rank, &start, &end);
    int64_t n = end - start;
    SAL_TRY(sal_infer_out(c, 0, SAL_I64, 1, &n));
    SAL_TRY(sal_infer_known_out(c, 0, x->dims + start, (int)n));
done:
    return st;
}

static sal_status shape_eval(const sal_eval *e)
{
    int start, end;
    shape_range(e->node, e->in[0]->rank, &start, &end);
    if (sal_tensor_count(e->out[0]) != end - start)
        return sal_fail(e->err, SAL_ESHAPE, "%d dimensions, %lld were planned", end - start,
                        (long long)sal_tensor_count(e->out[0]));
    if (end > start)
        memcpy(e->out[0]->data, e->in[0]->dims + start, (size_t)(end - start) * sizeof(int64_t));
    return SAL_OK;
}

static const char *const shape_cases[] = {
    "f32[2,3,4] ; ; nograd",
    "f32[2,3,4] ; start=1 ; nograd",
    "f32[2,3,4] ; start=-2 end=-1 ; nograd",
    "f32[2,3,4] ; start=2 end=9 ; nograd",
    "f32[] ; ; nograd",
    NULL,
};

const sal_op_desc sal_op_shape = {
    .name = "Shape",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_NOGRAD,
    .since = 15,
    .infer = shape_infer,
    .eval = shape_eval,
    .cases = shape_cases,
};
