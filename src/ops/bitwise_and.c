/* BitwiseAnd: a & b of integers, bit by bit. */
#include "ops/core/elementwise.h"

SAL_EW_INTEGER(bitwise_and, 2, a &b)

static const char *const bitwise_and_cases[] = {
    "i32[2,3]{5,-3,7,255,-256,1} i32[3]{3,6,-1}",
    "u8[4]{255,170,85,1} u8[4]{15,240,85,0}",
    "i64[2]{9007199254740993,-9007199254740995} i64[1]{1152921504606846977}",
    "u64[2]{18446744073709551615,4611686018427387905} u64[2]{1,9223372036854775809}",
    NULL,
};

const sal_op_desc sal_op_bitwise_and = {
    .name = "BitwiseAnd",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE | SAL_OP_NOGRAD,
    .since = 18,
    .infer = sal_infer_integers,
    .eval = bitwise_and_eval,
    .cases = bitwise_and_cases,
};
