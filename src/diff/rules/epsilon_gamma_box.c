/* Composite: z^B in the first layer, gamma for other convolutions, epsilon for dense layers
 * (Montavon et al., 2019). */
#include "diff/lrp.h"
#include "diff/rules.h"

const sal_rules_desc sal_rules_epsilon_gamma_box = {
    .name = "epsilon-gamma-box",
    .help = "z^B in the first layer, gamma for convolutions, epsilon for dense layers; gives R / x",
    .overrides = sal_lrp_overrides,
    .fallback = sal_lrp_other,
    .by_role = {[SAL_ROLE_FIRST] = sal_lrp_box,
                [SAL_ROLE_CONVOLUTION] = sal_lrp_gamma,
                [SAL_ROLE_DENSE] = sal_lrp_epsilon,
                [SAL_ROLE_BEFORE] = sal_lrp_before},
    .params = {.epsilon = 1e-6, .gamma = 0.25},
    .relevance = true,
    .merge = true,
};
