/* Composite: z-plus for convolutions, epsilon for dense layers (Kohlbrenner et al., 2020). */
#include "diff/lrp.h"
#include "diff/rules.h"

const sal_rules_desc sal_rules_epsilon_plus = {
    .name = "epsilon-plus",
    .help = "z-plus for convolutions, epsilon for dense layers; gives R / x",
    .overrides = sal_lrp_overrides,
    .fallback = sal_lrp_other,
    .by_role = {[SAL_ROLE_CONVOLUTION] = sal_lrp_z_plus, [SAL_ROLE_DENSE] = sal_lrp_epsilon},
    .params = {.epsilon = 1e-6},
    .relevance = true,
    .merge = true,
};
