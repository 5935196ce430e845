/* Composite: flat in the first layer, z-plus for other convolutions, epsilon for dense layers
 * (Lapuschkin et al., 2019). */
#include "diff/lrp.h"
#include "diff/rules.h"

const sal_rules_desc sal_rules_epsilon_plus_flat = {
    .name = "epsilon-plus-flat",
    .help = "epsilon-plus with equal shares in the first layer; gives R / x",
    .overrides = sal_lrp_overrides,
    .fallback = sal_lrp_other,
    .by_role = {[SAL_ROLE_FIRST] = sal_lrp_flat,
                [SAL_ROLE_CONVOLUTION] = sal_lrp_z_plus,
                [SAL_ROLE_DENSE] = sal_lrp_epsilon,
                [SAL_ROLE_BEFORE] = sal_lrp_before},
    .params = {.epsilon = 1e-6},
    .relevance = true,
    .merge = true,
};
