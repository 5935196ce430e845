/* BlackmanWindow: w_k = 0.42 - 0.5 cos(2 pi k / N) + 0.08 cos(4 pi k / N). */
#include "ops/core/signal.h"

static sal_status blackman_window_eval(const sal_eval *e)
{
    static const double a[3] = {0.42, -0.5, 0.08};
    return sal_signal_window_eval(e, a);
}

static const char *const blackman_window_cases[] = {
    "i64[]{10}",
    "i32[]{7} ; periodic=0 output_datatype=11",
    "i64[]{1}",
    NULL,
};

const sal_op_desc sal_op_blackman_window = {
    .name = "BlackmanWindow",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_NOGRAD,
    .since = 17,
    .infer = sal_signal_window_infer,
    .eval = blackman_window_eval,
    .cases = blackman_window_cases,
};
