/* Guided backpropagation (Springenberg et al., 2015): at a rectifier y = relu(x) only positive
 * gradients of positive activations pass, gx = gy [y > 0] [gy > 0]. */
#include "diff/rules/relu_like.h"
#include "ops/builder.h"

static sal_status guided_rectifier(sal_vjp *v, const sal_rules *rules)
{
    sal_vid positive;
    sal_vjp inner = *v;

    (void)rules;
    if (!rule_is_rectifier(v->b->g, v->node))
        return sal_rule_plain(v);
    positive = sal_b1(v->b, "Relu", v->gout[0]);
    inner.gout = &positive;
    return v->b->st != SAL_OK ? v->b->st : sal_rule_plain(&inner);
}

static const sal_rule_override guided_overrides[] = {
    {"Relu", guided_rectifier},
    {"Clip", guided_rectifier},
    {NULL, NULL},
};

const sal_rules_desc sal_rules_guided = {
    .name = "guided",
    .help = "rectifiers pass only positive gradients of positive activations",
    .overrides = guided_overrides,
};
