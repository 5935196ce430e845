/* Which nodes the two backward rules for rectifiers apply to. */
#ifndef SAL_DIFF_RULES_RELU_LIKE_H
#define SAL_DIFF_RULES_RELU_LIKE_H

#include "diff/rules.h"

/* Relu, and Clip with lower bound 0 (ReLU6). */
static inline bool rule_is_rectifier(const sal_graph *g, const sal_node *n)
{
    if (strcmp(n->op->name, "Relu") == 0)
        return true;
    if (strcmp(n->op->name, "Clip") != 0)
        return false;
    sal_vid lo = sal_node_in(n, 1);
    const sal_tensor *t = lo == SAL_NONE ? NULL : sal_val(g, lo)->constant;
    return t != NULL && sal_tensor_count(t) == 1 && sal_tensor_get(t, 0) == 0.0;
}

#endif
