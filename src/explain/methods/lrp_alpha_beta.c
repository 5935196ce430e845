/* LRP (alpha-beta). The rule set does the work: src/diff/rules/lrp_alpha_beta.c. */
#include "explain/methods.h"

static const sal_param_info lrp_alpha_beta_params[] = {
    {"alpha", SAL_PARAM_FLOAT, 2, 1, 1e6, "weight of the positive share"},
    {"beta", SAL_PARAM_FLOAT, 1, 0, 1e6,
     "weight of the negative share, alpha - 1 to conserve relevance"},
};

const sal_method_desc sal_method_lrp_alpha_beta = {
    .info = {.name = "lrp-alpha-beta",
             .title = "LRP (alpha-beta)",
             .reference = "Bach et al., 2015, doi:10.1371/journal.pone.0130140",
             .kind = SAL_METHOD_ATTRIBUTION,
             .is_signed = true,
             .exportable = true,
             .n_params = SAL_COUNTOF(lrp_alpha_beta_params),
             .params = lrp_alpha_beta_params,
             .aliases = "lrp-alpha2-beta1"},
    .rules = "lrp-alpha-beta",
    .build = sal_build_attribution,
    .complete = true,
};
