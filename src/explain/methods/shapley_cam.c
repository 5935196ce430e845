/* ShapleyCAM: Grad-CAM whose gradient is corrected to second order. With g = dT/dA and H = d2T/dA2,
 *
 *     w_k = mean_p (g - H A / 2)_kp,    map_p = relu(sum_k w_k A_kp)
 *
 * g - H A / 2 is the gradient of the utility's second-order expansion halfway between A and 0. The
 * head's own second derivatives enter: where it is piecewise linear, H is zero and the map is
 * Grad-CAM's. */
#include "explain/methods.h"

static sal_status shapley_cam_build(sal_method_build *m)
{
    static const int64_t space[] = {2, 3}, channels = 1;
    sal_builder *b = m->b;
    sal_vid layer = m->layer->value, product = SAL_NONE;
    sal_vid g = sal_build_gradient(m, layer);

    if (b->st == SAL_OK)
        b->st = sal_differentiate(b->g, 1, &g, &layer, 1, &layer, NULL, &product, b->err);
    sal_vid half = sal_b2(b, "Mul", product, sal_b_like(b, layer, 0.5));
    sal_vid corrected = sal_layer_grid(b, m->layer, sal_b2(b, "Sub", g, half));
    sal_vid a = sal_layer_grid(b, m->layer, layer);
    sal_vid w = sal_b_reduce(b, "ReduceMean", corrected, 2, space, true);
    sal_build_cam(m, sal_b_reduce(b, "ReduceSum", sal_b2(b, "Mul", w, a), 1, &channels, false));
    return b->st;
}

const sal_method_desc sal_method_shapley_cam = {
    .info = {.name = "shapley-cam",
             .title = "ShapleyCAM",
             .reference = "Cai, 2025, arXiv:2501.06261",
             .kind = SAL_METHOD_CAM,
             .exportable = true,
             .wants_layer = true},
    .build = shapley_cam_build,
};
