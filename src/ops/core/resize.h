/* Resampling along axes as sparse linear maps, for Resize and its adjoint.
 *
 * Every mode is separable: along one axis output j is a weighted sum of a few inputs. The weights
 * of an axis are a table of rows; the adjoint uses the same table with rows and columns exchanged.
 */
#ifndef SAL_OPS_RESIZE_H
#define SAL_OPS_RESIZE_H

#include "ops/core/move.h"

typedef enum sal_resize_mode {
    SAL_RESIZE_NEAREST,
    SAL_RESIZE_LINEAR,
    SAL_RESIZE_CUBIC
} sal_resize_mode;
typedef enum sal_resize_coord {
    SAL_RESIZE_HALF_PIXEL,
    SAL_RESIZE_HALF_PIXEL_SYMMETRIC,
    SAL_RESIZE_PYTORCH_HALF_PIXEL,
    SAL_RESIZE_ALIGN_CORNERS,
    SAL_RESIZE_ASYMMETRIC,
    SAL_RESIZE_TF_HALF_PIXEL_FOR_NN,
    SAL_RESIZE_TF_CROP_AND_RESIZE
} sal_resize_coord;
typedef enum sal_resize_round {
    SAL_RESIZE_ROUND_PREFER_FLOOR,
    SAL_RESIZE_ROUND_PREFER_CEIL,
    SAL_RESIZE_FLOOR,
    SAL_RESIZE_CEIL
} sal_resize_round;

/* The attributes. */
typedef struct sal_resize_spec {
    sal_resize_mode mode;
    sal_resize_coord coord;
    sal_resize_round round;
    bool exclude_outside, antialias;
    double cubic_a, extrapolation;
} sal_resize_spec;

/* One axis that changes. */
typedef struct sal_resize_axis {
    int axis;
    int64_t in, out;
    double scale;
    double roi[2]; /* start and end in units of the axis, for tf_crop_and_resize */
} sal_resize_axis;

typedef struct sal_resize_plan {
    sal_resize_spec spec;
    int n;
    sal_resize_axis axis[SAL_MAX_RANK];
} sal_resize_plan;

/* Row j holds the entries row[j]..row[j+1]-1. A row outside the picture is empty, and `outside` of
 * it is set. */
typedef struct sal_resize_table {
    int64_t in, out;
    int64_t *row, *index;
    double *weight;
    bool *outside;
} sal_resize_table;

/* The linear map of a Resize node. in: x (its shape is read), roi, scales, sizes; the last three
 * may be NULL. Defined with the operator (ops/resize.c). */
sal_status sal_resize_plan_of(const sal_node *n, const sal_tensor *const in[4], sal_resize_plan *p,
                              sal_error *err);
sal_status sal_resize_spec_read(const sal_node *n, sal_resize_spec *spec, sal_error *err);
/* Copy the attributes that the linear map depends on; returns their number. */
int sal_resize_spec_attrs(const sal_node *n, sal_attr *a, int cap);
sal_status sal_resize_table_make(const sal_resize_spec *spec, const sal_resize_axis *axis,
                                 sal_resize_table *t, sal_error *err);
void sal_resize_table_free(sal_resize_table *t);
/* y = map(x), or y = map^T(x) when adjoint (floats only). Output elements outside the picture get
 * spec.extrapolation (forward). */
sal_status sal_resize_apply(const sal_resize_plan *p, bool adjoint, const sal_tensor *x,
                            sal_tensor *y, sal_error *err);

#endif
