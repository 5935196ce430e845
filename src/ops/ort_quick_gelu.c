/* QuickGelu: x sigmoid(alpha x). */
#include "ops/core/ort.h"

static sal_status ort_quick_gelu_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    sal_vid x = n->in[0];
    double alpha = sal_node_float(n, "alpha", 1.702);
    out[0] =
        sal_b2(b, "Mul", x, sal_b1(b, "Sigmoid", sal_b2(b, "Mul", x, sal_b_like(b, x, alpha))));
    return b->st;
}

static const char *const ort_quick_gelu_cases[] = {
    "f32[2,3,4]:-3..3",
    "f32[5]:-3..3 ; alpha=1.0",
    NULL,
};

const sal_op_desc sal_op_ort_quick_gelu = {
    SAL_ORT_OP("QuickGelu", 1, 1, 1),
    .expand = ort_quick_gelu_expand,
    .cases = ort_quick_gelu_cases,
};
