/* Guided backpropagation: rectifiers pass only positive gradients of positive activations. */
#include "explain/methods.h"

static sal_status guided_backprop_build(sal_method_build *m)
{
    sal_build_note_rectifiers(m);
    m->saliency = sal_build_gradient(m, m->target->input);
    return m->b->st;
}

const sal_method_desc sal_method_guided_backprop = {
    .info = {.name = "guided-backprop",
             .title = "Guided backpropagation",
             .reference = "Springenberg et al., 2015, arXiv:1412.6806",
             .kind = SAL_METHOD_ATTRIBUTION,
             .is_signed = true,
             .exportable = true,
             .aliases = "guided-backpropagation guided-bp"},
    .rules = "guided",
    .build = guided_backprop_build,
};
