/* Or: either or both. */
#include "ops/core/elementwise.h"

SAL_EW_BINARY(or, a != 0.0 || b != 0.0, a != 0 || b != 0, a != 0 || b != 0)

static const char *const or_cases[] = {
    "bool[2,3,5] bool[3,1]",
    "bool[4]{0,0,1,1} bool[4]{0,1,0,1}",
    NULL,
};

const sal_op_desc sal_op_or = {
    .name = "Or",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE | SAL_OP_NOGRAD,
    .since = 7,
    .infer = sal_infer_logic,
    .eval = or_eval,
    .cases = or_cases,
};
