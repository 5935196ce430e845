/* XGrad-CAM. With g = dT/dA of a layer A (channel k, position p) and S_k = sum_p A_kp:
 *
 *     w_k = sum_p g_kp A_kp / S_k,    map_p = relu(sum_k w_k A_kp)
 *
 * A channel whose activations sum to zero has no such weight. The published form adds 1e-7 to S_k,
 * which keeps an empty channel at weight 0 and leaves the others as they are; a sum that cancels
 * to less than that is no average of anything and is left out likewise. */
#include "explain/methods.h"

static sal_status xgrad_cam_build(sal_method_build *m)
{
    static const int64_t space[] = {2, 3}, channels = 1;
    sal_builder *b = m->b;
    sal_vid a, g;

    sal_build_layer(m, &a, &g);
    sal_vid whole = sal_b_reduce(b, "ReduceSum", a, 2, space, true);
    sal_vid part = sal_b_reduce(b, "ReduceSum", sal_b2(b, "Mul", g, a), 2, space, true);
    sal_vid usable = sal_b2(b, "Greater", sal_b1(b, "Abs", whole), sal_b_like(b, a, 1e-7));
    sal_vid divisor = sal_b3(b, "Where", usable, whole, sal_b_like(b, a, 1.0));
    sal_vid w = sal_b3(b, "Where", usable, sal_b2(b, "Div", part, divisor), sal_b_like(b, a, 0.0));
    sal_build_cam(m, sal_b_reduce(b, "ReduceSum", sal_b2(b, "Mul", w, a), 1, &channels, false));
    return b->st;
}

const sal_method_desc sal_method_xgrad_cam = {
    .info = {.name = "xgrad-cam",
             .title = "XGrad-CAM",
             .reference = "Fu et al., 2020, arXiv:2008.02312",
             .kind = SAL_METHOD_CAM,
             .exportable = true,
             .wants_layer = true},
    .build = xgrad_cam_build,
};
