/* Multinomial: sample_size class numbers from each row of unnormalised log-probabilities; the same
 * draws at every run. */
#include "ops/core/random.h"

static sal_status multinomial_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    int64_t size = sal_node_int(c->node, "sample_size", 1), dims[2];
    sal_dtype t;
    sal_status st;
    if (size < 0)
        return sal_fail(c->err, SAL_EINVAL, "a negative sample_size");
    if (x->rank >= 0 && x->rank != 2)
        return sal_fail(c->err, SAL_ESHAPE, "the input must have 2 dimensions");
    SAL_TRY(sal_random_dtype(c, SAL_I32, &t));
    if (t != SAL_I32 && t != SAL_I64)
        return sal_fail(c->err, SAL_EINVAL, "dtype must be int32 or int64");
    dims[0] = x->rank == 2 ? x->dims[0] : sal_dim_fresh(c->g);
    dims[1] = size;
    SAL_TRY(sal_infer_out(c, 0, t, 2, dims));
done:
    return st;
}

static sal_status multinomial_eval(const sal_eval *e)
{
    const sal_tensor *x = e->in[0];
    int64_t classes = x->dims[1], size = e->out[0]->dims[1];
    sal_rng r = sal_random_of(e->node);
    if (classes == 0 && size > 0)
        return sal_fail(e->err, SAL_ESHAPE, "there are no classes to draw from");
    for (int64_t row = 0; row < x->dims[0]; row++) {
        double top = -(double)INFINITY, sum = 0.0;
        for (int64_t k = 0; k < classes; k++)
            top = fmax(top, sal_tensor_get(x, row * classes + k));
        for (int64_t k = 0; k < classes; k++)
            sum += exp(sal_tensor_get(x, row * classes + k) - top);
        for (int64_t s = 0; s < size; s++) {
            double left = sal_rng_uniform(&r) * sum;
            int64_t k = 0;
            for (; k < classes - 1; k++) {
                left -= exp(sal_tensor_get(x, row * classes + k) - top);
                if (left < 0.0)
                    break;
            }
            sal_tensor_set(e->out[0], row * size + s, (double)k);
        }
    }
    return SAL_OK;
}

/* ONNX Runtime draws other numbers, but from a class that is certain only that one. */
static const char *const multinomial_cases[] = {
    "f32[2,3]:-1..1 ; sample_size=5 seed=3.0 ; noort",
    "f32[2,3]{0.0,-90.0,-90.0,-90.0,-90.0,0.0} ; sample_size=4 dtype=7",
    NULL,
};

const sal_op_desc sal_op_multinomial = {
    .name = "Multinomial",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_NOGRAD,
    .since = 7,
    .upgrade = sal_random_upgrade,
    .infer = multinomial_infer,
    .eval = multinomial_eval,
    .cases = multinomial_cases,
};
