/* The input gradient of a first convolution; used by conv_transpose.c. */
#ifndef SAL_EXEC_IMAGE_GRAD_H
#define SAL_EXEC_IMAGE_GRAD_H

#include "exec/plan.h"
#include "ops/core/window.h"

/* Lower a two-dimensional ConvTranspose with at most four output channels; *done stays false for
 * others. */
sal_status sal_lower_image_grad(sal_plan *p, const sal_node *n, const sal_window *w,
                                const sal_group *gr, bool *done, sal_error *err);

#endif
