/* Not: logical negation. */
#include "ops/core/elementwise.h"

SAL_EW_UNARY(not, a == 0.0, a == 0, a == 0)

static const char *const not_cases[] = {
    "bool[2,3,5]",
    NULL,
};

const sal_op_desc sal_op_not = {
    .name = "Not",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE | SAL_OP_NOGRAD,
    .since = 1,
    .infer = sal_infer_logic,
    .eval = not_eval,
    .cases = not_cases,
};
