/* Round: nearest integer, halves to the even one; flat between the steps. */
#include "ops/core/elementwise.h"

SAL_EW_FLOAT(round, nearbyint(x))

static const char *const round_cases[] = {
    "f32[2,3,5]:-3..3",
    "f32[7]{-2.5,-1.5,-0.5,0.5,1.5,2.5,0.9}",
    NULL,
};

const sal_op_desc sal_op_round = {
    .name = "Round",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE | SAL_OP_NOGRAD,
    .since = 11,
    .infer = sal_infer_float,
    .eval = round_eval,
    .cases = round_cases,
};
