/* LRP (epsilon-alpha2-beta1-flat). The rule set does the work:
 * src/diff/rules/epsilon_alpha2_beta1_flat.c. */
#include "explain/methods.h"

static const sal_param_info epsilon_alpha2_beta1_flat_params[] = {
    {"epsilon", SAL_PARAM_FLOAT, 1e-6, 0.0, 1e6,
     "stabiliser of dense layers, absorbs relevance; none below 1e-7"},
};

const sal_method_desc sal_method_epsilon_alpha2_beta1_flat = {
    .info = {.name = "epsilon-alpha2-beta1-flat",
             .title = "LRP (epsilon-alpha2-beta1-flat)",
             .reference = "Lapuschkin et al., 2019, doi:10.1038/s41467-019-08987-4",
             .kind = SAL_METHOD_ATTRIBUTION,
             .is_signed = true,
             .exportable = true,
             .n_params = SAL_COUNTOF(epsilon_alpha2_beta1_flat_params),
             .params = epsilon_alpha2_beta1_flat_params,
             .aliases = "lrp-epsilon-alpha2-beta1-flat"},
    .rules = "epsilon-alpha2-beta1-flat",
    .build = sal_build_attribution,
    .complete = true,
};
