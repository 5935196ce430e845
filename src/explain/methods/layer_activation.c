/* The layer itself. */
#include "explain/layer_map.h"
#include "explain/methods.h"

static sal_status layer_activation_build(sal_method_build *m)
{
    sal_build_layer_values(m, m->layer->value);
    return m->b->st;
}

const sal_method_desc sal_method_layer_activation = {
    .info = {.name = "layer-activation",
             .title = "Layer activation",
             .reference = "Erhan et al., 2009, University of Montreal 1341",
             .kind = SAL_METHOD_CAM,
             .is_signed = true,
             .exportable = true,
             .wants_layer = true},
    .build = layer_activation_build,
    .any_layer = true,
};
