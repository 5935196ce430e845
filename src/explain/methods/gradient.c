/* dT/dx: how the target changes with each input element. */
#include "explain/methods.h"

static sal_status gradient_build(sal_method_build *m)
{
    m->saliency = sal_build_gradient(m, m->target->input);
    return m->b->st;
}

const sal_method_desc sal_method_gradient = {
    .info = {.name = "gradient",
             .title = "Gradient",
             .reference = "Simonyan et al., 2013, arXiv:1312.6034",
             .kind = SAL_METHOD_ATTRIBUTION,
             .is_signed = true,
             .exportable = true,
             .aliases = "vanilla-gradient"},
    .build = gradient_build,
    .by_input = true,
};
