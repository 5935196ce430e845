/* The z-plus rule at every layer (Montavon et al., 2017), which is alpha-beta with 1 and 0. */
#include "diff/lrp.h"
#include "diff/rules.h"

const sal_rules_desc sal_rules_lrp_z_plus = {
    .name = "lrp-z-plus",
    .help = "relevance propagation along positive contributions alone; gives R / x",
    .overrides = sal_lrp_overrides,
    .fallback = sal_lrp_other,
    .by_role = {[SAL_ROLE_CONVOLUTION] = sal_lrp_z_plus, [SAL_ROLE_DENSE] = sal_lrp_z_plus},
    .relevance = true,
    .merge = true,
};
