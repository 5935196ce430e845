/* ConstantOfShape: a tensor of the given shape, all elements equal. */
#include "ops/core/move.h"

static const sal_tensor *constant_of_shape_value(const sal_node *n)
{
    const sal_attr *a = sal_node_attr(n, "value");
    return a != NULL && a->kind == SAL_ATTR_TENSOR ? a->tensor : NULL;
}

static sal_status constant_of_shape_infer(sal_infer *c)
{
    const sal_tensor *v = constant_of_shape_value(c->node);
    const sal_value *s = sal_infer_in(c, 0);
    sal_dtype dtype = v != NULL ? v->dtype : SAL_F32;
    int64_t dims[SAL_KNOWN_MAX], known[SAL_KNOWN_MAX];
    int n;
    bool symbolic;
    sal_status st;
    if (v != NULL && sal_tensor_count(v) != 1)
        return sal_fail(c->err, SAL_EINVAL, "value must have one element");
    SAL_TRY(sal_infer_ints(c, 0, dims, SAL_KNOWN_MAX, &n, &symbolic));
    if (n < 0 && s->rank == 1 && s->dims[0] >= 0 && s->dims[0] <= SAL_MAX_RANK) {
        n = (int)s->dims[0];
        symbolic = true;
        for (int i = 0; i < n; i++)
            dims[i] = sal_dim_fresh(c->g);
    }
    for (int i = 0; i < n; i++)
        if (dims[i] < 0 && (!symbolic || sal_known_is_number(dims[i])))
            return sal_fail(c->err, SAL_EINVAL, "shape element %d is negative", i);
    SAL_TRY(sal_infer_out(c, 0, dtype, n, dims));
    if (v == NULL || sal_dtype_is_float(dtype) || n < 0 || n > 1 ||
        (n == 1 && (dims[0] < 0 || dims[0] > SAL_KNOWN_MAX)))
        goto done;
    int count = n == 1 ? (int)dims[0] : 1;
    for (int i = 0; i < count; i++)
        known[i] = sal_known_encode(sal_move_int(v, 0));
    SAL_TRY(sal_infer_known_out(c, 0, known, count));
done:
    return st;
}

static sal_status constant_of_shape_eval(const sal_eval *e)
{
    const sal_tensor *v = constant_of_shape_value(e->node);
    sal_tensor *y = e->out[0];
    if (v != NULL && sal_tensor_count(y) > 0) /* without `value` zeros, which are there */
        sal_move_fill(sal_dtype_size(y->dtype), y->data, sal_tensor_count(y), v->data);
    return SAL_OK;
}

static const char *const constant_of_shape_cases[] = {
    "i64[2]{2,3} ; ; nograd",
    "i64[0]{} ; ; nograd",
    "i64[3]{2,0,3} ; ; nograd",
    NULL,
};

const sal_op_desc sal_op_constant_of_shape = {
    .name = "ConstantOfShape",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_NOGRAD,
    .since = 9,
    .infer = constant_of_shape_infer,
    .eval = constant_of_shape_eval,
    .cases = constant_of_shape_cases,
};
