/* CausalConvWithState: every channel of x [N, C, L] convolved along the last axis with the k - 1
 * elements before it, which come from past_state [N, C, k - 1] or are 0. Inputs x, weights [C, 1,
 * k], bias, past_state; outputs the result and the last k - 1 elements. */
#include "ops/core/move.h"

static sal_status causal_conv_with_state_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    sal_vid past = sal_node_in(n, 3), x = n->in[0];
    const char *activation = sal_node_str(n, "activation", "none");
    bool swish = strcmp(activation, "silu") == 0 || strcmp(activation, "swish") == 0;
    const sal_value *xv = sal_val(b->g, x), *w = sal_val(b->g, n->in[1]);
    if (xv->rank != 3 || w->rank != 3 || w->dims[0] < 1 || w->dims[2] < 1 || xv->dims[2] < 0 ||
        (!swish && strcmp(activation, "none") != 0))
        return b->st = sal_fail(
                   b->err, SAL_ESHAPE,
                   "node %s: inputs [N, C, L] and [C, 1, k] of known sizes and the activation "
                   "silu, swish or none are needed",
                   n->name);
    int64_t k = w->dims[2], length = xv->dims[2];
    const int64_t begin[3] = {0, 0, k - 1}, end[3] = {0};
    x = past != SAL_NONE ? sal_b_concat(b, 2, (sal_vid[]){past, x}, 2)
        : k > 1          ? sal_move_pad(b, x, begin, end)
                         : x;
    sal_attr group = SAL_AI("group", w->dims[0]);
    sal_vid y = sal_b_op(b, "Conv", 3, (sal_vid[]){x, n->in[1], sal_node_in(n, 2)}, 1, &group);
    out[0] = swish ? sal_b1(b, "Swish", y) : y;
    if (sal_node_out(n, 1) != SAL_NONE)
        out[1] = sal_b_slice(b, x, 2, length, length + k - 1, 1);
    return b->st;
}

static const char *const causal_conv_with_state_cases[] = {
    "f32[2,3,5] f32[3,1,3] ; ; out=2",
    "f32[2,3,5] f32[3,1,3] f32[3] f32[2,3,2] ; activation=\"silu\" ; out=2",
    "f32[1,2,4] f32[2,1,1] ; ; out=2",
    NULL,
};

const sal_op_desc sal_op_causal_conv_with_state = {
    .name = "CausalConvWithState",
    .min_in = 2,
    .max_in = 4,
    .min_out = 1,
    .max_out = 2,
    .flags = SAL_OP_COMPOSITE,
    .since = 27,
    .alike = 1 << 1 | 1 << 2 | 1 << 3,
    .infer = sal_infer_expansion,
    .expand = causal_conv_with_state_expand,
    .cases = causal_conv_with_state_cases,
};
