/* Weight tables of resampling and their application (resize.h). */
#include "ops/core/resize.h"

#include <math.h>

static sal_status resize_word(const sal_node *n, const char *attr, const char *fallback,
                              const char *const *words, int count, int *out, sal_error *err)
{
    const char *s = sal_node_str(n, attr, fallback);
    for (int i = 0; i < count; i++) {
        *out = i;
        if (strcmp(s, words[i]) == 0)
            return SAL_OK;
    }
    return sal_fail(err, SAL_EINVAL, "%s '%s' is not known", attr, s);
}

sal_status sal_resize_spec_read(const sal_node *n, sal_resize_spec *spec, sal_error *err)
{
    static const char *const modes[] = {"nearest", "linear", "cubic"};
    static const char *const coords[] = {
        "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners",
        "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize"};
    static const char *const rounds[] = {"round_prefer_floor", "round_prefer_ceil", "floor",
                                         "ceil"};
    int mode, coord, round;
    sal_status st;
    SAL_TRY(resize_word(n, "mode", "nearest", modes, 3, &mode, err));
    SAL_TRY(resize_word(n, "coordinate_transformation_mode", "half_pixel", coords, 7, &coord, err));
    SAL_TRY(resize_word(n, "nearest_mode", "round_prefer_floor", rounds, 4, &round, err));
    spec->mode = (sal_resize_mode)mode;
    spec->coord = (sal_resize_coord)coord;
    spec->round = (sal_resize_round)round;
    spec->exclude_outside = sal_node_int(n, "exclude_outside", 0) != 0;
    spec->antialias = sal_node_int(n, "antialias", 0) != 0 && spec->mode != SAL_RESIZE_NEAREST;
    spec->cubic_a = sal_node_float(n, "cubic_coeff_a", -0.75);
    spec->extrapolation = sal_node_float(n, "extrapolation_value", 0.0);
done:
    return st;
}

int sal_resize_spec_attrs(const sal_node *n, sal_attr *a, int cap)
{
    static const char *const names[] = {"mode",         "coordinate_transformation_mode",
                                        "nearest_mode", "exclude_outside",
                                        "antialias",    "cubic_coeff_a"};
    int count = 0;
    for (size_t i = 0; i < SAL_COUNTOF(names) && count < cap; i++) {
        const sal_attr *one = sal_node_attr(n, names[i]);
        if (one != NULL)
            a[count++] = *one;
    }
    return count;
}

/* ---- tables ---- */

/* Position in the input of output j. */
static double resize_position(const sal_resize_spec *spec, const sal_resize_axis *a, int64_t j)
{
    double x = (double)j, in = (double)a->in, out = (double)a->out;
    switch (spec->coord) {
    case SAL_RESIZE_ALIGN_CORNERS:
        return a->out == 1 ? 0.0 : x * (in - 1) / (out - 1);
    case SAL_RESIZE_ASYMMETRIC:
        return x / a->scale;
    case SAL_RESIZE_TF_HALF_PIXEL_FOR_NN:
        return (x + 0.5) / a->scale;
    case SAL_RESIZE_TF_CROP_AND_RESIZE:
        if (a->out == 1)
            return 0.5 * (a->roi[0] + a->roi[1]) * (in - 1);
        return a->roi[0] * (in - 1) + x * (a->roi[1] - a->roi[0]) * (in - 1) / (out - 1);
    case SAL_RESIZE_PYTORCH_HALF_PIXEL:
        return a->out == 1 ? 0.0 : (x + 0.5) / a->scale - 0.5;
    case SAL_RESIZE_HALF_PIXEL_SYMMETRIC:
        /* keeps the centre when scale * in is no integer */
        return in / 2 * (1 - out / (a->scale * in)) + (x + 0.5) / a->scale - 0.5;
    default:
        return (x + 0.5) / a->scale - 0.5;
    }
}

/* The same in single precision: the nearest element at a tie must be the one that other engines
 * take. */
static double resize_position_f32(const sal_resize_spec *spec, const sal_resize_axis *a, int64_t j)
{
    float x = (float)j, s = (float)a->scale, in = (float)a->in, out = (float)a->out;
    switch (spec->coord) {
    case SAL_RESIZE_ALIGN_CORNERS:
        return a->out == 1 ? 0.0 : (double)(x * (in - 1) / (out - 1));
    case SAL_RESIZE_ASYMMETRIC:
        return (double)(x / s);
    case SAL_RESIZE_HALF_PIXEL:
        return (double)((x + 0.5f) / s - 0.5f);
    case SAL_RESIZE_PYTORCH_HALF_PIXEL:
        return a->out == 1 ? 0.0 : (double)((x + 0.5f) / s - 0.5f);
    case SAL_RESIZE_HALF_PIXEL_SYMMETRIC:
        return (double)(in / 2 * (1 - out / (s * in)) + (x + 0.5f) / s - 0.5f);
    default:
        return resize_position(spec, a, j);
    }
}

static double resize_round(sal_resize_round round, double x)
{
    switch (round) {
    case SAL_RESIZE_ROUND_PREFER_CEIL:
        return floor(x + 0.5);
    case SAL_RESIZE_FLOOR:
        return floor(x);
    case SAL_RESIZE_CEIL:
        return ceil(x);
    default:
        return ceil(x - 0.5);
    }
}

/* Interpolation kernel at distance d. */
static double resize_kernel(const sal_resize_spec *spec, double d)
{
    double a = spec->cubic_a;
    d = fabs(d);
    if (spec->mode == SAL_RESIZE_LINEAR)
        return d < 1 ? 1 - d : 0;
    if (d <= 1)
        return ((a + 2) * d - (a + 3)) * d * d + 1;
    return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

/* Append an entry; entries of one row that meet at the edge are added up. */
static void resize_put(sal_resize_table *t, int64_t first, int64_t *n, int64_t index, double weight)
{
    for (int64_t k = first; k < *n; k++) {
        if (t->index[k] == index) {
            t->weight[k] += weight;
            return;
        }
    }
    t->index[*n] = index;
    t->weight[(*n)++] = weight;
}

static void resize_row(const sal_resize_spec *spec, double x, double scale, int64_t radius,
                       sal_resize_table *t, int64_t *n)
{
    int64_t first = *n, base = (int64_t)ceil(x) - 1; /* base < x <= base + 1 */
    double sum = 0;
    for (int64_t i = base - radius + 1; i <= base + radius; i++) {
        double w = resize_kernel(spec, ((double)i - x) * scale);
        bool outside = i < 0 || i >= t->in;
        if (w == 0.0 || (outside && spec->exclude_outside))
            continue;
        sum += w;
        resize_put(t, first, n, SAL_MIN(SAL_MAX(i, (int64_t)0), t->in - 1), w);
    }
    if (*n == first) /* everything was outside */
        resize_put(t, first, n, x < 0 ? 0 : t->in - 1, sum = 1);
    if (spec->exclude_outside || spec->antialias)
        for (int64_t k = first; k < *n; k++)
            t->weight[k] /= sum;
}

sal_status sal_resize_table_make(const sal_resize_spec *spec, const sal_resize_axis *axis,
                                 sal_resize_table *t, sal_error *err)
{
    /* Antialiasing widens the kernel when there are fewer outputs than inputs. */
    double scale = spec->antialias ? SAL_MIN(axis->scale, 1.0) : 1.0;
    int64_t radius = spec->mode == SAL_RESIZE_CUBIC ? 2 : 1, n = 0;
    size_t cells;
    *t = (sal_resize_table){.in = axis->in, .out = axis->out};
    if (axis->in < 1 || axis->out < 0 || !(axis->scale > 0))
        return sal_fail(err, SAL_ESHAPE, "axis %d of %lld elements cannot be resized by %g",
                        axis->axis, (long long)axis->in, axis->scale);
    if (spec->mode == SAL_RESIZE_NEAREST)
        radius = 1;
    else if (scale < 1)
        radius = (int64_t)SAL_MIN(ceil((double)radius / scale), (double)axis->in * 2 + 4);
    if (!sal_mul_ok((size_t)axis->out, (size_t)SAL_MIN(2 * radius, axis->in + 1), &cells))
        return sal_fail_nomem(err);
    t->row = sal_malloc(((size_t)axis->out + 1) * sizeof *t->row);
    t->index = sal_malloc((cells + 1) * sizeof *t->index);
    t->weight = sal_malloc((cells + 1) * sizeof *t->weight);
    t->outside = sal_calloc((size_t)axis->out + 1, sizeof *t->outside);
    if (t->row == NULL || t->index == NULL || t->weight == NULL || t->outside == NULL) {
        sal_resize_table_free(t);
        return sal_fail_nomem(err);
    }
    for (int64_t j = 0; j < axis->out; j++) {
        t->row[j] = n;
        double x = spec->mode == SAL_RESIZE_NEAREST ? resize_position_f32(spec, axis, j)
                                                    : resize_position(spec, axis, j);
        double last = (double)(axis->in - 1);
        if (spec->coord == SAL_RESIZE_TF_CROP_AND_RESIZE && !(x >= 0 && x <= last)) {
            t->outside[j] = true;
            continue;
        }
        x = SAL_MIN(SAL_MAX(x, -1e9), 1e9);
        if (spec->mode == SAL_RESIZE_NEAREST) {
            double r = resize_round(spec->round, x);
            resize_put(t, n, &n, (int64_t)SAL_MIN(SAL_MAX(r, 0.0), last), 1.0);
        } else {
            resize_row(spec, x, scale, radius, t, &n);
        }
    }
    t->row[axis->out] = n;
    return SAL_OK;
}

void sal_resize_table_free(sal_resize_table *t)
{
    sal_free(t->row);
    sal_free(t->index);
    sal_free(t->weight);
    sal_free(t->outside);
    *t = (sal_resize_table){0};
}

/* ---- application along one axis: x is [outer, n, inner] ---- */

#define RESIZE_LOOP(name, type)                                                                    \
    static void name(const sal_resize_table *t, bool adjoint, double fill, int64_t outer,          \
                     int64_t inner, const type *restrict x, type *restrict y)                      \
    {                                                                                              \
        int64_t nx = adjoint ? t->out : t->in, ny = adjoint ? t->in : t->out;                      \
        for (int64_t o = 0; o < outer; o++) {                                                      \
            const type *xo = x + o * nx * inner;                                                   \
            type *yo = y + o * ny * inner;                                                         \
            memset(yo, 0, (size_t)(ny * inner) * sizeof *yo);                                      \
            for (int64_t j = 0; j < t->out; j++) {                                                 \
                for (int64_t k = t->row[j]; k < t->row[j + 1]; k++) {                              \
                    const type *s = xo + (adjoint ? j : t->index[k]) * inner;                      \
                    type *d = yo + (adjoint ? t->index[k] : j) * inner, w = (type)t->weight[k];    \
                    for (int64_t i = 0; i < inner; i++)                                            \
                        d[i] += w * s[i];                                                          \
                }                                                                                  \
                for (int64_t i = 0; t->outside[j] && !adjoint && i < inner; i++)                   \
                    yo[j * inner + i] = (type)fill;                                                \
            }                                                                                      \
        }                                                                                          \
    }
RESIZE_LOOP(resize_axis_f32, float)
RESIZE_LOOP(resize_axis_f64, double)

/* Nearest, any element type: copies. */
static void resize_axis_copy(const sal_resize_table *t, size_t elem, const void *fill,
                             int64_t outer, int64_t inner, const char *x, char *y)
{
    size_t run = (size_t)inner * elem;
    for (int64_t o = 0; o < outer; o++) {
        const char *xo = x + (size_t)(o * t->in) * run;
        char *yo = y + (size_t)(o * t->out) * run;
        for (int64_t j = 0; j < t->out; j++) {
            if (t->outside[j])
                sal_move_fill(elem, yo + (size_t)j * run, inner, fill);
            else if (run == sizeof(float)) /* the usual single element, without a call */
                memcpy(yo + (size_t)j * sizeof(float),
                       xo + (size_t)t->index[t->row[j]] * sizeof(float), sizeof(float));
            else
                memcpy(yo + (size_t)j * run, xo + (size_t)t->index[t->row[j]] * run, run);
        }
    }
}

/* Shrinking axes first, from the outermost; then growing ones, from the innermost: little data
 * early, long runs late. */
static void resize_order(const sal_resize_plan *p, bool adjoint, int *order)
{
    int n = 0;
    for (int i = 0; i < p->n; i++)
        if ((p->axis[i].out < p->axis[i].in) != adjoint)
            order[n++] = i;
    for (int i = p->n - 1; i >= 0; i--)
        if ((p->axis[i].out < p->axis[i].in) == adjoint)
            order[n++] = i;
}

static sal_status resize_axes(const sal_resize_plan *p, bool adjoint, const sal_tensor *x,
                              sal_tensor *y, sal_error *err)
{
    sal_tensor cur = *x, next = SAL_TENSOR_INIT, fill = SAL_TENSOR_INIT;
    sal_resize_table t = {0};
    int order[SAL_MAX_RANK];
    sal_status st;
    cur.buffer = NULL; /* borrowed */
    SAL_TRY(sal_tensor_new(&fill, x->dtype, 0, NULL, err));
    sal_tensor_set(&fill, 0, p->spec.extrapolation);
    resize_order(p, adjoint, order);
    for (int i = 0; i < p->n; i++) {
        const sal_resize_axis *a = &p->axis[order[i]];
        int64_t dims[SAL_MAX_RANK];
        memcpy(dims, cur.dims, sizeof dims);
        dims[a->axis] = adjoint ? a->in : a->out;
        SAL_TRY(sal_tensor_new(&next, x->dtype, x->rank, dims, err));
        SAL_TRY(sal_resize_table_make(&p->spec, a, &t, err));
        int64_t outer = sal_move_count(dims, 0, a->axis),
                inner = sal_move_count(dims, a->axis + 1, x->rank);
        if (p->spec.mode == SAL_RESIZE_NEAREST && !adjoint)
            resize_axis_copy(&t, sal_dtype_size(x->dtype), fill.data, outer, inner, cur.data,
                             next.data);
        else if (x->dtype == SAL_F32)
            resize_axis_f32(&t, adjoint, p->spec.extrapolation, outer, inner, cur.data, next.data);
        else if (x->dtype == SAL_F64)
            resize_axis_f64(&t, adjoint, p->spec.extrapolation, outer, inner, cur.data, next.data);
        else
            SAL_TRY(sal_fail(err, SAL_EUNSUPPORTED, "resampling of %s", sal_dtype_name(x->dtype)));
        sal_resize_table_free(&t);
        sal_tensor_free(&cur);
        cur = next;
        next = (sal_tensor)SAL_TENSOR_INIT;
    }
    SAL_TRY(sal_move_all(y, &cur, err));
done:
    sal_resize_table_free(&t);
    sal_tensor_free(&cur);
    sal_tensor_free(&next);
    sal_tensor_free(&fill);
    return st;
}

/* Interpolated integers are computed in double and cut towards zero within the range of the type.
 */
static sal_status resize_integers(const sal_resize_plan *p, const sal_tensor *x, sal_tensor *y,
                                  sal_error *err)
{
    static const struct {
        sal_dtype dtype;
        double low, high;
    } ranges[] = {{SAL_U8, 0, 255},
                  {SAL_I8, -128, 127},
                  {SAL_U16, 0, 65535},
                  {SAL_I16, -32768, 32767},
                  {SAL_I32, -2147483648.0, 2147483647.0},
                  {SAL_U32, 0, 4294967295.0}};
    sal_tensor from = SAL_TENSOR_INIT, to = SAL_TENSOR_INIT;
    const double *v;
    double low = -9007199254740992.0, high = 9007199254740992.0;
    sal_status st;
    SAL_TRY(sal_tensor_cast(&from, x, SAL_F64, err));
    SAL_TRY(sal_tensor_new(&to, SAL_F64, y->rank, y->dims, err));
    SAL_TRY(resize_axes(p, false, &from, &to, err));
    for (size_t i = 0; i < SAL_COUNTOF(ranges); i++) {
        if (ranges[i].dtype == x->dtype) {
            low = ranges[i].low;
            high = ranges[i].high;
        }
    }
    v = to.data;
    for (int64_t i = 0; i < sal_tensor_count(y); i++)
        sal_tensor_set(y, i, trunc(SAL_MIN(SAL_MAX(v[i], low), high)));
done:
    sal_tensor_free(&from);
    sal_tensor_free(&to);
    return st;
}

sal_status sal_resize_apply(const sal_resize_plan *p, bool adjoint, const sal_tensor *x,
                            sal_tensor *y, sal_error *err)
{
    if (sal_tensor_count(y) == 0)
        return SAL_OK;
    if (!sal_dtype_is_float(x->dtype) && p->spec.mode != SAL_RESIZE_NEAREST && !adjoint && p->n > 0)
        return resize_integers(p, x, y, err);
    return resize_axes(p, adjoint, x, y, err);
}
