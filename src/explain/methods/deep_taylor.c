/* Deep Taylor decomposition. The rule set does the work: src/diff/rules/deep_taylor.c. */
#include "explain/methods.h"

static const sal_param_info deep_taylor_params[] = {
    {"low", SAL_PARAM_FLOAT, 0, -1e6, 1e6,
     "least value an input can have; low >= high: that of the sample"},
    {"high", SAL_PARAM_FLOAT, 0, -1e6, 1e6, "largest value an input can have"},
};

const sal_method_desc sal_method_deep_taylor = {
    .info = {.name = "deep-taylor",
             .title = "Deep Taylor decomposition",
             .reference = "Montavon et al., 2017, doi:10.1016/j.patcog.2016.11.008",
             .kind = SAL_METHOD_ATTRIBUTION,
             .is_signed = true,
             .exportable = true,
             .n_params = SAL_COUNTOF(deep_taylor_params),
             .params = deep_taylor_params},
    .rules = "deep-taylor",
    .build = sal_build_attribution,
    .complete = true,
};
