/* Reference convolution, its two derivatives, and the graph nodes that compute them. */
#ifndef SAL_OPS_CORE_CONV_REF_H
#define SAL_OPS_CORE_CONV_REF_H

#include "ops/builder.h"
#include "ops/core/gemm_ref.h"
#include "ops/core/window.h"

/* The "image" has groups * image_ch channels of size win.in, the "map" groups * map_ch channels of
 * size win.out; weights are [groups * map_ch, image_ch, kernel ...]. A convolution maps image to
 * map, a transposed convolution map to image. */
typedef struct sal_conv_ref {
    sal_window win; /* lifted to three axes */
    int64_t batch, groups, image_ch, map_ch;
} sal_conv_ref;

/* From the shapes of image, map and weights; win is a forward window whose out is the map's size.
 */
sal_conv_ref sal_conv_ref_make(const sal_window *win, int64_t batch, int64_t groups,
                               const int64_t *w_dims);
/* map += weights * image; the map is zeroed or holds the bias. */
sal_status sal_conv_ref_forward(const sal_conv_ref *c, const double *image, const double *weights,
                                double *map, sal_error *err);
/* image += adjoint of the above applied to map. */
sal_status sal_conv_ref_data(const sal_conv_ref *c, const double *map, const double *weights,
                             double *image, sal_error *err);
/* weights += derivative of <map, conv(image)> with respect to the weights. */
sal_status sal_conv_ref_weights(const sal_conv_ref *c, const double *image, const double *map,
                                double *weights, sal_error *err);
/* Set every channel of y [batch, channels, size] to its bias. */
void sal_conv_ref_bias(double *y, const double *bias, int64_t batch, int64_t channels,
                       int64_t size);

/* A transposed window seen as the forward window that it is the adjoint of. */
sal_window sal_conv_adjoint(const sal_window *transposed);

/* Nodes. win: forward window with known in (image) and out (map) sizes. */
sal_vid sal_conv_build_forward(sal_builder *b, sal_vid image, sal_vid weights,
                               const sal_window *win, int64_t groups);
sal_vid sal_conv_build_data(sal_builder *b, sal_vid map, sal_vid weights, const sal_window *win,
                            int64_t groups);
sal_vid sal_conv_build_weights(sal_builder *b, sal_vid image, sal_vid map, const sal_window *win,
                               int64_t groups);

#endif
