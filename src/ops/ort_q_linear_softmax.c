/* QLinearSoftmax: softmax of codes along an axis. Inputs x, scale, zero point, those of y; before
 * opset 13 the axes from `axis` on are one. */
#include "ops/core/ort.h"

static sal_status ort_q_linear_softmax_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    sal_vid x = sal_ort_real(b, n, 0, 0);
    bool flat = sal_node_int(n, "opset", 13) < 13;
    sal_attr a[] = {SAL_AI("axis", sal_node_int(n, "axis", flat ? 1 : -1)), SAL_AI("log", 0)};
    sal_vid y =
        flat ? sal_b_op(b, "CoercedSoftmax", 1, &x, 2, a) : sal_b_op(b, "Softmax", 1, &x, 1, a);
    out[0] = sal_ort_codes(b, n, y, 3, n->in[0]);
    return b->st;
}

static const char *const ort_q_linear_softmax_cases[] = {
    "u8[2,7]:0..255 f32[]{0.0213} u8[]{120} f32[]{0.00391} u8[]{0} ; axis=1 opset=13",
    NULL,
};

const sal_op_desc sal_op_ort_q_linear_softmax = {
    SAL_ORT_OP("QLinearSoftmax", 4, 5, 1),
    .expand = ort_q_linear_softmax_expand,
    .cases = ort_q_linear_softmax_cases,
};
