/* Features of an input (regions.h). */
#include "explain/regions.h"
#include "explain/baselines.h"
#include "explain/explainer_private.h"
#include "explain/slic.h"

#include <math.h>

typedef struct regions_shape {
    int axes;             /* spatial */
    int64_t outer, inner; /* channels before and after them */
    int64_t length[SAL_MAX_RANK];
    int64_t positions; /* product of the lengths */
} regions_shape;

static void regions_shape_find(const sal_method_run *r, const sal_tensor *x, regions_shape *g)
{
    const sal_target *t = sal_explainer_target(r->e);
    int first = t->batched || (x->rank == 4 && x->dims[0] == 1) ? 1 : 0, n = x->rank - first;
    const int64_t *d = x->dims + first;
    bool channels = n > 1;

    *g = (regions_shape){.axes = channels ? n - 1 : n, .outer = 1, .inner = 1, .positions = 1};
    if (channels && t->nhwc)
        g->inner = d[n - 1];
    else if (channels)
        g->outer = d[0];
    for (int i = 0; i < g->axes; i++) {
        g->length[i] = d[channels && !t->nhwc ? i + 1 : i];
        g->positions *= g->length[i];
    }
}

/* Cell of a position: axis i is cut into min(cells, length) parts of nearly equal length. */
static int64_t regions_cell(const regions_shape *g, int64_t cells, int64_t p)
{
    int64_t cell = 0, scale = 1;

    for (int i = g->axes; i-- > 0;) {
        int64_t n = SAL_MIN(cells, g->length[i]);

        cell += p % g->length[i] * n / g->length[i] * scale;
        p /= g->length[i];
        scale *= n;
    }
    return cell;
}

static sal_status regions_grid(sal_regions *out, const regions_shape *g, int64_t cells,
                               sal_error *err)
{
    size_t count = 1;

    if (g->axes == 1 && g->outer == 1 && g->inner == 1)
        cells = g->length[0];
    for (int i = 0; i < g->axes; i++) {
        if (!sal_mul_ok(count, (size_t)SAL_MIN(cells, g->length[i]), &count) || count > INT32_MAX)
            return sal_fail(err, SAL_EINVAL, "a grid of %lld cells along each axis has too many",
                            (long long)cells);
    }
    out->count = count;
    for (size_t k = 0; k < out->elements; k++)
        out->label[k] =
            (int32_t)regions_cell(g, cells, (int64_t)(k / (size_t)g->inner) % g->positions);
    return SAL_OK;
}

/* The model's input is no picture any more; its values are brought to 0..1 together. */
static sal_status regions_superpixels(sal_regions *out, const regions_shape *g, int64_t segments,
                                      sal_error *err)
{
    sal_slic_opts opts = SAL_SLIC_OPTS_INIT;
    const float *x = out->x.data;
    float low = INFINITY, high = -INFINITY, *pixels = NULL;
    int64_t channels = g->outer * g->inner;
    int32_t *labels = NULL;
    sal_status st = SAL_OK;

    if (g->axes != 2)
        return sal_fail(err, SAL_EUNSUPPORTED,
                        "superpixels need a picture as input; set segments=0 for a grid");
    opts.segments = segments;
    pixels = sal_calloc(out->elements + 1, sizeof(*pixels));
    labels = sal_calloc((size_t)g->positions + 1, sizeof(*labels));
    if (pixels == NULL || labels == NULL)
        SAL_TRY(sal_fail_nomem(err));
    for (size_t k = 0; k < out->elements; k++) {
        low = x[k] < low ? x[k] : low;
        high = x[k] > high ? x[k] : high;
    }
    float scale = high > low && isfinite(high - low) ? 1.0F / (high - low) : 0.0F;
    for (int64_t c = 0; c < channels; c++) {
        for (int64_t p = 0; p < g->positions; p++)
            pixels[c * g->positions + p] =
                (x[(c / g->inner * g->positions + p) * g->inner + c % g->inner] - low) * scale;
    }
    SAL_TRY(
        sal_slic(pixels, channels, g->length[0], g->length[1], &opts, labels, &out->count, err));
    for (size_t k = 0; k < out->elements; k++)
        out->label[k] = labels[(int64_t)(k / (size_t)g->inner) % g->positions];
done:
    sal_free(pixels);
    sal_free(labels);
    return st;
}

/* The caller's labels, for positions or for elements; renumbered in ascending order so that there
 * are no empty features. */
static sal_status regions_given(sal_regions *out, const regions_shape *g, const sal_tensor *mask,
                                sal_error *err)
{
    int64_t n = sal_tensor_count(mask), most = 0;
    int32_t *number = NULL;

    if (n != g->positions && n != (int64_t)out->elements)
        return sal_fail(err, SAL_ESHAPE,
                        "the mask of features has %lld elements; the input has %lld positions, %zu "
                        "elements",
                        (long long)n, (long long)g->positions, out->elements);
    for (int64_t k = 0; k < n; k++) {
        double v = sal_tensor_get(mask, k);

        if (!(v >= 0.0 && v <= 1e7) || v != floor(v))
            return sal_fail(err, SAL_EINVAL,
                            "the mask of features holds %g; labels are whole numbers from 0", v);
        most = SAL_MAX(most, (int64_t)v);
    }
    number = sal_calloc((size_t)most + 2, sizeof(*number));
    if (number == NULL)
        return sal_fail_nomem(err);
    for (int64_t k = 0; k < n; k++)
        number[(int64_t)sal_tensor_get(mask, k)] = 1;
    for (int64_t k = 0; k <= most; k++)
        number[k] = number[k] == 0 ? -1 : (int32_t)out->count++;
    for (size_t k = 0; k < out->elements; k++) {
        int64_t at = n == (int64_t)out->elements ? (int64_t)k
                                                 : (int64_t)(k / (size_t)g->inner) % g->positions;

        out->label[k] = number[(int64_t)sal_tensor_get(mask, at)];
    }
    sal_free(number);
    return SAL_OK;
}

sal_status sal_regions_make(sal_regions *out, const sal_method_run *r, size_t s)
{
    const sal_tensor *given = &r->e->features;
    int64_t segments = (int64_t)r->params[SAL_REGIONS_SEGMENTS];
    sal_baselines baselines;
    regions_shape g;
    sal_status st = SAL_OK;

    *out = (sal_regions){.x = SAL_TENSOR_INIT, .baseline = (float)r->params[SAL_REGIONS_BASELINE]};
    SAL_TRY(sal_explainer_sample(r, s, &out->x));
    regions_shape_find(r, &out->x, &g);
    out->elements = (size_t)sal_tensor_count(&out->x);
    SAL_TRY(sal_baselines_begin(&baselines, r, &out->x));
    out->given = baselines.given;
    if (out->elements == 0) {
        st = sal_fail(r->err, SAL_EINVAL, "the input has no elements");
        goto done;
    }
    out->label = sal_calloc(out->elements, sizeof(*out->label));
    if (out->label == NULL)
        SAL_TRY(sal_fail_nomem(r->err));
    if (given->data != NULL)
        SAL_TRY(regions_given(out, &g, given, r->err));
    else if (segments > 0)
        SAL_TRY(regions_superpixels(out, &g, segments, r->err));
    else
        SAL_TRY(regions_grid(out, &g, (int64_t)r->params[SAL_REGIONS_GRID], r->err));
done:
    return st;
}

void sal_regions_free(sal_regions *g)
{
    sal_tensor_free(&g->x);
    sal_free(g->label);
    g->label = NULL;
}

float sal_regions_baseline(const sal_regions *g, size_t k)
{
    return g->given != NULL ? g->given[k] : g->baseline;
}

void sal_regions_mask(const sal_regions *g, const uint8_t *keep, float *x)
{
    const float *from = g->x.data;

    for (size_t k = 0; k < g->elements; k++)
        x[k] = keep[g->label[k]] != 0 ? from[k] : sal_regions_baseline(g, k);
}

void sal_regions_store(const sal_regions *g, const sal_method_run *r, size_t s,
                       const double *values)
{
    float *map = (float *)r->out->map.data + s * g->elements;

    for (size_t k = 0; k < g->elements; k++)
        map[k] = (float)values[g->label[k]];
}
