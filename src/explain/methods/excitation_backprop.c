/* Excitation backpropagation. The rule set does the work: src/diff/rules/excitation_backprop.c. */
#include "explain/methods.h"

static const sal_param_info excitation_backprop_params[] = {
    {"contrastive", SAL_PARAM_INT, 0, 0, 1, "1: less what the last layer's negative weights win"},
};

const sal_method_desc sal_method_excitation_backprop = {
    .info = {.name = "excitation-backprop",
             .title = "Excitation backpropagation",
             .reference = "Zhang et al., 2016, arXiv:1608.00507",
             .kind = SAL_METHOD_ATTRIBUTION,
             .is_signed = true,
             .exportable = true,
             .n_params = SAL_COUNTOF(excitation_backprop_params),
             .params = excitation_backprop_params,
             .aliases = "eb"},
    .rules = "excitation-backprop",
    .build = sal_build_attribution,
};
