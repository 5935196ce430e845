/* Log: y = ln x, y' = 1 / x. */
#include "ops/core/elementwise.h"

SAL_EW_FLOAT(log, log(x))

SAL_EW_VJP(log, sal_b2(b, "Div", g, x))

static const char *const log_cases[] = {
    "f32[2,3,5]:0.2..3",
    "f32[7]:0.5..1.5",
    NULL,
};

const sal_op_desc sal_op_log = {
    .name = "Log",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE,
    .since = 6,
    .infer = sal_infer_float,
    .eval = log_eval,
    .vjp = log_vjp,
    .cases = log_cases,
};
