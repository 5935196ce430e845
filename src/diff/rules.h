/* Declarations of every rule set, from the table. */
#ifndef SAL_DIFF_RULES_H
#define SAL_DIFF_RULES_H

#include "diff/diff.h"

#define SAL_RULE(id) extern const sal_rules_desc sal_rules_##id;
#include "diff/rules.def"
#undef SAL_RULE

#endif
