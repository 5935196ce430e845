/* LRP (epsilon-alpha2-beta1). The rule set does the work: src/diff/rules/epsilon_alpha2_beta1.c. */
#include "explain/methods.h"

static const sal_param_info epsilon_alpha2_beta1_params[] = {
    {"epsilon", SAL_PARAM_FLOAT, 1e-6, 0.0, 1e6,
     "stabiliser of dense layers, absorbs relevance; none below 1e-7"},
};

const sal_method_desc sal_method_epsilon_alpha2_beta1 = {
    .info = {.name = "epsilon-alpha2-beta1",
             .title = "LRP (epsilon-alpha2-beta1)",
             .reference = "Kohlbrenner et al., 2020, arXiv:1910.09840",
             .kind = SAL_METHOD_ATTRIBUTION,
             .is_signed = true,
             .exportable = true,
             .n_params = SAL_COUNTOF(epsilon_alpha2_beta1_params),
             .params = epsilon_alpha2_beta1_params,
             .aliases = "lrp-epsilon-alpha2-beta1"},
    .rules = "epsilon-alpha2-beta1",
    .build = sal_build_attribution,
    .complete = true,
};
