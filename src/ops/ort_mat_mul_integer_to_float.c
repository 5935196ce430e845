/* MatMulIntegerToFloat: product of codes as real numbers. Inputs A, B, their scales, their zero
 * points (those of B one, or one for each column), bias. */
#include "ops/core/ort.h"

static sal_status ort_mat_mul_integer_to_float_expand(sal_builder *b, const sal_node *n,
                                                      sal_vid *out)
{
    sal_vid bias = sal_node_in(n, 6);
    sal_vid in[4] = {n->in[0], n->in[1], sal_node_in(n, 4), sal_node_in(n, 5)};
    if (b->st != SAL_OK)
        return b->st;
    sal_vid y =
        sal_b_cast(b, sal_b_op(b, "MatMulInteger", 4, in, 0, NULL), sal_val(b->g, n->in[2])->dtype);
    y = sal_b2(b, "Mul", y, sal_b2(b, "Mul", n->in[2], n->in[3]));
    out[0] = bias == SAL_NONE ? y : sal_b2(b, "Add", y, bias);
    return b->st;
}

static const char *const ort_mat_mul_integer_to_float_cases[] = {
    "u8[2,4]:0..255 u8[4,3]:0..255 f32[]{0.0066} f32[]{0.00705} u8[]{113} u8[]{9} f32[3] ; ; "
    "nograd",
    NULL,
};

const sal_op_desc sal_op_ort_mat_mul_integer_to_float = {
    SAL_ORT_OP("MatMulIntegerToFloat", 4, 7, 1),
    .expand = ort_mat_mul_integer_to_float_expand,
    .cases = ort_mat_mul_integer_to_float_cases,
};
