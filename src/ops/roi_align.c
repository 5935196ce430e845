/* RoiAlign: regions of x [N, C, H, W] resampled to output_height x output_width cells. A region
 * (x1, y1, x2, y2) of image batch_indices[r] is cut into cells, each of which reads x at a grid of
 * points, bilinearly, and takes their mean, or their largest corner times its weight (mode max).
 * sampling_ratio points along a side; 0: as many as elements that a cell spans, rounded up. */
#include "ops/core/gemm_ref.h"
#include "ops/core/sample.h"
#include "ops/upgrade.h"

#include <math.h>

enum { ROI_POINTS_MAX = 1 << 14 }; /* along a side of a cell, against absurd regions */

typedef struct roi {
    int64_t height, width, ratio;
    double scale, shift;
    bool max;
} roi;

static sal_status roi_read(const sal_node *n, roi *r, sal_error *err)
{
    const char *mode = sal_node_str(n, "mode", "avg");
    const char *where = sal_node_str(n, "coordinate_transformation_mode", "half_pixel");
    r->height = sal_node_int(n, "output_height", 1);
    r->width = sal_node_int(n, "output_width", 1);
    r->ratio = sal_node_int(n, "sampling_ratio", 0);
    r->scale = sal_node_float(n, "spatial_scale", 1.0);
    r->max = strcmp(mode, "max") == 0;
    r->shift = strcmp(where, "half_pixel") == 0 ? 0.5 : 0.0;
    if (r->height < 1 || r->width < 1 || r->height > 1 << 14 || r->width > 1 << 14 ||
        r->ratio < 0 || r->ratio > 1 << 10 || (!r->max && strcmp(mode, "avg") != 0) ||
        (r->shift == 0.0 && strcmp(where, "output_half_pixel") != 0))
        return sal_fail(err, SAL_EINVAL, "mode, sizes or sampling_ratio are not those of RoiAlign");
    return SAL_OK;
}

/* Before opset 16 the coordinates were not shifted by half an element. */
static sal_status roi_align_upgrade(sal_upgrade *u)
{
    return u->opset < 16
               ? sal_upgrade_set_str(u, "coordinate_transformation_mode", "output_half_pixel")
               : SAL_OK;
}

static sal_status roi_align_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0), *rois = sal_infer_in(c, 1);
    roi r;
    sal_status st = roi_read(c->node, &r, c->err);
    if (st != SAL_OK)
        return st;
    if ((x->rank >= 0 && x->rank != 4) || (rois->rank >= 0 && rois->rank != 2) ||
        (rois->rank == 2 && rois->dims[1] >= 0 && rois->dims[1] != 4))
        return sal_fail(c->err, SAL_ESHAPE, "inputs [N, C, H, W] and [regions, 4] are needed");
    if (x->rank < 0 || rois->rank < 0)
        return sal_infer_out(c, 0, x->dtype, -1, NULL);
    const int64_t dims[4] = {rois->dims[0], x->dims[1], r.height, r.width};
    return sal_infer_out(c, 0, x->dtype, 4, dims);
}

/* One axis of one region: where it begins, how long a cell is, points in a cell. */
typedef struct roi_side {
    double from, step;
    int64_t points;
} roi_side;

static sal_status roi_side_of(const roi *r, double lo, double hi, int64_t cells, roi_side *s,
                              sal_error *err)
{
    double span = (hi - lo) * r->scale;
    if (r->shift == 0.0)
        span = fmax(span, 1.0);
    s->from = lo * r->scale - r->shift;
    s->step = span / (double)cells;
    double points = r->ratio > 0 ? (double)r->ratio : ceil(s->step);
    if (!(points <= (double)ROI_POINTS_MAX))
        return sal_fail(err, SAL_EINVAL, "a region is too large or no number");
    s->points = points < 0.0 ? 0 : (int64_t)points;
    return SAL_OK;
}

/* The two elements that point p lies between, and the weight of the second; false outside. */
static bool roi_taps(double p, int64_t d, int64_t at[2], double *t)
{
    if (!(p >= -1.0 && p <= (double)d))
        return false;
    p = fmax(p, 0.0);
    at[0] = (int64_t)p;
    if (at[0] >= d - 1) {
        at[0] = at[1] = d - 1;
        *t = 0.0;
        return true;
    }
    at[1] = at[0] + 1;
    *t = p - (double)at[0];
    return true;
}

/* One cell (i, j) of one channel. */
static double roi_cell(const roi *r, const double *plane, int64_t h, int64_t w, const roi_side s[2],
                       int64_t i, int64_t j)
{
    double sum = 0.0, top = -(double)INFINITY;
    int64_t y[2], x[2];
    double ty, tx;
    for (int64_t a = 0; a < s[0].points; a++)
        for (int64_t c = 0; c < s[1].points; c++) {
            double py =
                s[0].from + ((double)i + ((double)a + 0.5) / (double)s[0].points) * s[0].step;
            double px =
                s[1].from + ((double)j + ((double)c + 0.5) / (double)s[1].points) * s[1].step;
            double v[4] = {0.0, 0.0, 0.0, 0.0};
            if (roi_taps(py, h, y, &ty) && roi_taps(px, w, x, &tx)) {
                v[0] = (1.0 - ty) * (1.0 - tx) * plane[y[0] * w + x[0]];
                v[1] = (1.0 - ty) * tx * plane[y[0] * w + x[1]];
                v[2] = ty * (1.0 - tx) * plane[y[1] * w + x[0]];
                v[3] = ty * tx * plane[y[1] * w + x[1]];
            }
            sum += v[0] + v[1] + v[2] + v[3];
            top = fmax(top, fmax(fmax(v[0], v[1]), fmax(v[2], v[3])));
        }
    int64_t points = s[0].points * s[1].points;
    return r->max ? (points > 0 ? top : 0.0) : sum / (double)SAL_MAX(points, 1);
}

static sal_status roi_align_eval(const sal_eval *e)
{
    const sal_tensor *x = e->in[0], *boxes = e->in[1], *images = e->in[2];
    int64_t h = x->dims[2], w = x->dims[3], channels = x->dims[1], count = boxes->dims[0];
    sal_ref rx = SAL_REF_INIT, ry = SAL_REF_INIT;
    roi r;
    sal_status st;
    SAL_TRY(roi_read(e->node, &r, e->err));
    if (sal_tensor_count(images) != count)
        return sal_fail(e->err, SAL_ESHAPE, "batch_indices must be as many as the regions");
    SAL_TRY(sal_ref_in(&rx, x, e->err));
    SAL_TRY(sal_ref_out(&ry, e->out[0], e->err));
    for (int64_t k = 0; k < count; k++) {
        roi_side s[2];
        double image = sal_tensor_get(images, k);
        if (!(image >= 0.0 && image < (double)x->dims[0]))
            SAL_TRY(sal_fail(e->err, SAL_EINVAL, "region %lld lies in image %g of %lld",
                             (long long)k, image, (long long)x->dims[0]));
        for (int a = 0; a < 2; a++) /* rows, columns */
            SAL_TRY(roi_side_of(&r, sal_tensor_get(boxes, 4 * k + 1 - a),
                                sal_tensor_get(boxes, 4 * k + 3 - a), a == 0 ? r.height : r.width,
                                &s[a], e->err));
        for (int64_t c = 0; c < channels && h > 0 && w > 0; c++) {
            const double *plane = rx.x + ((int64_t)image * channels + c) * h * w;
            double *y = ry.x + (k * channels + c) * r.height * r.width;
            for (int64_t i = 0; i < r.height * r.width; i++)
                y[i] = roi_cell(&r, plane, h, w, s, i / r.width, i % r.width);
        }
    }
    sal_ref_store(&ry);
done:
    sal_ref_free(&rx);
    sal_ref_free(&ry);
    return st;
}

/* Points along an axis for all regions, [regions, cells * ratio]: taps and weights. */
static void roi_points(sal_builder *b, const roi *r, sal_vid boxes, int column, int64_t cells,
                       int64_t d, sal_vid index[2], sal_vid weight[2])
{
    int64_t count = cells * r->ratio;
    sal_tensor t = SAL_TENSOR_INIT;
    if (b->st != SAL_OK)
        return;
    sal_dtype dtype = sal_val(b->g, boxes)->dtype;
    sal_vid lo = sal_b2(b, "Mul", sal_b_slice(b, boxes, 1, column, column + 1, 1),
                        sal_b_scalar(b, dtype, r->scale));
    sal_vid hi = sal_b2(b, "Mul", sal_b_slice(b, boxes, 1, column + 2, column + 3, 1),
                        sal_b_scalar(b, dtype, r->scale));
    sal_vid span = sal_b2(b, "Sub", hi, lo);
    if (r->shift == 0.0)
        span = sal_b2(b, "Max", span, sal_b_scalar(b, dtype, 1.0));
    if (b->st == SAL_OK)
        b->st = sal_tensor_new(&t, dtype, 1, &count, b->err);
    for (int64_t i = 0; b->st == SAL_OK && i < count; i++)
        sal_tensor_set(&t, i, ((double)i + 0.5) / (double)count);
    sal_vid part = b->st == SAL_OK ? sal_b_tensor(b, &t) : SAL_NONE;
    sal_tensor_free(&t);
    sal_vid p = sal_b2(b, "Add", sal_b2(b, "Sub", lo, sal_b_scalar(b, dtype, r->shift)),
                       sal_b2(b, "Mul", span, part));
    double last = (double)(d - 1);
    sal_vid in = sal_b2(b, "And", sal_b2(b, "GreaterOrEqual", p, sal_b_scalar(b, dtype, -1.0)),
                        sal_b2(b, "LessOrEqual", p, sal_b_scalar(b, dtype, (double)d)));
    sal_vid q = sal_b3(b, "Clip", p, sal_b_scalar(b, dtype, 0.0), sal_b_scalar(b, dtype, last));
    sal_vid i = sal_b1(b, "Floor", q), f = sal_b2(b, "Sub", q, i);
    sal_vid zero = sal_b_scalar(b, dtype, 0.0), one = sal_b_scalar(b, dtype, 1.0);
    sal_vid next = sal_b2(b, "Min", sal_b2(b, "Add", i, one), sal_b_scalar(b, dtype, last));
    index[0] = sal_b_cast(b, i, SAL_I64);
    index[1] = sal_b_cast(b, next, SAL_I64);
    weight[0] = sal_b3(b, "Where", in, sal_b2(b, "Sub", one, f), zero);
    weight[1] = sal_b3(b, "Where", in, f, zero);
}

/* For its derivative, and where the number of points is given: rows of channels are gathered. */
static sal_status roi_align_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    static const int64_t last[] = {0, 2, 3, 1}, first[] = {0, 3, 1, 2}, two = 2, three = 3;
    static const int64_t columns[] = {1, 2}, cells[] = {2, 4};
    sal_vid iy[2] = {SAL_NONE, SAL_NONE}, ix[2] = {SAL_NONE, SAL_NONE}, wy[2], wx[2];
    sal_vid sum = SAL_NONE, top = SAL_NONE;
    roi r;
    b->st = roi_read(n, &r, b->err);
    if (b->st != SAL_OK || !sal_sample_known(b, n->name, n->in[0], 1))
        return b->st;
    if (r.ratio == 0)
        return b->st = sal_fail(b->err, SAL_ENOGRAD,
                                "node %s: with sampling_ratio 0 the number of points depends on "
                                "the regions; export the model with a sampling_ratio above 0",
                                n->name);
    const sal_value *x = sal_val(b->g, n->in[0]);
    int64_t c = x->dims[1], h = x->dims[2], w = x->dims[3];
    const int64_t rows[2] = {sal_dim_mul(b->g, x->dims[0], h * w), c};
    sal_vid flat = sal_b_reshape(b, sal_b_transpose(b, n->in[0], last), 2, rows, n->in[0]);
    roi_points(b, &r, n->in[1], 1, r.height, h, iy, wy);
    roi_points(b, &r, n->in[1], 0, r.width, w, ix, wx);
    sal_vid image = sal_b_unsqueeze(b, sal_b_cast(b, n->in[2], SAL_I64), 2, columns);
    image = sal_b2(b, "Mul", image, sal_b_scalar(b, SAL_I64, (double)(h * w)));
    for (int k = 0; k < 4 && b->st == SAL_OK; k++) {
        static const int64_t row = 1;
        sal_vid at = sal_b2(b, "Mul", sal_b_unsqueeze(b, iy[k / 2], 1, &two),
                            sal_b_scalar(b, SAL_I64, (double)w));
        at = sal_b2(b, "Add", at, sal_b_unsqueeze(b, ix[k % 2], 1, &row));
        sal_vid weight = sal_b2(b, "Mul", sal_b_unsqueeze(b, wy[k / 2], 1, &two),
                                sal_b_unsqueeze(b, wx[k % 2], 1, &row));
        sal_vid v = sal_b2(b, "Gather", flat, sal_b2(b, "Add", at, image));
        v = sal_b2(b, "Mul", v, sal_b_unsqueeze(b, weight, 1, &three));
        sum = sal_b_add_opt(b, sum, v);
        top = top == SAL_NONE ? v : sal_b2(b, "Max", top, v);
    }
    if (b->st != SAL_OK)
        return b->st;
    int64_t regions = sal_val(b->g, n->in[1])->dims[0];
    const int64_t split[6] = {regions, r.height, r.ratio, r.width, r.ratio, c};
    sal_vid y = sal_b_reshape(b, r.max ? top : sum, 6, split, n->in[1]);
    y = sal_b_reduce(b, r.max ? "ReduceMax" : "ReduceMean", y, 2, cells, false);
    out[0] = b->st == SAL_OK ? sal_b_transpose(b, y, first) : SAL_NONE;
    return b->st;
}

static const char *const roi_align_cases[] = {
    "f32[2,3,6,5] f32[3,4]{0.5,0.3,3.7,4.2,1.1,0.2,4.4,5.3,-1.5,2.1,2.6,7.9} i64[3]{0,1,1} ; "
    "output_height=2 output_width=3 sampling_ratio=2 ; wrt=0",
    "f32[1,2,6,5] f32[2,4]{0.51,0.33,3.73,4.27,1.13,0.24,4.41,5.36} i64[2]{0,0} ; output_height=2 "
    "output_width=2 sampling_ratio=2 spatial_scale=0.8 "
    "coordinate_transformation_mode=\"output_half_pixel\" ; nofd2",
    "f32[1,2,6,5] f32[2,4]{0.51,0.33,3.73,4.27,1.13,0.24,4.41,5.36} i64[2]{0,0} ; output_height=2 "
    "output_width=2 sampling_ratio=3 mode=\"max\" ; wrt=0 nofd2",
    NULL,
};

const sal_op_desc sal_op_roi_align = {
    .name = "RoiAlign",
    .min_in = 3,
    .max_in = 3,
    .alike = 1 << 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_EVAL,
    .since = 16,
    .upgrade = roi_align_upgrade,
    .infer = roi_align_infer,
    .eval = roi_align_eval,
    .expand = roi_align_expand,
    .cases = roi_align_cases,
};
