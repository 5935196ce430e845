/* Layer-wise relevance propagation, epsilon rule. The rule set does the work:
 * src/diff/rules/lrp_epsilon.c. */
#include "explain/methods.h"

static const sal_param_info lrp_epsilon_params[] = {
    {"epsilon", SAL_PARAM_FLOAT, 1e-9, 0.0, 1e6,
     "stabiliser of each layer's output, absorbs relevance; none below 1e-7"},
};

const sal_method_desc sal_method_lrp_epsilon = {
    .info = {.name = "lrp-epsilon",
             .title = "LRP (epsilon)",
             .reference = "Bach et al., 2015, doi:10.1371/journal.pone.0130140",
             .kind = SAL_METHOD_ATTRIBUTION,
             .is_signed = true,
             .exportable = true,
             .n_params = SAL_COUNTOF(lrp_epsilon_params),
             .params = lrp_epsilon_params},
    .rules = "lrp-epsilon",
    .build = sal_build_attribution,
    .complete = true,
};
