/* Features: a partition of the explained input into parts that a method removes together. */
#ifndef SAL_EXPLAIN_REGIONS_H
#define SAL_EXPLAIN_REGIONS_H

#include "explain/explainer.h"

/* The parameters of methods that work on features, to stand first in their tables:
 *     static const sal_param_info my_params[] = {SAL_REGIONS_PARAMS(7, 0), ...};
 * grid and segments are the defaults; 0 segments: no superpixels. */
enum { SAL_REGIONS_GRID, SAL_REGIONS_SEGMENTS, SAL_REGIONS_BASELINE, SAL_REGIONS_N_PARAMS };
#define SAL_REGIONS_PARAMS(grid, segments)                                                         \
    {"grid", SAL_PARAM_INT, grid, 1, 4096, "cells along each axis; each cell is a feature"},       \
        {"segments", SAL_PARAM_INT, segments,                                                      \
         0,          65536,         "superpixels of a picture as features; 0: cells of the grid"}, \
    {                                                                                              \
        "baseline", SAL_PARAM_FLOAT, 0, -1e6, 1e6, "value of what is removed"                      \
    }

typedef struct sal_regions {
    sal_tensor x;   /* the sample, float32 */
    int32_t *label; /* by element of the sample */
    size_t elements, count;
    float baseline;
    const float *given; /* baseline of every element, from the caller; NULL: `baseline` for all */
} sal_regions;

/* The features of sample s: those of the caller's mask when there is one, else superpixels, else
 * the cells of a grid over the spatial axes, all channels together; of an input without spatial
 * axes each element. *out: sal_regions_free(), also after failure. */
sal_status sal_regions_make(sal_regions *out, const sal_method_run *r, size_t s);
void sal_regions_free(sal_regions *g);

/* What stands for element k when it is removed. */
float sal_regions_baseline(const sal_regions *g, size_t k);
/* x = the sample where keep[feature] is not 0, the baseline elsewhere. */
void sal_regions_mask(const sal_regions *g, const uint8_t *keep, float *x);
/* Write the features' values as the map of sample s. */
void sal_regions_store(const sal_regions *g, const sal_method_run *r, size_t s,
                       const double *values);

#endif
