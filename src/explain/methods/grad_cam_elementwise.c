/* Element-wise Grad-CAM: map_p = sum_k relu(g_kp A_kp), what each element of the layer adds to the
 * target to first order; what it takes away is left out element by element, not in the sum as in
 * HiResCAM. */
#include "explain/methods.h"

static sal_status grad_cam_elementwise_build(sal_method_build *m)
{
    static const int64_t channels = 1;
    sal_builder *b = m->b;
    sal_vid a, g;

    sal_build_layer(m, &a, &g);
    sal_vid positive = sal_b1(b, "Relu", sal_b2(b, "Mul", g, a));
    sal_build_cam(m, sal_b_reduce(b, "ReduceSum", positive, 1, &channels, false));
    return b->st;
}

const sal_method_desc sal_method_grad_cam_elementwise = {
    .info = {.name = "grad-cam-elementwise",
             .title = "Element-wise Grad-CAM",
             .reference = "GradCAMElementWise of pytorch-grad-cam (Gildenblat, 2021)",
             .kind = SAL_METHOD_CAM,
             .exportable = true,
             .wants_layer = true},
    .build = grad_cam_elementwise_build,
};
