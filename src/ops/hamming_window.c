/* HammingWindow: w_k = 25/46 - 21/46 cos(2 pi k / N). */
#include "ops/core/signal.h"

static sal_status hamming_window_eval(const sal_eval *e)
{
    static const double a[3] = {25.0 / 46.0, -21.0 / 46.0, 0.0};
    return sal_signal_window_eval(e, a);
}

static const char *const hamming_window_cases[] = {
    "i64[]{10}",
    "i32[]{7} ; periodic=0 output_datatype=11",
    "i64[]{1}",
    NULL,
};

const sal_op_desc sal_op_hamming_window = {
    .name = "HammingWindow",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_NOGRAD,
    .since = 17,
    .infer = sal_signal_window_infer,
    .eval = hamming_window_eval,
    .cases = hamming_window_cases,
};
