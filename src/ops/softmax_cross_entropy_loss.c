/* SoftmaxCrossEntropyLoss: NegativeLogLikelihoodLoss of LogSoftmax over axis 1 of the scores, which
 * is the second output. */
#include "ops/core/loss.h"

static sal_status sce_infer(sal_infer *c)
{
    sal_status st;
    SAL_TRY(sal_loss_infer(c));
    if (c->node->n_out > 1 && c->node->out[1] != SAL_NONE)
        SAL_TRY(sal_infer_out_like(c, 1, 0));
done:
    return st;
}

static sal_status sce_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    sal_vid log_prob = sal_b1_int(b, "LogSoftmax", n->in[0], "axis", 1);
    if (n->out[0] != SAL_NONE)
        out[0] = sal_loss_build(b, n, log_prob);
    if (n->n_out > 1 && n->out[1] != SAL_NONE)
        out[1] = log_prob;
    return b->st;
}

static const char *const sce_cases[] = {
    "f32[3,5] i64[3]{1,0,4}",
    "f32[3,5] i64[3]{1,0,4} f32[5]:0.1..1 ; reduction=\"mean\" ; out=2",
    "f32[2,3,4] i64[2,4]{1,0,2,2,0,1,1,0} f32[3]:0.1..1 ; reduction=\"none\" ignore_index=1",
    "f32[2,3,2,2] i64[2,2,2]{1,0,2,2,0,1,1,0} ; reduction=\"sum\"",
    NULL,
};

const sal_op_desc sal_op_softmax_cross_entropy_loss = {
    .name = "SoftmaxCrossEntropyLoss",
    .min_in = 2,
    .max_in = 3,
    .alike = 1 << 2,
    .min_out = 1,
    .max_out = 2,
    .flags = SAL_OP_COMPOSITE,
    .since = 12,
    .infer = sce_infer,
    .expand = sce_expand,
    .cases = sce_cases,
};
