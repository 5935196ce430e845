/* OneHot(indices, depth, values = [off, on]): a new axis of `depth` elements, `on` at the index. An
 * index outside -depth..depth-1 gives a row of `off`. */
#include "ops/core/move.h"

#include <math.h>

static sal_status one_hot_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0), *d = sal_infer_in(c, 1), *values = sal_infer_in(c, 2);
    int64_t depth[SAL_KNOWN_MAX], dims[SAL_MAX_RANK + 1];
    int n = -1, axis;
    sal_status st;
    if (x->rank < 0)
        return sal_infer_out(c, 0, values->dtype, -1, NULL);
    SAL_TRY(sal_infer_axis(c, sal_node_int(c->node, "axis", -1), x->rank + 1, &axis));
    if (d->constant != NULL && sal_tensor_count(d->constant) == 1) {
        depth[0] = (int64_t)SAL_MIN(SAL_MAX(sal_tensor_get(d->constant, 0), -1.0),
                                    1e15); /* may be a float */
        n = 1;
    } else if (d->constant == NULL) {
        SAL_TRY(sal_infer_known_in(c, 1, depth, &n));
    }
    if (n == 1 && depth[0] < 0 && (d->constant != NULL || sal_known_is_number(depth[0])))
        return sal_fail(c->err, SAL_EINVAL, "a negative depth");
    for (int i = 0; i <= x->rank; i++)
        dims[i] = i < axis   ? x->dims[i]
                  : i > axis ? x->dims[i - 1]
                  : n == 1   ? depth[0]
                             : sal_dim_fresh(c->g);
    SAL_TRY(sal_infer_out(c, 0, values->dtype, x->rank + 1, dims));
done:
    return st;
}

static sal_status one_hot_eval(const sal_eval *e)
{
    const sal_tensor *x = e->in[0], *values = e->in[2];
    sal_tensor *y = e->out[0];
    size_t elem = sal_dtype_size(y->dtype);
    int64_t axis = sal_node_int(e->node, "axis", -1);
    int k = (int)(axis < 0 ? axis + y->rank : axis);
    int64_t depth = y->dims[k], outer = sal_move_count(y->dims, 0, k);
    int64_t inner = sal_move_count(y->dims, k + 1, y->rank);
    if (sal_tensor_count(values) != 2)
        return sal_fail(e->err, SAL_ESHAPE, "values must be two numbers: off and on");
    if (sal_tensor_count(y) == 0)
        return SAL_OK;
    sal_move_fill(elem, y->data, sal_tensor_count(y), values->data);
    for (int64_t i = 0; i < outer * inner; i++) {
        double v = sal_tensor_get(x, i); /* may be a float */
        int64_t at = v >= (double)-depth && v < (double)depth ? (int64_t)v : depth;
        at = at < 0 ? at + depth : at;
        if (at < depth)
            memcpy((char *)y->data +
                       (size_t)(((i / inner) * depth + at) * inner + i % inner) * elem,
                   (const char *)values->data + elem, elem);
    }
    return SAL_OK;
}

static const char *const one_hot_cases[] = {
    "i64[3]{0,2,-1} i64[]{4} f32[2]{0.5,2} ; ; nograd",
    "i64[2,2]{0,1,5,-4} i64[1]{3} f32[2]{0,1} ; axis=1 ; nograd",
    "i32[2]{1,0} i64[]{2} i64[2]{7,9} ; axis=0 ; nograd",
    "f32[2]{1,2} f32[]{3} f32[2]{0,1} ; axis=-2 ; nograd const=0,1",
    NULL,
};

const sal_op_desc sal_op_one_hot = {
    .name = "OneHot",
    .min_in = 3,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_NOGRAD,
    .since = 11,
    .infer = one_hot_infer,
    .eval = one_hot_eval,
    .cases = one_hot_cases,
};
