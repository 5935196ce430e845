/* Abs: y = |x|. The derivative at 0 is 0. */
#include "ops/core/elementwise.h"

SAL_EW_UNARY(abs, fabs(a), a < 0 ? sal_ew_wrap(0 - (uint64_t)a) : a, a)

SAL_EW_VJP(abs, sal_b2(b, "Mul", g, sal_b1(b, "Sign", x)))

static const char *const abs_cases[] = {
    "f32[2,3,5]:0.1..1",
    "f32[2,3,5]:-1..-0.1",
    "i64[3]{0,-2,5}",
    NULL,
};

const sal_op_desc sal_op_abs = {
    .name = "Abs",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE | SAL_OP_PIECEWISE,
    .since = 6,
    .infer = sal_infer_same,
    .eval = abs_eval,
    .vjp = abs_vjp,
    .cases = abs_cases,
};
