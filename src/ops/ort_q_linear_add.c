/* QLinearAdd: sum of two tensors of codes, each with its scale and zero point, as codes of a third
 * kind. */
#include "ops/core/ort.h"

static sal_status ort_q_linear_add_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    if (!sal_ort_given(b, n, 1u << 0 | 1u << 1 | 1u << 3 | 1u << 4 | 1u << 6))
        return b->st;
    sal_vid y = sal_b2(b, "Add", sal_ort_real(b, n, 0, 0), sal_ort_real(b, n, 3, 0));
    out[0] = sal_ort_codes(b, n, y, 6, n->in[0]);
    return b->st;
}

static const char *const ort_q_linear_add_cases[] = {
    "u8[2,3,4]:0..255 f32[]{0.0213} u8[]{120} u8[2,3,4]:0..255 f32[]{0.0117} u8[]{100} "
    "f32[]{0.0311} u8[]{90}",
    "i8[2,3,4]:-128..127 f32[]{0.0213} i8[]{12} i8[4]:-128..127 f32[]{0.0117} i8[]{-10} "
    "f32[]{0.0311} i8[]{9}",
    NULL,
};

const sal_op_desc sal_op_ort_q_linear_add = {
    SAL_ORT_OP("QLinearAdd", 1, 8, 1),
    .expand = ort_q_linear_add_expand,
    .cases = ort_q_linear_add_cases,
};
