/* Deep Taylor decomposition (w-square). The rule set does the work:
 * src/diff/rules/deep_taylor_w_square.c. */
#include "explain/methods.h"

const sal_method_desc sal_method_deep_taylor_w_square = {
    .info = {.name = "deep-taylor-w-square",
             .title = "Deep Taylor decomposition (w-square)",
             .reference = "Montavon et al., 2017, doi:10.1016/j.patcog.2016.11.008",
             .kind = SAL_METHOD_ATTRIBUTION,
             .is_signed = true,
             .exportable = true},
    .rules = "deep-taylor-w-square",
    .build = sal_build_attribution,
    .complete = true,
};
