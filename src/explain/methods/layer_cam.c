/* LayerCAM: map_p = relu(sum_k relu(g_kp) A_kp). */
#include "explain/methods.h"

static sal_status layer_cam_build(sal_method_build *m)
{
    static const int64_t channels = 1;
    sal_builder *b = m->b;
    sal_vid a, g;

    sal_build_layer(m, &a, &g);
    sal_vid weighted = sal_b2(b, "Mul", sal_b1(b, "Relu", g), a);
    sal_build_cam(m, sal_b_reduce(b, "ReduceSum", weighted, 1, &channels, false));
    return b->st;
}

const sal_method_desc sal_method_layer_cam = {
    .info = {.name = "layer-cam",
             .title = "LayerCAM",
             .reference = "Jiang et al., 2021, doi:10.1109/TIP.2021.3089943",
             .kind = SAL_METHOD_CAM,
             .exportable = true,
             .wants_layer = true},
    .build = layer_cam_build,
};
