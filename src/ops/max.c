/* Max: maximum of any number of tensors, broadcast. NaN wins. Where several inputs hold the
 * maximum, they share the gradient equally. */
#include "ops/core/elementwise.h"

static double max_f(const double *in, int n, const void *ctx)
{
    double r = in[0];
    (void)ctx;
    for (int i = 1; i < n; i++)
        if (in[i] > r || isnan(in[i]))
            r = in[i];
    return r;
}

static int64_t max_i(const int64_t *in, int n, const void *ctx)
{
    int64_t r = in[0];
    (void)ctx;
    for (int i = 1; i < n; i++)
        r = in[i] > r ? in[i] : r;
    return r;
}

static uint64_t max_u(const uint64_t *in, int n, const void *ctx)
{
    uint64_t r = in[0];
    (void)ctx;
    for (int i = 1; i < n; i++)
        r = in[i] > r ? in[i] : r;
    return r;
}

static sal_status max_eval(const sal_eval *e)
{
    static const sal_ew k = {max_f, max_i, max_u};
    return sal_ew_eval(e, e->node->n_in, &k, NULL);
}

static const char *const max_cases[] = {
    "f32[2,3,5] f32[2,3,5]",
    "f32[2,3,5] f32[3,1]",
    "f32[4] f32[3,1] f32[1]",
    "f32[2,3]",
    "f32[3]{1,2,3} f32[3]{1,2,4} ; ; nograd",
    "i64[2,2]{1,2,3,4} i64[2]{2,3}",
    NULL,
};

const sal_op_desc sal_op_max = {
    .name = "Max",
    .min_in = 1,
    .max_in = -1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE,
    .since = 12,
    .infer = sal_infer_arith,
    .eval = max_eval,
    .vjp = sal_vjp_shared,
    .cases = max_cases,
};
