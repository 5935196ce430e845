/* x dT/dx: the first-order share of each input element in the target. */
#include "explain/methods.h"

static sal_status gradient_x_input_build(sal_method_build *m)
{
    m->saliency = sal_b2(m->b, "Mul", m->target->input, sal_build_gradient(m, m->target->input));
    return m->b->st;
}

const sal_method_desc sal_method_gradient_x_input = {
    .info = {.name = "gradient-x-input",
             .title = "Gradient x input",
             .reference = "Shrikumar et al., 2016, arXiv:1605.01713",
             .kind = SAL_METHOD_ATTRIBUTION,
             .is_signed = true,
             .exportable = true,
             .aliases = "input-x-gradient"},
    .build = gradient_x_input_build,
    .by_input = true,
};
