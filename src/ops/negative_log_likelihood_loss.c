/* NegativeLogLikelihoodLoss: of log-probabilities x [N, C, d...], classes t [N, d...] and weights
 * w [C], the loss -w[t] x[., t, .]; none where t is ignore_index. The mean divides by the sum of
 * the weights, ignored elements weighing nothing. */
#include "ops/core/loss.h"

static sal_status nll_infer(sal_infer *c)
{
    return sal_loss_infer(c);
}

static sal_status nll_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    out[0] = sal_loss_build(b, n, n->in[0]);
    return b->st;
}

static const char *const nll_cases[] = {
    "f32[3,5] i64[3]{1,0,4}",
    "f32[3,5] i64[3]{1,0,4} f32[5]:0.1..1 ; reduction=\"mean\"",
    "f32[2,3,2,2] i64[2,2,2]{1,0,2,2,0,1,1,0} f32[3]:0.1..1 ; reduction=\"sum\"",
    "f32[2,3,4] i32[2,4]{1,0,2,2,0,1,1,0} ; reduction=\"none\" ignore_index=1",
    "f32[2,3,4] i64[2,4]{1,0,-1,2,0,1,-1,0} ; ignore_index=-1",
    NULL,
};

const sal_op_desc sal_op_negative_log_likelihood_loss = {
    .name = "NegativeLogLikelihoodLoss",
    .min_in = 2,
    .max_in = 3,
    .alike = 1 << 2,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_COMPOSITE,
    .since = 12,
    .infer = nll_infer,
    .expand = nll_expand,
    .cases = nll_cases,
};
