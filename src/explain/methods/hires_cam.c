/* HiResCAM: map_p = relu(sum_k g_kp A_kp), the gradient weighs each position by itself. */
#include "explain/methods.h"

static sal_status hires_cam_build(sal_method_build *m)
{
    static const int64_t channels = 1;
    sal_builder *b = m->b;
    sal_vid a, g;

    sal_build_layer(m, &a, &g);
    sal_build_cam(m, sal_b_reduce(b, "ReduceSum", sal_b2(b, "Mul", g, a), 1, &channels, false));
    return b->st;
}

const sal_method_desc sal_method_hires_cam = {
    .info = {.name = "hires-cam",
             .title = "HiResCAM",
             .reference = "Draelos and Carin, 2020, arXiv:2011.08891",
             .kind = SAL_METHOD_CAM,
             .exportable = true,
             .wants_layer = true},
    .build = hires_cam_build,
};
