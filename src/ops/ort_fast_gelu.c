/* FastGelu: Gelu by tanh of x plus an optional bias along the last axis. */
#include "ops/core/ort.h"

static sal_status ort_fast_gelu_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    sal_attr tanh = SAL_AS("approximate", "tanh");
    sal_vid x = sal_node_in(n, 1) == SAL_NONE ? n->in[0] : sal_b2(b, "Add", n->in[0], n->in[1]);
    out[0] = sal_b_op(b, "Gelu", 1, &x, 1, &tanh);
    return b->st;
}

static const char *const ort_fast_gelu_cases[] = {
    "f32[2,3,4]:-3..3 f32[4]",
    "f32[2,3]:-3..3",
    NULL,
};

const sal_op_desc sal_op_ort_fast_gelu = {
    SAL_ORT_OP("FastGelu", 1, 2, 1),
    .expand = ort_fast_gelu_expand,
    .cases = ort_fast_gelu_cases,
};
