/* DequantizeLinear of ONNX Runtime's own domain: ONNX's, with 16-bit codes before ONNX had them. */
#include "ops/core/ort.h"

static sal_status ort_dequantize_linear_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    sal_attr a = SAL_AI("axis", sal_node_int(n, "axis", 1));
    out[0] = sal_b_op(b, "DequantizeLinear", n->n_in, n->in, 1, &a);
    return b->st;
}

static const char *const ort_dequantize_linear_cases[] = {
    "i16[2,3,4]:-3000..3000 f32[]{0.0013} i16[]{300} ; ; nograd",
    NULL,
};

const sal_op_desc sal_op_ort_dequantize_linear = {
    SAL_ORT_OP("DequantizeLinear", 2, 3, 1),
    .expand = ort_dequantize_linear_expand,
    .cases = ort_dequantize_linear_cases,
};
