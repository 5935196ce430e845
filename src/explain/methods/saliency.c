/* |dT/dx|: how strongly the target changes with each input element. */
#include "explain/methods.h"

static sal_status saliency_build(sal_method_build *m)
{
    m->saliency = sal_b1(m->b, "Abs", sal_build_gradient(m, m->target->input));
    return m->b->st;
}

const sal_method_desc sal_method_saliency = {
    .info = {.name = "saliency",
             .title = "Absolute gradient",
             .reference = "Simonyan et al., 2013, arXiv:1312.6034",
             .kind = SAL_METHOD_ATTRIBUTION,
             .exportable = true},
    .build = saliency_build,
    .by_input = true,
};
