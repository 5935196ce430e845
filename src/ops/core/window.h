/* Geometry of convolutions and pooling: which input elements a window at each output position
 * reads. */
#ifndef SAL_OPS_CORE_WINDOW_H
#define SAL_OPS_CORE_WINDOW_H

#include "graph/op.h"

#define SAL_WINDOW_AXES 3

typedef enum sal_auto_pad {
    SAL_PAD_NOTSET,
    SAL_PAD_VALID,
    SAL_PAD_SAME_UPPER,
    SAL_PAD_SAME_LOWER
} sal_auto_pad;

/* Position o of axis i reads the elements o * strides - pads_begin + k * dilations, 0 <= k <
 * kernel.
 *
 * Forward (convolution, pooling): `in` is read, `out` counts positions. Transposed: the positions
 * are the `in` elements and `out` is what the windows write to, out_pad elements longer than they
 * reach after cropping by the pads. Sizes below 0 are unknown (symbols); so are pads that depend on
 * them.
 *
 * With ceil_mode the last window may reach beyond in + pads_end: (out - 1) * strides + span -
 * pads_begin - in is the end padding that a library without ceil_mode needs. */
typedef struct sal_window {
    int n; /* spatial axes, 1..SAL_WINDOW_AXES */
    int64_t kernel[SAL_WINDOW_AXES], strides[SAL_WINDOW_AXES], dilations[SAL_WINDOW_AXES];
    int64_t pads_begin[SAL_WINDOW_AXES], pads_end[SAL_WINDOW_AXES], out_pad[SAL_WINDOW_AXES];
    int64_t in[SAL_WINDOW_AXES], out[SAL_WINDOW_AXES];
    sal_auto_pad auto_pad; /* as the node says; the pads above are resolved */
    bool ceil_mode;
} sal_window;

/* Read kernel_shape, strides, dilations, pads, auto_pad, ceil_mode and, when transposed,
 * output_padding and output_shape. x_dims is the whole shape (batch, channels, spatial ...) of the
 * input; w_dims that of the weights, NULL for pooling. Errors: SAL_EINVAL (attributes), SAL_ESHAPE,
 * SAL_EUNSUPPORTED (spatial axes). */
sal_status sal_window_from_node(sal_window *w, const sal_node *node, int rank,
                                const int64_t *x_dims, const int64_t *w_dims, bool transposed,
                                sal_error *err);
/* Elements from the first to the last one a window touches: (kernel - 1) * dilation + 1. */
int64_t sal_window_span(const sal_window *w, int axis);
/* Output dimension of an axis whose input dimension may be a symbol. */
int64_t sal_window_out_dim(const sal_window *w, sal_graph *g, int axis, int64_t in_dim,
                           bool transposed);
/* The same window with three axes: leading axes of length 1 are added. */
sal_window sal_window_lift(const sal_window *w);
/* kernel_shape, strides, dilations and pads as attributes; they borrow from w and pads. Returns the
 * count. */
#define SAL_WINDOW_ATTRS 4
int sal_window_attrs(const sal_window *w, int64_t pads[2 * SAL_WINDOW_AXES], sal_attr *attr);
/* SAL_ESHAPE naming the node unless all spatial dimensions of v are known. */
sal_status sal_window_need_static(const sal_graph *g, const sal_node *node, sal_vid v,
                                  sal_error *err);

#endif
