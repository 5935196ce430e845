/* Grad-CAM++. With g = dT/dA and S_k = sum_p A_kp:
 *
 *     alpha_kp = g^2 / (2 g^2 + S_k g^3 + 1e-6)
 *     w_k = sum_p alpha_kp relu(g_kp)
 *     map = relu(sum_k w_k A_k)
 *
 * The factor exp(T) of the paper's derivation is common to all positions and left out. */
#include "explain/methods.h"

static sal_status grad_cam_plus_plus_build(sal_method_build *m)
{
    static const int64_t space[] = {2, 3}, channels = 1;
    sal_builder *b = m->b;
    sal_vid a, g;

    sal_build_layer(m, &a, &g);
    sal_vid g2 = sal_b2(b, "Mul", g, g), g3 = sal_b2(b, "Mul", g2, g);
    sal_vid sum = sal_b_reduce(b, "ReduceSum", a, 2, space, true);
    sal_vid below =
        sal_b2(b, "Add", sal_b2(b, "Mul", g2, sal_b_like(b, g, 2.0)), sal_b2(b, "Mul", sum, g3));
    sal_vid alpha = sal_b2(b, "Div", g2, sal_b2(b, "Add", below, sal_b_like(b, g, 1e-6)));
    sal_vid w =
        sal_b_reduce(b, "ReduceSum", sal_b2(b, "Mul", alpha, sal_b1(b, "Relu", g)), 2, space, true);
    sal_build_cam(m, sal_b_reduce(b, "ReduceSum", sal_b2(b, "Mul", w, a), 1, &channels, false));
    return b->st;
}

const sal_method_desc sal_method_grad_cam_plus_plus = {
    .info = {.name = "grad-cam++",
             .title = "Grad-CAM++",
             .reference = "Chattopadhyay et al., 2018, arXiv:1710.11063",
             .kind = SAL_METHOD_CAM,
             .exportable = true,
             .wants_layer = true},
    .build = grad_cam_plus_plus_build,
};
