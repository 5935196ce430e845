/* Neg: y = -x. */
#include "ops/core/elementwise.h"

SAL_EW_UNARY(neg, -a, sal_ew_wrap(0 - (uint64_t)a), 0 - a)

SAL_EW_VJP(neg, sal_b1(b, "Neg", g))

static const char *const neg_cases[] = {
    "f32[2,3,5]",
    "i64[3]{0,-2,5}",
    NULL,
};

const sal_op_desc sal_op_neg = {
    .name = "Neg",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE,
    .since = 6,
    .infer = sal_infer_same,
    .eval = neg_eval,
    .vjp = neg_vjp,
    .cases = neg_cases,
};
