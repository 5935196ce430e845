/* ReduceMax: largest element over axes; NaN wins. Ties share the gradient equally. */
#include "ops/core/reduce.h"

/* Of nothing: the lowest value of the type. */
static int64_t reduce_max_limit(sal_dtype dtype)
{
    if (dtype == SAL_U8 || dtype == SAL_U16 || dtype == SAL_U32 || dtype == SAL_BOOL)
        return 0;
    return dtype == SAL_I64 ? INT64_MIN : -((int64_t)1 << (8 * sal_dtype_size(dtype) - 1));
}

static double reduce_max_f(const double *x, int64_t n)
{
    double r = -(double)INFINITY;
    for (int64_t k = 0; k < n; k++)
        if (x[k] > r || isnan(x[k]))
            r = x[k];
    return r;
}

static int64_t reduce_max_i(const int64_t *x, int64_t n, sal_dtype dtype)
{
    int64_t r = n > 0 ? x[0] : reduce_max_limit(dtype);
    for (int64_t k = 1; k < n; k++)
        r = x[k] > r ? x[k] : r;
    return r;
}

static uint64_t reduce_max_u(const uint64_t *x, int64_t n)
{
    uint64_t r = n > 0 ? x[0] : 0;
    for (int64_t k = 1; k < n; k++)
        r = x[k] > r ? x[k] : r;
    return r;
}

static sal_status reduce_max_eval(const sal_eval *e)
{
    static const sal_reduce k = {reduce_max_f, reduce_max_i, reduce_max_u};
    return sal_reduce_eval(e, &k);
}

static const char *const reduce_max_cases[] = {
    "f32[2,3,5]",
    "f32[2,3,5] i64[1]{-1} ; keepdims=0",
    "f32[2,3,5,2] i64[2]{1,-2}",
    "f32[2,3,4] i64[2]{2,0} ; keepdims=0",
    "f32[2,3] ; noop_with_empty_axes=1",
    "f32[5] ; keepdims=0",
    "i64[2,3]{1,2,3,4,5,6} i64[1]{0}",
    "f32[2,3]{1,2,3,4,5,5} i64[1]{1} ; ; nograd",
    NULL,
};

const sal_op_desc sal_op_reduce_max = {
    .name = "ReduceMax",
    .min_in = 1,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .since = 18,
    .upgrade = sal_reduce_upgrade,
    .infer = sal_reduce_infer,
    .eval = reduce_max_eval,
    .vjp = sal_reduce_extremum_vjp,
    .cases = reduce_max_cases,
};
