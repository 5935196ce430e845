/* Deconvnet (Zeiler and Fergus, 2014): a rectifier rectifies the gradient instead, gx = relu(gy),
 * whatever the sign of its input was. */
#include "diff/rules/relu_like.h"
#include "ops/builder.h"

static sal_status deconvnet_rectifier(sal_vjp *v, const sal_rules *rules)
{
    (void)rules;
    if (!rule_is_rectifier(v->b->g, v->node))
        return sal_rule_plain(v);
    v->gin[0] = sal_b1(v->b, "Relu", v->gout[0]);
    return v->b->st;
}

static const sal_rule_override deconvnet_overrides[] = {
    {"Relu", deconvnet_rectifier},
    {"Clip", deconvnet_rectifier},
    {NULL, NULL},
};

const sal_rules_desc sal_rules_deconvnet = {
    .name = "deconvnet",
    .help = "rectifiers rectify the gradient itself",
    .overrides = deconvnet_overrides,
};
