/* ReduceMin: smallest element over axes; NaN wins. Ties share the gradient equally. */
#include "ops/core/reduce.h"

/* Of nothing: the highest value of the type. */
static int64_t reduce_min_limit(sal_dtype dtype)
{
    if (dtype == SAL_I64 || dtype == SAL_BOOL)
        return dtype == SAL_BOOL ? 1 : INT64_MAX;
    bool is_unsigned = dtype == SAL_U8 || dtype == SAL_U16 || dtype == SAL_U32;
    return ((int64_t)1 << (8 * sal_dtype_size(dtype) - (is_unsigned ? 0 : 1))) - 1;
}

static double reduce_min_f(const double *x, int64_t n)
{
    double r = (double)INFINITY;
    for (int64_t k = 0; k < n; k++)
        if (x[k] < r || isnan(x[k]))
            r = x[k];
    return r;
}

static int64_t reduce_min_i(const int64_t *x, int64_t n, sal_dtype dtype)
{
    int64_t r = n > 0 ? x[0] : reduce_min_limit(dtype);
    for (int64_t k = 1; k < n; k++)
        r = x[k] < r ? x[k] : r;
    return r;
}

static uint64_t reduce_min_u(const uint64_t *x, int64_t n)
{
    uint64_t r = n > 0 ? x[0] : UINT64_MAX;
    for (int64_t k = 1; k < n; k++)
        r = x[k] < r ? x[k] : r;
    return r;
}

static sal_status reduce_min_eval(const sal_eval *e)
{
    static const sal_reduce k = {reduce_min_f, reduce_min_i, reduce_min_u};
    return sal_reduce_eval(e, &k);
}

static const char *const reduce_min_cases[] = {
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

const sal_op_desc sal_op_reduce_min = {
    .name = "ReduceMin",
    .min_in = 1,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .since = 18,
    .upgrade = sal_reduce_upgrade,
    .infer = sal_reduce_infer,
    .eval = reduce_min_eval,
    .vjp = sal_reduce_extremum_vjp,
    .cases = reduce_min_cases,
};
