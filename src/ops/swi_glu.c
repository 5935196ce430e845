/* SwiGLU: a sigmoid(alpha a) b. */
#include "ops/builder.h"
#include "ops/infer.h"

static sal_status swi_glu_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    sal_attr alpha = SAL_AF("alpha", sal_node_float(n, "alpha", 1.0));
    out[0] = sal_b2(b, "Mul", sal_b_op(b, "Swish", 1, n->in, 1, &alpha), n->in[1]);
    return b->st;
}

static const char *const swi_glu_cases[] = {
    "f32[2,3,4]:-3..3 f32[2,3,4]",
    "f32[5]:-3..3 f32[5] ; alpha=1.7",
    NULL,
};

const sal_op_desc sal_op_swi_glu = {
    .name = "SwiGLU",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_COMPOSITE,
    .since = 28,
    .alike = 1 << 1,
    .infer = sal_infer_expansion,
    .expand = swi_glu_expand,
    .cases = swi_glu_cases,
};
