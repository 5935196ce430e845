/* Eigen-CAM: the layer's first principal component. With positions as rows of X = A - mean_p A and
 * v the unit vector of channels along which X varies most,
 *
 *     map = relu(s X v)
 *
 * The sign of v is arbitrary; s = 1 or -1 makes the larger extreme positive. Elsewhere it is
 * whatever the library of linear algebra returned, and the map may show everything but the object.
 * The question does not enter: the map says what stands out, not what for. */
#include "explain/methods.h"
#include "explain/principal.h"

static sal_status eigen_cam_build(sal_method_build *m)
{
    sal_builder *b = m->b;
    sal_vid a = sal_layer_grid(b, m->layer, m->layer->value);

    sal_build_cam(m, sal_build_principal(m, a));
    if (b->st == SAL_OK)
        b->st = sal_bytes_printf(m->notes, b->err, "%sthe map is the same for every question",
                                 m->notes->len > 0 ? "; " : "");
    return b->st;
}

const sal_method_desc sal_method_eigen_cam = {
    .info = {.name = "eigen-cam",
             .title = "Eigen-CAM",
             .reference = "Muhammad and Yeasin, 2020, arXiv:2008.00299",
             .kind = SAL_METHOD_CAM,
             .exportable = true,
             .wants_layer = true},
    .build = eigen_cam_build,
};
