/* Bilinear enlargement of maps, outside graphs. */
#ifndef SAL_EXPLAIN_ENLARGE_H
#define SAL_EXPLAIN_ENLARGE_H

#include "explain/explainer.h"

/* Where the elements of the large axis fall on the small one. */
typedef struct sal_enlarge_axis {
    int64_t n;
    int32_t *low;  /* [n] the cell before */
    int32_t *next; /* [n] the cell after; the same at the end */
    float *weight; /* [n] of the cell after */
} sal_enlarge_axis;

typedef struct sal_enlarge {
    sal_enlarge_axis y, x;
    int64_t height, width; /* of the small map */
    float *rows;           /* the small map, enlarged along x */
} sal_enlarge;

/* From h x w to height x width. align_corners: the outermost cells' centres fall on the outermost
 * pixels' centres; else half-pixel centres. *out: sal_enlarge_free(), also after failure. */
sal_status sal_enlarge_new(sal_enlarge *out, int64_t h, int64_t w, int64_t height, int64_t width,
                           bool align_corners, sal_error *err);
void sal_enlarge_free(sal_enlarge *e);
/* small: h x w; large: height x width. */
void sal_enlarge_map(sal_enlarge *e, const float *small, float *large);

/* Finish the CAM of sample s: map holds h x w of the layer before the final ReLU. Sets the sample's
 * part of the result's map and layer map. */
sal_status sal_cam_store(const sal_method_run *r, size_t s, const double *map);

#endif
