/* Eigen-Grad-CAM: the first principal component of g A, the layer's activations times their
 * gradient, position by position; sign as in eigen_cam.c. */
#include "explain/methods.h"
#include "explain/principal.h"

static sal_status eigen_grad_cam_build(sal_method_build *m)
{
    sal_builder *b = m->b;
    sal_vid a, g;

    sal_build_layer(m, &a, &g);
    sal_build_cam(m, sal_build_principal(m, sal_b2(b, "Mul", g, a)));
    return b->st;
}

const sal_method_desc sal_method_eigen_grad_cam = {
    .info = {.name = "eigen-grad-cam",
             .title = "Eigen-Grad-CAM",
             .reference = "EigenGradCAM of pytorch-grad-cam (Gildenblat, 2021)",
             .kind = SAL_METHOD_CAM,
             .exportable = true,
             .wants_layer = true},
    .build = eigen_grad_cam_build,
};
