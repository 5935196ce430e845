/* NonZero: positions of the elements that are not zero, as [rank, count] in row-major order. */
#include "ops/core/scatter.h"

static sal_status non_zero_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    int64_t dims[2] = {x->rank >= 0 ? x->rank : sal_dim_fresh(c->g), sal_dim_fresh(c->g)};
    return sal_infer_out(c, 0, SAL_I64, 2, dims);
}

static sal_status non_zero_eval(const sal_eval *e)
{
    const sal_tensor *x = e->in[0];
    int64_t n = sal_tensor_count(x), count = 0, at[SAL_MAX_RANK] = {0}, k = 0;
    sal_status st;
    for (int64_t i = 0; i < n; i++)
        count += sal_tensor_get(x, i) != 0.0;
    int64_t dims[2] = {x->rank, count};
    SAL_TRY(sal_tensor_new(e->out[0], SAL_I64, 2, dims, e->err));
    int64_t *out = e->out[0]->data;
    for (int64_t i = 0; i < n; i++) {
        if (sal_tensor_get(x, i) != 0.0) {
            for (int a = 0; a < x->rank; a++)
                out[a * count + k] = at[a];
            k++;
        }
        sal_scatter_next(x->rank, x->dims, at);
    }
done:
    return st;
}

static const char *const non_zero_cases[] = {
    "f32[2,3]{0,1,0,-2,0,3} ; ; nograd",
    "i64[3]{0,0,0} ; ; nograd",
    "bool[2,2,2] ; ; nograd",
    NULL,
};

const sal_op_desc sal_op_non_zero = {
    .name = "NonZero",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_NOGRAD | SAL_OP_DATA_SHAPE,
    .since = 13,
    .infer = non_zero_infer,
    .eval = non_zero_eval,
    .cases = non_zero_cases,
};
