/* dA_j/dx of one element A_j of a layer; the question plays no part. */
#include "explain/layer_map.h"
#include "explain/methods.h"

static const sal_param_info neuron_gradient_params[] = {
    SAL_NEURON_PARAM,
};

static sal_status neuron_gradient_build(sal_method_build *m)
{
    m->saliency = sal_build_layer_pullback(m, sal_build_neuron(m));
    return m->b->st;
}

const sal_method_desc sal_method_neuron_gradient = {
    .info = {.name = "neuron-gradient",
             .title = "Neuron gradient",
             .reference = "Simonyan et al., 2013, arXiv:1312.6034",
             .kind = SAL_METHOD_ATTRIBUTION,
             .is_signed = true,
             .exportable = true,
             .wants_layer = true,
             .n_params = SAL_COUNTOF(neuron_gradient_params),
             .params = neuron_gradient_params},
    .build = neuron_gradient_build,
    .any_layer = true,
};
