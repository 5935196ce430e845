/* EyeLike: ones on diagonal k of a matrix with the input's shape. */
#include "ops/core/move.h"

static sal_status eye_like_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    int64_t dtype = sal_node_int(c->node, "dtype", (int64_t)x->dtype);
    if (dtype != (int64_t)x->dtype && sal_dtype_size((sal_dtype)dtype) == 0)
        return sal_fail(c->err, SAL_EUNSUPPORTED, "element type %lld", (long long)dtype);
    if (x->rank >= 0 && x->rank != 2)
        return sal_fail(c->err, SAL_ESHAPE, "the input must have 2 dimensions, it has %d",
                        (int)x->rank);
    return sal_infer_out(c, 0, (sal_dtype)dtype, x->rank, x->dims);
}

static sal_status eye_like_eval(const sal_eval *e)
{
    sal_tensor *y = e->out[0];
    int64_t k = sal_node_int(e->node, "k", 0), rows = y->dims[0], cols = y->dims[1];
    for (int64_t r = 0; r < rows && k > -rows && k < cols; r++)
        if (r + k >= 0 && r + k < cols)
            sal_tensor_set(y, r * cols + r + k, 1.0);
    return SAL_OK;
}

static const char *const eye_like_cases[] = {
    "f32[3,4] ; ; nograd",
    "f32[3,4] ; k=1 ; nograd",
    "i64[4,3] ; k=-2 dtype=1 ; nograd",
    "f32[2,2] ; k=5 dtype=7 ; nograd",
    NULL,
};

const sal_op_desc sal_op_eye_like = {
    .name = "EyeLike",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_NOGRAD,
    .since = 9,
    .infer = eye_like_infer,
    .eval = eye_like_eval,
    .cases = eye_like_cases,
};
