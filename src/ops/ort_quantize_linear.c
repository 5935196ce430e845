/* QuantizeLinear of ONNX Runtime's own domain: ONNX's, with 16-bit codes before ONNX had them. */
#include "ops/core/ort.h"

static sal_status ort_quantize_linear_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    sal_attr a = SAL_AI("axis", sal_node_int(n, "axis", 1));
    out[0] = sal_b_op(b, "QuantizeLinear", n->n_in, n->in, 1, &a);
    return b->st;
}

static const char *const ort_quantize_linear_cases[] = {
    "f32[2,3,4]:-3..3 f32[]{0.0013} u16[]{30000}",
    NULL,
};

const sal_op_desc sal_op_ort_quantize_linear = {
    SAL_ORT_OP("QuantizeLinear", 2, 3, 1),
    .expand = ort_quantize_linear_expand,
    .cases = ort_quantize_linear_cases,
};
