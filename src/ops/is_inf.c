/* IsInf: true where the element is infinite; one sign can be left out. */
#include "ops/core/elementwise.h"

static double is_inf_f(const double *in, int n, const void *ctx)
{
    const bool *want = ctx; /* positive, negative */
    (void)n;
    return isinf(in[0]) && want[in[0] < 0] ? 1.0 : 0.0;
}

static sal_status is_inf_eval(const sal_eval *e)
{
    static const sal_ew k = {is_inf_f, NULL, NULL};
    bool want[2] = {sal_node_int(e->node, "detect_positive", 1) != 0,
                    sal_node_int(e->node, "detect_negative", 1) != 0};
    return sal_ew_eval(e, 1, &k, want);
}

static const char *const is_inf_cases[] = {
    "f32[5]{1,inf,-inf,nan,0} ; ; nograd",
    "f32[5]{1,inf,-inf,nan,0} ; detect_negative=0 ; nograd",
    "f32[5]{1,inf,-inf,nan,0} ; detect_positive=0 ; nograd",
    NULL,
};

const sal_op_desc sal_op_is_inf = {
    .name = "IsInf",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE | SAL_OP_NOGRAD,
    .since = 10,
    .infer = sal_infer_broadcast_bool,
    .eval = is_inf_eval,
    .cases = is_inf_cases,
};
