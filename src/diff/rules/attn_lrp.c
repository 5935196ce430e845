/* AttnLRP (Achtibat et al., 2024): softmax by its first-order expansion, products of two
 * activations half to each factor, deviations of normalisations as constants, activations
 * unchanged; the gamma rule at layers, which with gamma = 0 is the epsilon rule. */
#include "diff/lrp.h"
#include "diff/rules.h"

static sal_status attn_lrp_layer(sal_vjp *v, const sal_rules *rules)
{
    return rules->p.gamma > 0.0 ? sal_lrp_gamma(v, rules) : sal_lrp_epsilon(v, rules);
}

const sal_rules_desc sal_rules_attn_lrp = {
    .name = "attn-lrp",
    .help = "relevance through attention: softmax expanded, products halved; gives R / x",
    .overrides = sal_lrp_overrides,
    .fallback = sal_lrp_other,
    .by_role = {[SAL_ROLE_CONVOLUTION] = attn_lrp_layer, [SAL_ROLE_DENSE] = attn_lrp_layer},
    .params = {.epsilon = 1e-6},
    .relevance = true,
    .merge = true,
};
