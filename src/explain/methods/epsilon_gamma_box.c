/* LRP (epsilon-gamma-box). The rule set does the work: src/diff/rules/epsilon_gamma_box.c. */
#include "explain/methods.h"

static const sal_param_info epsilon_gamma_box_params[] = {
    {"epsilon", SAL_PARAM_FLOAT, 1e-6, 0.0, 1e6,
     "stabiliser of dense layers, absorbs relevance; none below 1e-7"},
    {"gamma", SAL_PARAM_FLOAT, 0.25, 0.0, 1e6, "how much positive weights are favoured"},
    {"low", SAL_PARAM_FLOAT, 0, -1e6, 1e6,
     "least value an input can have; low >= high: that of the sample"},
    {"high", SAL_PARAM_FLOAT, 0, -1e6, 1e6, "largest value an input can have"},
};

const sal_method_desc sal_method_epsilon_gamma_box = {
    .info = {.name = "epsilon-gamma-box",
             .title = "LRP (epsilon-gamma-box)",
             .reference = "Montavon et al., 2019, doi:10.1007/978-3-030-28954-6_10",
             .kind = SAL_METHOD_ATTRIBUTION,
             .is_signed = true,
             .exportable = true,
             .n_params = SAL_COUNTOF(epsilon_gamma_box_params),
             .params = epsilon_gamma_box_params,
             .aliases = "lrp-epsilon-gamma-box"},
    .rules = "epsilon-gamma-box",
    .build = sal_build_attribution,
    .complete = true,
};
