/* LRP (gamma). The rule set does the work: src/diff/rules/lrp_gamma.c. */
#include "explain/methods.h"

static const sal_param_info lrp_gamma_params[] = {
    {"gamma", SAL_PARAM_FLOAT, 0.25, 0.0, 1e6, "how much positive weights are favoured"},
};

const sal_method_desc sal_method_lrp_gamma = {
    .info = {.name = "lrp-gamma",
             .title = "LRP (gamma)",
             .reference = "Montavon et al., 2019, doi:10.1007/978-3-030-28954-6_10",
             .kind = SAL_METHOD_ATTRIBUTION,
             .is_signed = true,
             .exportable = true,
             .n_params = SAL_COUNTOF(lrp_gamma_params),
             .params = lrp_gamma_params},
    .rules = "lrp-gamma",
    .build = sal_build_attribution,
    .complete = true,
};
