/* AttnLRP. The rule set does the work: src/diff/rules/attn_lrp.c. */
#include "explain/methods.h"

static const sal_param_info attn_lrp_params[] = {
    {"epsilon", SAL_PARAM_FLOAT, 1e-6, 0.0, 1e6,
     "stabiliser of layers, absorbs relevance; none below 1e-7"},
    {"gamma", SAL_PARAM_FLOAT, 0, 0.0, 1e6,
     "above 0: the gamma rule at layers, how much positive weights are favoured"},
};

const sal_method_desc sal_method_attn_lrp = {
    .info = {.name = "attn-lrp",
             .title = "AttnLRP",
             .reference = "Achtibat et al., 2024, arXiv:2402.05602",
             .kind = SAL_METHOD_ATTRIBUTION,
             .is_signed = true,
             .exportable = true,
             .n_params = SAL_COUNTOF(attn_lrp_params),
             .params = attn_lrp_params,
             .aliases = "attnlrp"},
    .rules = "attn-lrp",
    .build = sal_build_attribution,
    .complete = true,
};
