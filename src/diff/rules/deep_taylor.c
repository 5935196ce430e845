/* Deep Taylor decomposition of rectifier networks on bounded inputs (Montavon et al., 2017): z^B in
 * the first layer, z-plus elsewhere. */
#include "diff/lrp.h"
#include "diff/rules.h"

const sal_rules_desc sal_rules_deep_taylor = {
    .name = "deep-taylor",
    .help = "z^B in the first layer, positive contributions alone elsewhere; gives R / x",
    .overrides = sal_lrp_overrides,
    .fallback = sal_lrp_other,
    .by_role = {[SAL_ROLE_FIRST] = sal_lrp_box,
                [SAL_ROLE_CONVOLUTION] = sal_lrp_z_plus,
                [SAL_ROLE_DENSE] = sal_lrp_z_plus,
                [SAL_ROLE_BEFORE] = sal_lrp_before},
    .relevance = true,
    .merge = true,
};
