/* Excitation backpropagation (Zhang et al., 2016): the probability of an input winning is that of
 * each output times its share of the positive contributions, offsets left out. It begins with the
 * seed itself. */
#include "diff/lrp.h"
#include "diff/rules.h"

const sal_rules_desc sal_rules_excitation_backprop = {
    .name = "excitation-backprop",
    .help = "marginal winning probabilities from output to input; gives probability / x",
    .overrides = sal_lrp_overrides,
    .fallback = sal_lrp_other,
    .by_role = {[SAL_ROLE_LAST] = sal_lrp_excitation_last,
                [SAL_ROLE_CONVOLUTION] = sal_lrp_excitation,
                [SAL_ROLE_DENSE] = sal_lrp_excitation},
    .relevance = true,
    .unit = true,
    .merge = true,
};
