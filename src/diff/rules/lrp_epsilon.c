/* Layer-wise relevance propagation with the epsilon rule at every layer (Bach et al., 2015). */
#include "diff/lrp.h"
#include "diff/rules.h"

const sal_rules_desc sal_rules_lrp_epsilon = {
    .name = "lrp-epsilon",
    .help =
        "layer-wise relevance propagation: R_i = x_i vjp(R / (z + epsilon sign z))_i; gives R / x",
    .overrides = sal_lrp_overrides,
    .fallback = sal_lrp_other,
    .params = {.epsilon = 1e-6},
    .relevance = true,
};
