/* Planes through a volume, with its map over them. */
#include "explain/picture/picture.h"
#include <math.h>
#include <stdio.h>

enum { VOLUME_STRIP = 8, VOLUME_WIDTH = 960, VOLUME_GAP = 8 };

/* ---- where the map is strongest ---- */

/* Sums of |v| over three neighbours along one axis of `n` elements, `step` apart. */
static void volume_smooth(const float *from, float *to, size_t count, int64_t n, size_t step)
{
    for (size_t i = 0; i < count; i++) {
        int64_t k = (int64_t)(i / step) % n;

        to[i] = fabsf(from[i]) + (k > 0 ? fabsf(from[i - step]) : 0.0F) +
                (k + 1 < n ? fabsf(from[i + step]) : 0.0F);
    }
}

sal_status sal_volume_peak(int64_t at[3], const float *map, const int64_t dims[3], sal_error *err)
{
    size_t plane, count, best = 0;
    float *a = NULL, *b = NULL;
    sal_status st = SAL_OK;

    if (map == NULL || dims[0] < 1 || dims[1] < 1 || dims[2] < 1 ||
        !sal_mul_ok((size_t)dims[1], (size_t)dims[2], &plane) ||
        !sal_mul_ok(plane, (size_t)dims[0], &count))
        return sal_fail(err, SAL_EINVAL, "volume: there is nothing to draw");
    a = sal_calloc(count, sizeof *a);
    b = sal_calloc(count, sizeof *b);
    if (a == NULL || b == NULL)
        SAL_TRY(sal_fail_nomem(err));
    volume_smooth(map, a, count, dims[2], 1);
    volume_smooth(a, b, count, dims[1], (size_t)dims[2]);
    volume_smooth(b, a, count, dims[0], plane);
    for (size_t i = 1; i < count; i++)
        best = a[i] > a[best] ? i : best;
    at[0] = (int64_t)(best / plane);
    at[1] = (int64_t)(best % plane) / dims[2];
    at[2] = (int64_t)best % dims[2];
done:
    sal_free(a);
    sal_free(b);
    return st;
}

/* ---- planes ---- */

/* Grey levels between the 1st and the 99th percentile, from counts of 4096 levels. */
static void volume_window(const float *v, size_t n, double out[2])
{
    enum { LEVELS = 4096 };
    size_t counts[LEVELS] = {0}, finite = 0, seen = 0;
    double low = HUGE_VAL, high = -HUGE_VAL;

    for (size_t i = 0; i < n; i++) {
        if (isfinite(v[i])) {
            low = fmin(low, (double)v[i]);
            high = fmax(high, (double)v[i]);
            finite++;
        }
    }
    out[0] = low;
    out[1] = high;
    if (!(high > low))
        return;
    for (size_t i = 0; i < n; i++) {
        if (isfinite(v[i]))
            counts[(size_t)(((double)v[i] - low) / (high - low) * (LEVELS - 1))]++;
    }
    for (int i = 0; i < LEVELS; i++) {
        seen += counts[i];
        if (seen <= finite / 100)
            out[0] = low + (high - low) * i / (LEVELS - 1);
        if (seen >= finite - finite / 100) {
            out[1] = low + (high - low) * i / (LEVELS - 1);
            break;
        }
    }
}

typedef struct volume_plane {
    int axis;              /* this one is fixed, the two others span the plane */
    int64_t at;            /* where */
    int32_t width, height; /* pixels */
} volume_plane;

/* The two axes of a plane: which runs down, which to the right. */
static void volume_axes(int axis, int *down, int *right)
{
    *down = axis == 0 ? 1 : 0;
    *right = axis == 2 ? 1 : 2;
}

/* The plane's voxels of volume and map, as they are drawn. */
static sal_status volume_cut(const sal_volume_view *v, const volume_plane *p,
                             const double window[2], sal_image *grey, float **map, sal_error *err)
{
    const int64_t steps[3] = {v->dims[1] * v->dims[2], v->dims[2], 1};
    int down, right;
    sal_status st;

    volume_axes(p->axis, &down, &right);
    int64_t rows = v->dims[down], columns = v->dims[right];
    if (rows > SAL_IMAGE_MAX_SIDE || columns > SAL_IMAGE_MAX_SIDE)
        return sal_fail(err, SAL_EINVAL, "volume: a side is too long to be drawn");
    st = sal_image_new(grey, (int32_t)columns, (int32_t)rows, err);
    if (st != SAL_OK)
        return st;
    *map = sal_calloc((size_t)(rows * columns), sizeof **map);
    if (*map == NULL)
        return sal_fail_nomem(err);
    for (int64_t i = 0; i < rows * columns; i++) {
        int64_t r = i / columns, c = i % columns;
        int64_t k = p->at * steps[p->axis] + (v->flip[down] ? rows - 1 - r : r) * steps[down] +
                    (v->flip[right] ? columns - 1 - c : c) * steps[right];
        double x = isfinite(v->volume[k]) ? (double)v->volume[k] : window[0];
        double u = window[1] > window[0] ? (x - window[0]) / (window[1] - window[0]) : 0.0;

        memset(grey->data + i * 3, (int)(fmin(fmax(u, 0.0), 1.0) * 255.0 + 0.5), 3);
        (*map)[i] = v->map[k];
    }
    return SAL_OK;
}

/* Colours over grey, the stronger the more. */
static void volume_blend(sal_image *image, const float *map, const sal_scale *scale,
                         const sal_picture_opts *opts)
{
    uint8_t *p = image->data;

    for (size_t i = 0; i < (size_t)image->width * (size_t)image->height; i++, p += 3) {
        double t = sal_scale_place(scale, (double)map[i], opts->is_signed);
        double over = fabs(t) * opts->opacity;
        uint8_t c[3];

        sal_scale_color(c, t, opts->is_signed);
        for (int k = 0; k < 3; k++)
            p[k] = (uint8_t)(p[k] + (c[k] - p[k]) * over + 0.5);
    }
}

static sal_status volume_draw(sal_image *canvas, int x, int y, const sal_volume_view *v,
                              const volume_plane *p, const double window[2], const sal_scale *scale,
                              const sal_picture_opts *opts, sal_error *err)
{
    sal_image grey = SAL_IMAGE_INIT, big = SAL_IMAGE_INIT;
    float *map = NULL, *fine = NULL;
    sal_status st;

    SAL_TRY(volume_cut(v, p, window, &grey, &map, err));
    SAL_TRY(sal_image_resize(&big, &grey, p->width, p->height, SAL_FILTER_BILINEAR, err));
    SAL_TRY(sal_map_resize(&fine, map, grey.height, grey.width, p->height, p->width, err));
    volume_blend(&big, fine, scale, opts);
    sal_canvas_paste(canvas, &big, x, y);
done:
    sal_image_free(&grey);
    sal_image_free(&big);
    sal_free(map);
    sal_free(fine);
    return st;
}

/* Where the two other planes cut this one: short marks at its edges. */
static void volume_marks(sal_image *canvas, int x, int y, const sal_volume_view *v,
                         const volume_plane *p, const int64_t peak[3])
{
    const sal_color c = {255, 210, 60};
    int down, right, across, along, mark = SAL_MAX(SAL_MIN(p->width, p->height) / 12, 3);

    volume_axes(p->axis, &down, &right);
    int64_t r = v->flip[down] ? v->dims[down] - 1 - peak[down] : peak[down];
    int64_t k = v->flip[right] ? v->dims[right] - 1 - peak[right] : peak[right];
    along = y + (int)(((double)r + 0.5) * p->height / (double)v->dims[down]);
    across = x + (int)(((double)k + 0.5) * p->width / (double)v->dims[right]);
    sal_canvas_fill(canvas, x, along, mark, 2, c);
    sal_canvas_fill(canvas, x + p->width - mark, along, mark, 2, c);
    sal_canvas_fill(canvas, across, y, 2, mark, c);
    sal_canvas_fill(canvas, across, y + p->height - mark, 2, mark, c);
}

/* ---- layout ---- */

typedef struct volume_layout {
    const sal_font *font;
    volume_plane planes[3], strip[VOLUME_STRIP];
    int n_strip, top, width, height, strip_columns;
} volume_layout;

static int32_t volume_pixels(double length)
{
    return (int32_t)fmin(fmax(round(length), 1.0), 2000.0);
}

static void volume_plan(volume_layout *l, const sal_volume_view *v, const int64_t peak[3])
{
    double size[3], most = 0.0, wide, unit;
    int line;

    *l = (volume_layout){.font = sal_font_near(15), .width = VOLUME_WIDTH};
    line = sal_font_line(l->font);
    for (int i = 0; i < 3; i++)
        size[i] = (double)v->dims[i] * v->spacing[i];
    /* the three planes side by side fill the width, but no more than 480 pixels in height */
    wide = size[2] + size[2] + size[1];
    most = fmax(size[0], size[1]);
    unit = fmin((VOLUME_WIDTH - 2 * VOLUME_GAP) / wide, 480.0 / most);
    for (int i = 0; i < 3; i++) {
        int down, right;

        volume_axes(i, &down, &right);
        l->planes[i] = (volume_plane){i, peak[i], volume_pixels(size[right] * unit),
                                      volume_pixels(size[down] * unit)};
        l->top = SAL_MAX(l->top, l->planes[i].height);
    }
    l->n_strip = (int)SAL_MIN(v->dims[0], VOLUME_STRIP);
    l->strip_columns = l->n_strip;
    int side = (VOLUME_WIDTH - (l->n_strip - 1) * VOLUME_GAP) / SAL_MAX(l->n_strip, 4);
    unit = fmin(side / size[2], 200.0 / size[1]);
    for (int i = 0; i < l->n_strip; i++)
        l->strip[i] = (volume_plane){0, (2 * i + 1) * v->dims[0] / (2 * l->n_strip),
                                     volume_pixels(size[2] * unit), volume_pixels(size[1] * unit)};
    l->height = l->top + l->strip[0].height + 2 * (line + 4) + 2 * VOLUME_GAP;
}

static sal_status volume_planes(sal_image *canvas, const volume_layout *l, const sal_volume_view *v,
                                const int64_t peak[3], const sal_scale *scale,
                                const sal_picture_opts *opts, sal_error *err)
{
    static const char *const axes[] = {"d =", "h =", "w ="};
    const sal_color ink = {60, 60, 60};
    double window[2];
    int x, y = 0, used = 0, line = sal_font_line(l->font);
    char text[128];
    sal_status st = SAL_OK;

    volume_window(v->volume, (size_t)(v->dims[0] * v->dims[1] * v->dims[2]), window);
    for (int i = 0; i < 3; i++)
        used += l->planes[i].width;
    int gap = (l->width - used) / 2;
    gap = SAL_MIN(gap, 60);
    x = (l->width - used - 2 * gap) / 2;
    for (int i = 0; i < 3; i++) {
        const volume_plane *p = &l->planes[i];
        int above = y + (l->top - p->height) / 2;

        SAL_TRY(volume_draw(canvas, x, above, v, p, window, scale, opts, err));
        volume_marks(canvas, x, above, v, p, peak);
        (void)snprintf(text, sizeof text, "%s %lld",
                       v->captions[i] != NULL ? v->captions[i] : axes[i], (long long)p->at);
        sal_text_centre(canvas, l->font, x + p->width / 2, above + p->height + 3, x - gap / 2,
                        x + p->width + gap / 2, ink, text);
        x += p->width + gap;
    }
    y = l->top + line + 4 + 2 * VOLUME_GAP;
    used = l->n_strip * (l->strip[0].width + VOLUME_GAP) - VOLUME_GAP;
    x = (l->width - used) / 2;
    for (int i = 0; i < l->n_strip; i++) {
        const volume_plane *p = &l->strip[i];

        SAL_TRY(volume_draw(canvas, x, y, v, p, window, scale, opts, err));
        (void)snprintf(text, sizeof text, "%lld", (long long)p->at);
        sal_text_centre(canvas, l->font, x + p->width / 2, y + p->height + 3, x, x + p->width, ink,
                        text);
        x += p->width + VOLUME_GAP;
    }
done:
    return st;
}

sal_status sal_picture_volume(sal_image *out, const sal_volume_view *view,
                              const sal_picture_opts *opts, sal_scale *used, sal_error *err)
{
    const sal_color white = {255, 255, 255};
    sal_image canvas = SAL_IMAGE_INIT;
    volume_layout l;
    int64_t peak[3];
    sal_scale scale;
    sal_status st;

    if (opts->struct_size != sizeof *opts || view->struct_size != sizeof *view)
        return sal_fail(err, SAL_EINVAL,
                        "volume: begin with SAL_PICTURE_OPTS_INIT and SAL_VOLUME_VIEW_INIT");
    if (view->volume == NULL)
        return sal_fail(err, SAL_EINVAL, "volume: there is nothing to draw");
    for (int i = 0; i < 3; i++) {
        if (!(view->spacing[i] > 0.0 && isfinite(view->spacing[i])))
            return sal_fail(err, SAL_EINVAL, "volume: the spacing %g is not sound",
                            view->spacing[i]);
    }
    SAL_TRY(sal_picture_check(opts->percentile, opts->opacity, err));
    SAL_TRY(sal_volume_peak(peak, view->map, view->dims, err));
    SAL_TRY(sal_picture_scale(&scale, view->map, view->dims[0] * view->dims[1], view->dims[2], opts,
                              err));
    volume_plan(&l, view, peak);
    SAL_TRY(sal_image_new(&canvas, l.width, l.height, err));
    sal_canvas_fill(&canvas, 0, 0, canvas.width, canvas.height, white);
    SAL_TRY(volume_planes(&canvas, &l, view, peak, &scale, opts, err));
    SAL_TRY(sal_picture_frame(out, &canvas, opts, &scale, err));
    if (used != NULL)
        *used = scale;
done:
    sal_image_free(&canvas);
    return st;
}

sal_status sal_picture_stack(sal_image *out, const sal_image *parts, size_t n, sal_error *err)
{
    const sal_color white = {255, 255, 255};
    int64_t width = 0, height = 0;
    sal_image canvas = SAL_IMAGE_INIT;
    int y = 0;
    sal_status st;

    for (size_t i = 0; i < n; i++) {
        width = SAL_MAX(width, parts[i].width);
        height += parts[i].height;
    }
    if (height > SAL_IMAGE_MAX_SIDE)
        return sal_fail(err, SAL_EINVAL, "%zu pictures are too many for one; ask for fewer", n);
    st = sal_image_new(&canvas, (int32_t)width, (int32_t)height, err);
    if (st != SAL_OK)
        return st;
    sal_canvas_fill(&canvas, 0, 0, canvas.width, canvas.height, white);
    for (size_t i = 0; i < n; i++) {
        sal_canvas_paste(&canvas, &parts[i], 0, y);
        y += parts[i].height;
    }
    *out = canvas;
    return SAL_OK;
}
