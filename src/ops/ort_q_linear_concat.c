/* QLinearConcat: tensors of codes of several kinds one after another along an axis, as codes of one
 * kind. Inputs: scale and zero point of the result, then tensor, scale and zero point of each part.
 */
#include "ops/core/ort.h"

static sal_status ort_q_linear_concat_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    enum { PARTS_MAX = 64 };
    sal_vid part[PARTS_MAX];
    int parts = (n->n_in - 2) / 3;
    if (n->n_in < 5 || (n->n_in - 2) % 3 != 0 || parts > PARTS_MAX)
        return sal_ort_refuse(b, n,
                              "two inputs and then three for each of at most 64 parts are needed");
    for (int i = 0; i < parts; i++)
        part[i] = sal_ort_real(b, n, 2 + 3 * i, 0);
    sal_vid y = sal_b_concat(b, parts, part, sal_node_int(n, "axis", 0));
    out[0] = sal_ort_codes(b, n, y, 0, n->in[2]);
    return b->st;
}

static const char *const ort_q_linear_concat_cases[] = {
    "f32[]{0.0311} u8[]{90} u8[2,3]:0..255 f32[]{0.0213} u8[]{120} u8[2,2]:0..255 f32[]{0.0117} "
    "u8[]{100} ; axis=1",
    NULL,
};

const sal_op_desc sal_op_ort_q_linear_concat = {
    SAL_ORT_OP("QLinearConcat", 5, -1, 1),
    .expand = ort_q_linear_concat_expand,
    .cases = ort_q_linear_concat_cases,
};
