/* BitwiseNot: every bit of an integer turned over. */
#include "ops/core/elementwise.h"

SAL_EW_INTEGER(bitwise_not, 1, ~a)

static const char *const bitwise_not_cases[] = {
    "i32[3]{0,-2,5}",
    "u8[3]{0,255,170}",
    "i64[2]{9007199254740993,-1}",
    NULL,
};

const sal_op_desc sal_op_bitwise_not = {
    .name = "BitwiseNot",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE | SAL_OP_NOGRAD,
    .since = 18,
    .infer = sal_infer_integers,
    .eval = bitwise_not_eval,
    .cases = bitwise_not_cases,
};
