/* The plain gradient: every operator's own derivative. */
#include "diff/rules.h"

const sal_rules_desc sal_rules_gradient = {
    .name = "gradient",
    .help = "the derivative itself",
};
