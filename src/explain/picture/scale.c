/* From the numbers of a map to colours. */
#include "explain/picture/picture.h"
#include <math.h>
#include <stdio.h>

/* Bits of a float in an order that compares like the number: the percentile is then found by
 * counting digits, in linear time whatever the values are. */
static uint32_t scale_key(float v)
{
    uint32_t u;
    memcpy(&u, &v, sizeof u);
    return (u & 0x80000000U) != 0 ? ~u : u | 0x80000000U;
}

static float scale_unkey(uint32_t u)
{
    float v;
    u = (u & 0x80000000U) != 0 ? u & 0x7fffffffU : ~u;
    memcpy(&v, &u, sizeof v);
    return v;
}

/* The k-th smallest (0 = smallest): first which upper 16 bits it has, then which lower. */
static float scale_select(const float *map, size_t n, size_t k, bool absolute, size_t *count)
{
    uint32_t high = 0, low = 0;
    for (int pass = 0; pass < 2; pass++) {
        memset(count, 0, 65536 * sizeof *count);
        for (size_t i = 0; i < n; i++) {
            uint32_t u = scale_key(absolute ? fabsf(map[i]) : map[i]);
            if (pass == 0)
                count[u >> 16]++;
            else if (u >> 16 == high)
                count[u & 0xffff]++;
        }
        uint32_t bin = 0;
        while (k >= count[bin])
            k -= count[bin++];
        *(pass == 0 ? &high : &low) = bin;
    }
    return scale_unkey(high << 16 | low);
}

sal_status sal_scale_of(sal_scale *out, const float *map, int64_t height, int64_t width,
                        bool is_signed, double percentile, sal_error *err)
{
    size_t n, *count;
    double low = HUGE_VAL, high = -HUGE_VAL;
    sal_status st = sal_picture_check(percentile, 1.0, err);
    if (st != SAL_OK)
        return st;
    if (height < 1 || width < 1 || !sal_mul_ok((size_t)height, (size_t)width, &n))
        return sal_fail(err, SAL_EINVAL, "the map is empty");
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(map[i])) {
            return sal_fail(
                err, SAL_EINVAL, "the map holds %s at row %zu, column %zu; nothing can be drawn",
                isnan(map[i]) ? "NaN" : "infinity", i / (size_t)width, i % (size_t)width);
        }
        double v = (double)(is_signed ? fabsf(map[i]) : map[i]);
        low = SAL_MIN(low, v);
        high = SAL_MAX(high, v);
    }
    count = sal_malloc(65536 * sizeof *count);
    if (count == NULL)
        return sal_fail_nomem(err);
    /* Between the two nearest ranks linearly, as numpy.percentile does. */
    double rank = (double)(n - 1) * percentile / 100.0, below = floor(rank);
    double top = (double)scale_select(map, n, (size_t)below, is_signed, count);
    if (rank > below)
        top += (rank - below) *
               ((double)scale_select(map, n, (size_t)below + 1, is_signed, count) - top);
    sal_free(count);
    /* A map with few values other than its floor: the percentile would leave nothing to see. */
    if (top <= (is_signed ? 0.0 : low))
        top = high;
    /* Numbers near 0 read better as 0, and the colours hardly move. */
    if (low > 0.0 && low < top / 20.0)
        low = 0.0;
    *out = (sal_scale){is_signed ? -top : low, top, high};
    return SAL_OK;
}

void sal_scale_color(uint8_t rgb[3], double t, bool is_signed)
{
    double u = is_signed ? (t + 1.0) / 2.0 : t;
    int i = u > 0.0 ? (int)(u * 255.0 + 0.5) : 0;
    memcpy(rgb, is_signed ? sal_diverging[SAL_MIN(i, 255)] : sal_viridis[SAL_MIN(i, 255)], 3);
}

double sal_scale_place(const sal_scale *s, double v, bool is_signed)
{
    if (is_signed)
        return s->max > 0.0 ? SAL_MAX(SAL_MIN(v / s->max, 1.0), -1.0) : 0.0;
    return s->max > s->min ? SAL_MAX(SAL_MIN((v - s->min) / (s->max - s->min), 1.0), 0.0) : 0.0;
}

/* Weights of the triangle about output i: from `first`, as many as fit in `w`; returns their
 * number. */
static int64_t map_triangle(int64_t in, int32_t out, int32_t i, float *w, int64_t *first)
{
    double scale = (double)in / out, stretch = SAL_MAX(scale, 1.0), centre = (i + 0.5) * scale,
           sum = 0.0;
    int64_t lo = SAL_MAX((int64_t)(centre - stretch + 0.5), 0);
    int64_t hi = SAL_MIN((int64_t)(centre + stretch + 0.5), in);
    for (int64_t j = lo; j < hi; j++) {
        double v = SAL_MAX(1.0 - fabs(((double)j - centre + 0.5) / stretch), 0.0);
        w[j - lo] = (float)v;
        sum += v;
    }
    for (int64_t j = 0; j < hi - lo; j++)
        w[j] = (float)((double)w[j] / sum);
    *first = lo;
    return hi - lo;
}

sal_status sal_map_resize(float **out, const float *map, int64_t map_height, int64_t map_width,
                          int32_t height, int32_t width, sal_error *err)
{
    size_t mid_count, out_count;
    int64_t longest = SAL_MAX(map_height, map_width), first;
    if (!sal_mul_ok((size_t)map_height, (size_t)width, &mid_count) ||
        !sal_mul_ok((size_t)height, (size_t)width, &out_count)) {
        (void)sal_fail(err, SAL_EINVAL, "the map is too large to draw");
        return SAL_EINVAL;
    }
    float *mid = sal_calloc(mid_count, sizeof *mid), *to = sal_calloc(out_count, sizeof *to);
    float *w = sal_calloc((size_t)longest + 2, sizeof *w);
    if (mid == NULL || to == NULL || w == NULL) {
        sal_free(mid);
        sal_free(to);
        sal_free(w);
        (void)sal_fail_nomem(err);
        return SAL_ENOMEM;
    }
    for (int32_t x = 0; x < width; x++) {
        int64_t n = map_triangle(map_width, width, x, w, &first);
        for (int64_t y = 0; y < map_height; y++) {
            const float *row = map + y * map_width + first;
            float sum = 0.0F;
            for (int64_t j = 0; j < n; j++)
                sum += w[j] * row[j];
            mid[y * width + x] = sum;
        }
    }
    for (int32_t y = 0; y < height; y++) {
        int64_t n = map_triangle(map_height, height, y, w, &first);
        float *row = to + (int64_t)y * width;
        for (int64_t j = 0; j < n; j++) {
            const float *from = mid + (first + j) * width;
            for (int32_t x = 0; x < width; x++)
                row[x] += w[j] * from[x];
        }
    }
    sal_free(mid);
    sal_free(w);
    *out = to;
    return SAL_OK;
}

sal_status sal_map_blend(sal_image *image, const float *map, int64_t height, int64_t width,
                         const sal_scale *scale, bool is_signed, double opacity, sal_error *err)
{
    float *big = NULL;
    sal_status st = sal_map_resize(&big, map, height, width, image->height, image->width, err);
    if (st != SAL_OK)
        return st;
    int over = (int)(opacity * 256.0 + 0.5);
    uint8_t *p = image->data;
    for (size_t i = 0; i < (size_t)image->width * (size_t)image->height; i++, p += 3) {
        uint8_t c[3];
        sal_scale_color(c, sal_scale_place(scale, (double)big[i], is_signed), is_signed);
        if (is_signed) {
            /* luma of Rec. 601 in 1/256 */
            p[0] = (uint8_t)((77 * p[0] + 150 * p[1] + 29 * p[2] + 128) >> 8);
            p[1] = p[2] = p[0];
        }
        for (int k = 0; k < 3; k++)
            p[k] = (uint8_t)((p[k] * (256 - over) + c[k] * over + 128) >> 8);
    }
    sal_free(big);
    return SAL_OK;
}

void sal_scale_print(char *buf, size_t size, double v)
{
    char digits[32];
    v = fabs(v) < 1e-300 ? 0.0 : v;
    (void)snprintf(digits, sizeof digits, "%.3g", fabs(v));
    (void)snprintf(buf, size, "%s%s", v < 0.0 ? "\xe2\x88\x92" : "", digits);
}

int sal_bar_height(const sal_font *f, int thickness)
{
    return thickness + thickness / 3 + 2 + sal_font_line(f);
}

void sal_bar_draw(sal_image *canvas, const sal_font *f, int x, int y, int width, int thickness,
                  int ticks, const sal_scale *scale, bool is_signed)
{
    const sal_color ink = {60, 60, 60};
    int mark = thickness / 3;
    for (int i = 0; i < width; i++) {
        uint8_t c[3];
        double u = width > 1 ? (double)i / (width - 1) : 0.0;
        sal_scale_color(c, is_signed ? 2.0 * u - 1.0 : u, is_signed);
        sal_canvas_fill(canvas, x + i, y, 1, thickness, (sal_color){c[0], c[1], c[2]});
    }
    bool flat = !(scale->max > scale->min);
    for (int i = 0; i < ticks; i++) {
        char text[48];
        double u = ticks > 1 ? (double)i / (ticks - 1) : 0.0;
        int at = x + (int)(u * (width - 1) + 0.5);
        if (flat && i > 0)
            break;
        /* exactly 0 in the middle of a signed scale */
        double v =
            is_signed ? scale->max * (2.0 * u - 1.0) : scale->min + u * (scale->max - scale->min);
        sal_scale_print(text, sizeof text, v);
        sal_canvas_fill(canvas, at, y + thickness, 1, mark, ink);
        sal_text_centre(canvas, f, at, y + thickness + mark + 2, x, x + width, ink, text);
    }
}
