/* Integrated gradients of one element A_j of a layer, in place of the target:
 *
 *     map = (x - b) mean_k dA_j/dx at b + a_k (x - b);    sum(map) = A_j(x) - A_j(b) */
#include "explain/layer_map.h"
#include "explain/methods.h"
#include "explain/path.h"

static const sal_param_info neuron_integrated_gradients_params[] = {
    SAL_NEURON_PARAM,
    SAL_PATH_STEPS,
    SAL_PATH_BASELINE,
};

static sal_status neuron_integrated_gradients_build(sal_method_build *m)
{
    m->saliency = sal_build_layer_pullback(m, sal_build_neuron(m));
    return m->b->st;
}

const sal_method_desc sal_method_neuron_integrated_gradients = {
    .info = {.name = "neuron-integrated-gradients",
             .title = "Neuron integrated gradients",
             .reference = "Sundararajan et al., 2017, arXiv:1703.01365",
             .kind = SAL_METHOD_ATTRIBUTION,
             .is_signed = true,
             .exportable = false,
             .wants_layer = true,
             .n_params = SAL_COUNTOF(neuron_integrated_gradients_params),
             .params = neuron_integrated_gradients_params},
    .build = neuron_integrated_gradients_build,
    .run = sal_path_attribution,
    .any_layer = true,
};
