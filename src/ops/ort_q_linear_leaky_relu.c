/* QLinearLeakyRelu: LeakyRelu of codes. Inputs x, scale, zero point, those of y. */
#include "ops/core/ort.h"

static sal_status ort_q_linear_leaky_relu_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    sal_attr alpha = SAL_AF("alpha", sal_node_float(n, "alpha", 0.01));
    sal_vid x = sal_ort_real(b, n, 0, 0);
    out[0] = sal_ort_codes(b, n, sal_b_op(b, "LeakyRelu", 1, &x, 1, &alpha), 3, n->in[0]);
    return b->st;
}

static const char *const ort_q_linear_leaky_relu_cases[] = {
    "u8[2,7]:0..255 f32[]{0.0213} u8[]{120} f32[]{0.0117} u8[]{9} ; alpha=0.1",
    NULL,
};

const sal_op_desc sal_op_ort_q_linear_leaky_relu = {
    SAL_ORT_OP("QLinearLeakyRelu", 4, 5, 1),
    .expand = ort_q_linear_leaky_relu_expand,
    .cases = ort_q_linear_leaky_relu_cases,
};
