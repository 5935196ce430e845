/* Conductance by way of one element A_j of a layer: integrated gradients of those paths that lead
 * through it,
 *
 *     map = (x - b) mean_k dT/dA_j dA_j/dx at b + a_k (x - b) */
#include "explain/layer_map.h"
#include "explain/methods.h"
#include "explain/path.h"

static const sal_param_info neuron_conductance_params[] = {
    SAL_NEURON_PARAM,
    SAL_PATH_STEPS,
    SAL_PATH_BASELINE,
};

static sal_status neuron_conductance_build(sal_method_build *m)
{
    sal_vid g = sal_build_gradient(m, m->layer->value);

    m->saliency = sal_build_layer_pullback(m, sal_b2(m->b, "Mul", sal_build_neuron(m), g));
    return m->b->st;
}

const sal_method_desc sal_method_neuron_conductance = {
    .info = {.name = "neuron-conductance",
             .title = "Neuron conductance",
             .reference = "Dhamdhere et al., 2018, arXiv:1805.12233",
             .kind = SAL_METHOD_ATTRIBUTION,
             .is_signed = true,
             .exportable = false,
             .wants_layer = true,
             .n_params = SAL_COUNTOF(neuron_conductance_params),
             .params = neuron_conductance_params},
    .build = neuron_conductance_build,
    .run = sal_path_attribution,
    .any_layer = true,
};
