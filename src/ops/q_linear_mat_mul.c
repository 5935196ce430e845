/* QLinearMatMul: matrix product of codes, a and b and y each with scale and zero point: one, one
 * for each row of a and y, or one for each column of b. Read as the product of real numbers. */
#include "ops/core/quant.h"

/* The axis along which the scales of v vary, counted from the end. */
static sal_vid q_mat_mul_real(sal_builder *b, const sal_node *n, int i, int64_t axis)
{
    return sal_quant_real(b, n->in[i], n->in[i + 1], n->in[i + 2], axis);
}

static sal_status q_mat_mul_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    sal_vid a = q_mat_mul_real(b, n, 0, -2), w = q_mat_mul_real(b, n, 3, -1);
    out[0] = sal_quant_codes(b, sal_b2(b, "MatMul", a, w), n->in[6], n->in[7], -2);
    return b->st;
}

static const char *const q_mat_mul_cases[] = {
    "u8[2,4]:0..255 f32[]{0.0066} u8[]{113} u8[4,3]:0..255 f32[]{0.00705} u8[]{114} f32[]{0.0107} "
    "u8[]{118}",
    "i8[2,3,4]:-128..127 f32[]{0.0066} i8[]{10} i8[4,3]:-128..127 f32[]{0.00705} i8[]{-3} "
    "f32[]{0.0107} i8[]{1}",
    "u8[2,4]:0..255 f32[]{0.0066} u8[]{113} i8[4,3]:-128..127 f32[3]{0.00705,0.004,0.01} i8[3]{0} "
    "f32[]{0.0107} u8[]{118}",
    NULL,
};

const sal_op_desc sal_op_q_linear_mat_mul = {
    .name = "QLinearMatMul",
    .min_in = 8,
    .max_in = 8,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_COMPOSITE | SAL_OP_ON_READ | SAL_OP_NOGRAD,
    .since = 21,
    .infer = sal_infer_expansion,
    .expand = q_mat_mul_expand,
    .cases = q_mat_mul_cases,
};
