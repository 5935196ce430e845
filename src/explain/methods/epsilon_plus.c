/* LRP (epsilon-plus). The rule set does the work: src/diff/rules/epsilon_plus.c. */
#include "explain/methods.h"

static const sal_param_info epsilon_plus_params[] = {
    {"epsilon", SAL_PARAM_FLOAT, 1e-6, 0.0, 1e6,
     "stabiliser of dense layers, absorbs relevance; none below 1e-7"},
};

const sal_method_desc sal_method_epsilon_plus = {
    .info = {.name = "epsilon-plus",
             .title = "LRP (epsilon-plus)",
             .reference = "Kohlbrenner et al., 2020, arXiv:1910.09840",
             .kind = SAL_METHOD_ATTRIBUTION,
             .is_signed = true,
             .exportable = true,
             .n_params = SAL_COUNTOF(epsilon_plus_params),
             .params = epsilon_plus_params,
             .aliases = "lrp-epsilon-plus"},
    .rules = "epsilon-plus",
    .build = sal_build_attribution,
    .complete = true,
};
