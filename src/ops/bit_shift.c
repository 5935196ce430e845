/* BitShift: integers times (LEFT) or divided by (RIGHT) a power of two; bits that leave are lost. A
 * right shift of a signed integer repeats the sign. A shift by a negative number or by the width or
 * more leaves nothing but the sign. */
#include "ops/core/elementwise.h"

typedef struct bit_shift {
    bool left;
    uint64_t bits; /* of the element type */
} bit_shift;

/* Types narrower than 64 bits arrive here, wrapped to their width when they are stored. */
static int64_t bit_shift_i(const int64_t *in, int n, const void *ctx)
{
    const bit_shift *s = ctx;
    uint64_t a = (uint64_t)in[0], by = (uint64_t)in[1]; /* negative: larger than any width */
    (void)n;
    if (by >= s->bits)
        return s->left || in[0] >= 0 ? 0 : -1;
    if (s->left)
        return sal_ew_wrap(a << by);
    return sal_ew_wrap(in[0] < 0 ? ~(~a >> by) : a >> by);
}

static uint64_t bit_shift_u(const uint64_t *in, int n, const void *ctx)
{
    const bit_shift *s = ctx;
    (void)n;
    if (in[1] >= s->bits)
        return 0;
    return s->left ? in[0] << in[1] : in[0] >> in[1];
}

static sal_status bit_shift_infer(sal_infer *c)
{
    const char *direction = sal_node_str(c->node, "direction", "");
    if (strcmp(direction, "LEFT") != 0 && strcmp(direction, "RIGHT") != 0)
        return sal_fail(c->err, SAL_EINVAL, "direction must be LEFT or RIGHT, it is '%s'",
                        direction);
    return sal_infer_integers(c);
}

static sal_status bit_shift_eval(const sal_eval *e)
{
    static const sal_ew k = {NULL, bit_shift_i, bit_shift_u};
    bit_shift s = {strcmp(sal_node_str(e->node, "direction", ""), "LEFT") == 0,
                   8 * sal_dtype_size(e->in[0]->dtype)};
    return sal_ew_eval(e, 2, &k, &s);
}

static const char *const bit_shift_cases[] = {
    "u8[4]{255,16,4,1} u8[4]{1,2,3,9} ; direction=\"LEFT\"",
    "u32[2,3]{4294967295,16,4,1,0,8} u32[3]{1,2,31} ; direction=\"RIGHT\"",
    "u64[2]{18446744073709551615,3} u64[1]{63} ; direction=\"LEFT\"",
    "u64[2]{18446744073709551615,3} u64[1]{63} ; direction=\"RIGHT\"",
    /* signed since opset 28, which ONNX Runtime 1.32 does not read */
    "i8[6]{127,-128,-1,-7,5,-1} i8[6]{1,1,3,1,-1,-2} ; direction=\"RIGHT\" ; noort",
    "i64[3]{-9007199254740993,5,3} i64[3]{1,64,62} ; direction=\"LEFT\" ; noort",
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
