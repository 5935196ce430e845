/* Range: start, start + delta, ... up to but without limit. */
#include "ops/core/move.h"

#include <math.h>

static sal_status range_numbers(sal_infer *c, int64_t s, int64_t l, int64_t d, bool *done)
{
    int64_t known[SAL_KNOWN_MAX];
    const int64_t far = INT64_C(1) << 40;
    sal_status st;
    *done = s > -far && s < far && l > -far && l < far && d > -far && d < far;
    if (!*done)
        return SAL_OK;
    if (d == 0)
        return sal_fail(c->err, SAL_EINVAL, "a delta of 0");
    int64_t n = d > 0 ? (l > s ? (l - s - 1) / d + 1 : 0) : (s > l ? (s - l - 1) / -d + 1 : 0);
    SAL_TRY(sal_infer_out(c, 0, sal_infer_in(c, 0)->dtype, 1, &n));
    for (int64_t i = 0; i < n && n <= SAL_KNOWN_MAX; i++)
        known[i] = sal_known_encode(s + i * d);
    if (n <= SAL_KNOWN_MAX)
        SAL_TRY(sal_infer_known_out(c, 0, known, (int)n));
done:
    return st;
}

static sal_status range_floats(sal_infer *c, bool *done)
{
    double v[3];
    for (int i = 0; i < 3; i++) {
        const sal_tensor *t = sal_infer_in(c, i)->constant;
        if (t == NULL || sal_tensor_count(t) != 1)
            return SAL_OK;
        v[i] = sal_tensor_get(t, 0);
    }
    double n = ceil((v[1] - v[0]) / v[2]);
    if (v[2] == 0 || !(n < 1e15))
        return sal_fail(c->err, SAL_EINVAL, "the range has no end");
    int64_t dim = n > 0 ? (int64_t)n : 0;
    *done = true;
    return sal_infer_out(c, 0, sal_infer_in(c, 0)->dtype, 1, &dim);
}

static sal_status range_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    int64_t buf[SAL_KNOWN_MAX], v[3] = {0, 0, 0};
    bool all = true, numbers = true, done = false;
    sal_status st = SAL_OK;
    if (sal_dtype_is_float(x->dtype)) {
        SAL_TRY(range_floats(c, &done));
    } else {
        for (int i = 0; i < 3; i++) {
            int n;
            SAL_TRY(sal_infer_known_in(c, i, buf, &n));
            all = all && n == 1;
            if (n == 1) {
                numbers = numbers && sal_known_is_number(buf[0]);
                v[i] = sal_known_decode(buf[0]);
            }
        }
        if (all && numbers)
            SAL_TRY(range_numbers(c, v[0], v[1], v[2], &done));
        if (all && !numbers && v[0] == 0 && v[2] == 1 && !done) { /* 0..N-1 of a symbol N */
            done = true;
            SAL_TRY(sal_infer_out(c, 0, x->dtype, 1, &v[1]));
        }
    }
    if (!done) {
        int64_t any = sal_dim_fresh(c->g);
        SAL_TRY(sal_infer_out(c, 0, x->dtype, 1, &any));
    }
done:
    return st;
}

static sal_status range_eval(const sal_eval *e)
{
    sal_tensor *y = e->out[0];
    int64_t n = sal_tensor_count(y);
    for (int i = 0; i < 3; i++)
        if (sal_tensor_count(e->in[i]) != 1)
            return sal_fail(e->err, SAL_ESHAPE, "input %d must be one number", i);
    if (y->dtype == SAL_I64) {
        int64_t s = sal_move_int(e->in[0], 0), d = sal_move_int(e->in[2], 0);
        for (int64_t i = 0; i < n; i++)
            ((int64_t *)y->data)[i] = (int64_t)((uint64_t)s + (uint64_t)i * (uint64_t)d);
        return SAL_OK;
    }
    double s = sal_tensor_get(e->in[0], 0), d = sal_tensor_get(e->in[2], 0);
    for (int64_t i = 0; i < n; i++)
        sal_tensor_set(y, i, s + (double)i * d);
    return SAL_OK;
}

static const char *const range_cases[] = {
    "i64[]{1} i64[]{9} i64[]{3} ; ; nograd",
    "i64[]{5} i64[]{-4} i64[]{-3} ; ; nograd",
    "i32[]{3} i32[]{3} i32[]{1} ; ; nograd",
    "f32[]{1.5} f32[]{3.25} f32[]{0.5} ; ; nograd const=0,1,2",
    NULL,
};

const sal_op_desc sal_op_range = {
    .name = "Range",
    .min_in = 3,
    .max_in = 3,
    .alike = 1 << 1 | 1 << 2,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_NOGRAD,
    .since = 11,
    .infer = range_infer,
    .eval = range_eval,
    .cases = range_cases,
};
