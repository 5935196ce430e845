/* Superpixels: patches of similar colour, by simple linear iterative clustering. */
#ifndef SAL_EXPLAIN_SLIC_H
#define SAL_EXPLAIN_SLIC_H

#include "base/base.h"

typedef struct sal_slic_opts {
    int64_t segments;   /* wanted; the result has about as many */
    double compactness; /* weight of distance against colour: larger is squarer; 10 is usual */
    int iterations;
} sal_slic_opts;

#define SAL_SLIC_OPTS_INIT                                                                         \
    {                                                                                              \
        50, 10.0, 10                                                                               \
    }

/* pixels: [channels, height, width]; of three channels, taken for red, green and blue in 0..1,
 * CIELAB makes the colours, else 100 times the values do. labels: [height, width], receives 0 ..
 * *count - 1, each label one connected patch. */
sal_status sal_slic(const float *pixels, int64_t channels, int64_t height, int64_t width,
                    const sal_slic_opts *opts, int32_t *labels, size_t *count, sal_error *err);

#endif
