/* Grad-CAM. With g = dT/dA of a layer A (channel k, position p):
 *
 *     w_k = mean_p g_kp,    map_p = relu(sum_k w_k A_kp) */
#include "explain/methods.h"

static sal_status grad_cam_build(sal_method_build *m)
{
    static const int64_t space[] = {2, 3}, channels = 1;
    sal_builder *b = m->b;
    sal_vid a, g;

    sal_build_layer(m, &a, &g);
    sal_vid w = sal_b_reduce(b, "ReduceMean", g, 2, space, true);
    sal_build_cam(m, sal_b_reduce(b, "ReduceSum", sal_b2(b, "Mul", w, a), 1, &channels, false));
    return b->st;
}

const sal_method_desc sal_method_grad_cam = {
    .info = {.name = "grad-cam",
             .title = "Grad-CAM",
             .reference = "Selvaraju et al., 2017, arXiv:1610.02391",
             .kind = SAL_METHOD_CAM,
             .exportable = true,
             .wants_layer = true},
    .build = grad_cam_build,
};
