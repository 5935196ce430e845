/* LRP (z-plus). The rule set does the work: src/diff/rules/lrp_z_plus.c. */
#include "explain/methods.h"

const sal_method_desc sal_method_lrp_z_plus = {
    .info = {.name = "lrp-z-plus",
             .title = "LRP (z-plus)",
             .reference = "Montavon et al., 2017, doi:10.1016/j.patcog.2016.11.008",
             .kind = SAL_METHOD_ATTRIBUTION,
             .is_signed = true,
             .exportable = true,
             .aliases = "lrp-zplus lrp-alpha1-beta0"},
    .rules = "lrp-z-plus",
    .build = sal_build_attribution,
    .complete = true,
};
