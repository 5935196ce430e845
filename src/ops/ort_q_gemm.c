/* QGemm: alpha A B + C on codes. Inputs A, B (each with scale and zero point; those of B one, or
 * one for each column), C as int32 with the scale alpha a_scale b_scale, scale and zero point of
 * the result, which is real where they are left out. */
#include "ops/core/ort.h"

static sal_status ort_q_gemm_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    bool ta = sal_node_int(n, "transA", 0) != 0, tb = sal_node_int(n, "transB", 0) != 0;
    double alpha = sal_node_float(n, "alpha", 1.0);
    sal_attr attr[] = {SAL_AF("alpha", alpha), SAL_AI("transA", ta), SAL_AI("transB", tb)};
    sal_vid bias = sal_node_in(n, 6);
    sal_vid in[3] = {sal_ort_real(b, n, 0, 0), sal_ort_real(b, n, 3, tb ? 0 : 1), SAL_NONE};
    if (bias != SAL_NONE) {
        sal_vid scale = sal_b2(b, "Mul", n->in[4], n->in[1]);
        if (alpha != 1.0)
            scale = sal_b2(b, "Mul", scale, sal_b_scalar(b, SAL_F32, alpha));
        in[2] = sal_quant_real(b, bias, scale, SAL_NONE, -1);
    }
    sal_vid y = sal_b_op(b, "Gemm", 3, in, 3, attr);
    out[0] = sal_node_in(n, 7) == SAL_NONE ? y : sal_ort_codes(b, n, y, 7, n->in[0]);
    return b->st;
}

static const char *const ort_q_gemm_cases[] = {
    "u8[2,4]:0..255 f32[]{0.0066} u8[]{113} i8[3,4]:-128..127 f32[3]{0.00705,0.004,0.01} i8[3]{0} "
    "i32[3]{100,-2000,30} f32[]{0.0107} u8[]{118} ; transB=1",
    "u8[2,4]:0..255 f32[]{0.0066} u8[]{113} u8[4,3]:0..255 f32[]{0.00705} u8[]{114} "
    "i32[3]{100,-2000,30} ; alpha=1.0 ; nograd",
    NULL,
};

const sal_op_desc sal_op_ort_q_gemm = {
    SAL_ORT_OP("QGemm", 6, 9, 1),
    .expand = ort_q_gemm_expand,
    .cases = ort_q_gemm_cases,
};
