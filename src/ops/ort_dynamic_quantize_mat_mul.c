/* DynamicQuantizeMatMul: A quantised by its own range, times the codes B, as real numbers. Inputs
 * A, B, scale and zero point of B (one, or one for each column), bias. */
#include "ops/core/ort.h"

static sal_status ort_dynamic_quantize_mat_mul_expand(sal_builder *b, const sal_node *n,
                                                      sal_vid *out)
{
    sal_vid q[3], bias = sal_node_in(n, 4);
    sal_b_node(b, "DynamicQuantizeLinear", 1, n->in, 0, NULL, 3, q);
    sal_vid in[4] = {q[0], n->in[1], q[2], sal_node_in(n, 3)};
    if (b->st != SAL_OK)
        return b->st;
    sal_vid y =
        sal_b_cast(b, sal_b_op(b, "MatMulInteger", 4, in, 0, NULL), sal_val(b->g, n->in[2])->dtype);
    y = sal_b2(b, "Mul", y, sal_b2(b, "Mul", q[1], n->in[2]));
    out[0] = bias == SAL_NONE ? y : sal_b2(b, "Add", y, bias);
    return b->st;
}

static const char *const ort_dynamic_quantize_mat_mul_cases[] = {
    "f32[2,4] u8[4,3]:0..255 f32[]{0.00705} u8[]{113} ; ; nograd",
    "f32[2,4] i8[4,3]:-128..127 f32[3]{0.00705,0.004,0.01} i8[3]{0,1,2} f32[3] ; ; nograd",
    NULL,
};

const sal_op_desc sal_op_ort_dynamic_quantize_mat_mul = {
    SAL_ORT_OP("DynamicQuantizeMatMul", 3, 5, 1),
    .expand = ort_dynamic_quantize_mat_mul_expand,
    .cases = ort_dynamic_quantize_mat_mul_cases,
};
