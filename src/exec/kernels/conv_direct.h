/* Our own direct convolution; used by conv.c and conv_transpose.c. */
#ifndef SAL_EXEC_CONV_DIRECT_H
#define SAL_EXEC_CONV_DIRECT_H

#include "exec/epilogue.h"

/* A two-dimensional convolution without groups or dilation. pad is that at the beginning; what the
 * windows reach behind the end follows from the sizes. */
typedef struct sal_conv_direct {
    int64_t batch, in_channels, out_channels;
    int64_t in[2], out[2], kernel[2], stride[2], pad[2];
    sal_vid bias; /* a constant, or SAL_NONE */
} sal_conv_direct;

/* True when the kernel covers the problem and is expected to be faster than oneDNN. */
bool sal_conv_direct_fits(const sal_plan *p, const sal_conv_direct *c, const sal_group *gr);
/* The form of the weights [out_channels, in_channels, kernel...] that it reads. */
sal_status sal_conv_direct_weights(const sal_conv_direct *c, dnnl_memory_desc_t *out,
                                   sal_error *err);
/* Add the step: x convolved with the prepared weights, then gr's epilogue. */
sal_status sal_conv_direct_step(sal_plan *p, const char *kernel, const sal_node *n,
                                const sal_group *gr, const sal_conv_direct *c, sal_vid x,
                                sal_pid weights, sal_error *err);

#endif
