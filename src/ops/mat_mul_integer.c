/* MatMulInteger: product of two matrices of 8-bit codes less their zero points, as int32. The zero
 * point of a may be one for each row, that of b one for each column. */
#include "ops/core/quant.h"

/* Codes less their zero points, as int32. A list of zero points stands along the rows of a. */
static sal_vid mat_mul_integer_centred(sal_builder *b, const sal_node *n, int i)
{
    static const int64_t last[] = {1};
    sal_vid x = sal_b_cast(b, n->in[i], SAL_I32), zero = sal_node_in(n, 2 + i);
    if (zero == SAL_NONE || b->st != SAL_OK)
        return x;
    int rank = sal_val(b->g, zero)->rank;
    zero = sal_b_cast(b, zero, SAL_I32);
    if (rank == 1 && i == 0 && sal_val(b->g, zero)->dims[0] != 1)
        zero = sal_b_unsqueeze(b, zero, 1, last);
    return sal_b2(b, "Sub", x, zero);
}

static sal_status mat_mul_integer_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    sal_vid a = mat_mul_integer_centred(b, n, 0);
    out[0] = sal_b2(b, "MatMul", a, mat_mul_integer_centred(b, n, 1));
    return b->st;
}

static const char *const mat_mul_integer_cases[] = {
    "u8[4,3]:0..255 u8[3,2]:0..255 u8[]{12} u8[]{0}",
    "u8[2,4,3]:0..255 i8[3,2]:-128..127 u8[]{12}",
    "u8[4,3]:0..255 i8[3,2]:-128..127 u8[1]{200} i8[2]{-3,9}",
    "i8[4,3]:-128..127 i8[3,2]:-128..127",
    NULL,
};

const sal_op_desc sal_op_mat_mul_integer = {
    .name = "MatMulInteger",
    .min_in = 2,
    .max_in = 4,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_COMPOSITE | SAL_OP_NOGRAD,
    .since = 10,
    .infer = sal_infer_expansion,
    .expand = mat_mul_integer_expand,
    .cases = mat_mul_integer_cases,
};
