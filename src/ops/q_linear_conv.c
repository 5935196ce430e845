/* QLinearConv: convolution of codes. Inputs x, its scale and zero point, w, its scale and zero
 * point (one, or one for each output channel), scale and zero point of y, and a bias of int32
 * with the scale x_scale * w_scale. Read as the convolution of real numbers between
 * DequantizeLinear and QuantizeLinear. */
#include "ops/core/quant.h"

static sal_status q_conv_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    sal_vid x = sal_quant_real(b, n->in[0], n->in[1], n->in[2], 1);
    sal_vid w = sal_quant_real(b, n->in[3], n->in[4], n->in[5], 0), bias = sal_node_in(n, 8);
    if (bias != SAL_NONE)
        bias = sal_quant_real(b, bias, sal_b2(b, "Mul", n->in[4], n->in[1]), SAL_NONE, 0);
    sal_vid y = sal_b_op(b, "Conv", 3, (sal_vid[]){x, w, bias}, n->n_attr, n->attr);
    out[0] = sal_quant_codes(b, y, n->in[6], n->in[7], 1);
    return b->st;
}

static const char *const q_conv_cases[] = {
    "u8[1,2,5,5]:0..255 f32[]{0.0213} u8[]{120} u8[3,2,3,3]:0..255 f32[]{0.0117} u8[]{130} "
    "f32[]{0.0311} u8[]{117} ; pads=[1,1,1,1]",
    "u8[2,2,6,5]:0..255 f32[]{0.02} u8[]{120} i8[4,2,3,2]:-128..127 f32[4]{0.01,0.02,0.03,0.011} "
    "i8[4]{0} f32[]{0.051} u8[]{100} i32[4]{10,-200,3000,40} ; strides=[2,1]",
    "i8[1,4,6,6]:-128..127 f32[]{0.02} i8[]{3} i8[4,1,3,3]:-128..127 f32[]{0.01} i8[]{0} "
    "f32[]{0.03} i8[]{-7} ; group=4",
    NULL,
};

const sal_op_desc sal_op_q_linear_conv = {
    .name = "QLinearConv",
    .min_in = 8,
    .max_in = 9,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_COMPOSITE | SAL_OP_ON_READ | SAL_OP_NOGRAD,
    .since = 10,
    .infer = sal_infer_expansion,
    .expand = q_conv_expand,
    .cases = q_conv_cases,
};
