/* The alpha-beta rule at every layer (Bach et al., 2015): positive and negative contributions are
 * divided apart. */
#include "diff/lrp.h"
#include "diff/rules.h"

const sal_rules_desc sal_rules_lrp_alpha_beta = {
    .name = "lrp-alpha-beta",
    .help = "relevance propagation with the alpha-beta rule at every layer; gives R / x",
    .overrides = sal_lrp_overrides,
    .fallback = sal_lrp_other,
    .by_role = {[SAL_ROLE_CONVOLUTION] = sal_lrp_alpha_beta, [SAL_ROLE_DENSE] = sal_lrp_alpha_beta},
    .params = {.alpha = 2, .beta = 1},
    .relevance = true,
    .merge = true,
};
