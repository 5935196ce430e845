/* A dT/dA: the first-order share of each element of a layer A in the target. */
#include "explain/layer_map.h"
#include "explain/methods.h"

static sal_status layer_gradient_x_activation_build(sal_method_build *m)
{
    sal_vid g = sal_build_gradient(m, m->layer->value);

    sal_build_layer_values(m, sal_b2(m->b, "Mul", m->layer->value, g));
    return m->b->st;
}

const sal_method_desc sal_method_layer_gradient_x_activation = {
    .info = {.name = "layer-gradient-x-activation",
             .title = "Layer gradient x activation",
             .reference = "Shrikumar et al., 2016, arXiv:1605.01713",
             .kind = SAL_METHOD_CAM,
             .is_signed = true,
             .exportable = true,
             .wants_layer = true},
    .build = layer_gradient_x_activation_build,
    .any_layer = true,
};
