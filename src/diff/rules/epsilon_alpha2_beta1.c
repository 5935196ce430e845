/* Composite: alpha-beta with 2 and 1 for convolutions, epsilon for dense layers. */
#include "diff/lrp.h"
#include "diff/rules.h"

const sal_rules_desc sal_rules_epsilon_alpha2_beta1 = {
    .name = "epsilon-alpha2-beta1",
    .help = "alpha-beta for convolutions, epsilon for dense layers; gives R / x",
    .overrides = sal_lrp_overrides,
    .fallback = sal_lrp_other,
    .by_role = {[SAL_ROLE_CONVOLUTION] = sal_lrp_alpha_beta, [SAL_ROLE_DENSE] = sal_lrp_epsilon},
    .params = {.epsilon = 1e-6, .alpha = 2, .beta = 1},
    .relevance = true,
    .merge = true,
};
