/* KPCA-CAM: Eigen-CAM with kernel principal components. With rows x_p = A_p - mean_p A for the
 * positions and C channels,
 *
 *     K_pq = tanh(gamma x_p . x_q + 1),   gamma = 1/C unless given,
 *     map = relu(s sqrt(lambda) u),
 *
 * lambda and u the leading eigenvalue and eigenvector of K with its rows and columns centred; the
 * sign s as in eigen_cam.c. The question does not enter. */
#include "explain/methods.h"
#include "explain/principal.h"

enum { KPCA_GAMMA };

static const sal_param_info kpca_params[] = {
    {"gamma", SAL_PARAM_FLOAT, 0, 0, 1e6, "factor in the kernel; 0: one over the channels"},
};

static sal_status kpca_cam_build(sal_method_build *m)
{
    sal_builder *b = m->b;
    sal_vid a = sal_layer_grid(b, m->layer, m->layer->value);
    double gamma = m->params[KPCA_GAMMA];

    if (gamma == 0.0)
        gamma = 1.0 / (double)m->layer->channels;
    sal_build_cam(m, sal_build_kernel_principal(m, a, gamma));
    if (b->st == SAL_OK)
        b->st = sal_bytes_printf(m->notes, b->err, "%sthe map is the same for every question",
                                 m->notes->len > 0 ? "; " : "");
    return b->st;
}

const sal_method_desc sal_method_kpca_cam = {
    .info = {.name = "kpca-cam",
             .title = "KPCA-CAM",
             .reference = "Karmani et al., 2024, arXiv:2410.00267",
             .kind = SAL_METHOD_CAM,
             .exportable = true,
             .wants_layer = true,
             .n_params = SAL_COUNTOF(kpca_params),
             .params = kpca_params},
    .build = kpca_cam_build,
};
