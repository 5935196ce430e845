/* Gelu before ONNX had it: x Phi(x). */
#include "ops/core/ort.h"

static sal_status ort_gelu_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    out[0] = sal_b1(b, "Gelu", n->in[0]);
    return b->st;
}

static const char *const ort_gelu_cases[] = {
    "f32[2,3,4]:-3..3",
    NULL,
};

const sal_op_desc sal_op_ort_gelu = {
    SAL_ORT_OP("Gelu", 1, 1, 1),
    .expand = ort_gelu_expand,
    .cases = ort_gelu_cases,
};
