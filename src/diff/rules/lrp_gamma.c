/* The gamma rule at every layer (Montavon et al., 2019): positive contributions are favoured. */
#include "diff/lrp.h"
#include "diff/rules.h"

const sal_rules_desc sal_rules_lrp_gamma = {
    .name = "lrp-gamma",
    .help = "relevance propagation with the gamma rule at every layer; gives R / x",
    .overrides = sal_lrp_overrides,
    .fallback = sal_lrp_other,
    .by_role = {[SAL_ROLE_CONVOLUTION] = sal_lrp_gamma, [SAL_ROLE_DENSE] = sal_lrp_gamma},
    .params = {.gamma = 0.25},
    .relevance = true,
    .merge = true,
};
