/* BitShift: unsigned integers times (LEFT) or divided by (RIGHT) a power of two; bits that leave
 * are lost. */
#include "ops/core/elementwise.h"

static uint64_t bit_shift_one(uint64_t a, uint64_t by, bool left)
{
    if (by >= 64) /* the machine's shift is not defined there */
        return 0;
    return left ? a << by : a >> by;
}

/* Types narrower than 64 bits arrive here: not negative, as they are unsigned. */
static int64_t bit_shift_i(const int64_t *in, int n, const void *ctx)
{
    (void)n;
    return sal_ew_wrap(bit_shift_one((uint64_t)in[0], (uint64_t)in[1], *(const bool *)ctx));
}

static uint64_t bit_shift_u(const uint64_t *in, int n, const void *ctx)
{
    (void)n;
    return bit_shift_one(in[0], in[1], *(const bool *)ctx);
}

static sal_status bit_shift_infer(sal_infer *c)
{
    const char *direction = sal_node_str(c->node, "direction", "");
    const sal_value *x = sal_infer_in(c, 0);
    if (strcmp(direction, "LEFT") != 0 && strcmp(direction, "RIGHT") != 0)
        return sal_fail(c->err, SAL_EINVAL, "direction must be LEFT or RIGHT, it is '%s'",
                        direction);
    if (x->dtype != SAL_DT_NONE && x->dtype != SAL_U8 && x->dtype != SAL_U16 &&
        x->dtype != SAL_U32 && x->dtype != SAL_U64)
        return sal_fail(c->err, SAL_EINVAL, "input 0 must be an unsigned integer, it is %s",
                        sal_dtype_name(x->dtype));
    return sal_infer_arith(c);
}

static sal_status bit_shift_eval(const sal_eval *e)
{
    static const sal_ew k = {NULL, bit_shift_i, bit_shift_u};
    bool left = strcmp(sal_node_str(e->node, "direction", ""), "LEFT") == 0;
    return sal_ew_eval(e, 2, &k, &left);
}

static const char *const bit_shift_cases[] = {
    "u8[4]{255,16,4,1} u8[4]{1,2,3,9} ; direction=\"LEFT\"",
    "u32[2,3]{4294967295,16,4,1,0,8} u32[3]{1,2,31} ; direction=\"RIGHT\"",
    "u64[2]{18446744073709551615,3} u64[1]{63} ; direction=\"LEFT\"",
    "u64[2]{18446744073709551615,3} u64[1]{63} ; direction=\"RIGHT\"",
    NULL,
};

const sal_op_desc sal_op_bit_shift = {
    .name = "BitShift",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE | SAL_OP_NOGRAD,
    .since = 11,
    .infer = bit_shift_infer,
    .eval = bit_shift_eval,
    .cases = bit_shift_cases,
};
