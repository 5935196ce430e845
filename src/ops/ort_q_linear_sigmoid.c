/* QLinearSigmoid: sigmoid of codes. Inputs x, scale, zero point, those of y. */
#include "ops/core/ort.h"

static sal_status ort_q_linear_sigmoid_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    sal_vid y = sal_b1(b, "Sigmoid", sal_ort_real(b, n, 0, 0));
    out[0] = sal_ort_codes(b, n, y, 3, n->in[0]);
    return b->st;
}

static const char *const ort_q_linear_sigmoid_cases[] = {
    "u8[2,7]:0..255 f32[]{0.0213} u8[]{120} f32[]{0.0039} u8[]{0}",
    "i8[2,7]:-128..127 f32[]{0.0213} i8[]{12} f32[]{0.0039} i8[]{-128}",
    NULL,
};

const sal_op_desc sal_op_ort_q_linear_sigmoid = {
    SAL_ORT_OP("QLinearSigmoid", 4, 5, 1),
    .expand = ort_q_linear_sigmoid_expand,
    .cases = ort_q_linear_sigmoid_cases,
};
