/* Resizing that equals Pillow's Image.resize for 8-bit RGB.
 *
 * Each output pixel at centre c = (i + 1/2) * s, s = input / output, is a weighted mean of the
 * input pixels within `support` of it; when shrinking, the kernel is stretched by s, which is the
 * antialiasing. Weights are computed in double, normalised to sum 1, then rounded to fixed point
 * with 32 - 8 - 2 = 22 fractional bits; rows are resized first and rounded to 8 bits, then columns.
 * Equality to the last bit needs exactly these roundings, so they are kept even where floats would
 * be simpler. */
#include "base/base.h"
#include <math.h>
#include <salience/image.h>

#define RESIZE_BITS 22

static const double resize_pi = 3.14159265358979323846;

const char *sal_filter_name(sal_filter filter)
{
    switch (filter) {
#define X(id, number, name)                                                                        \
    case id:                                                                                       \
        return name;
        SAL_FILTER_MAP(X)
#undef X
    }
    return "unknown";
}

bool sal_filter_find(const char *name, sal_filter *out)
{
#define X(id, number, text)                                                                        \
    if (strcmp(name, text) == 0) {                                                                 \
        *out = id;                                                                                 \
        return true;                                                                               \
    }
    SAL_FILTER_MAP(X)
#undef X
    return false;
}

static double resize_sinc(double x)
{
    return x == 0.0 ? 1.0 : sin(x * resize_pi) / (x * resize_pi);
}

static double resize_box(double x)
{
    return x > -0.5 && x <= 0.5 ? 1.0 : 0.0;
}

static double resize_bilinear(double x)
{
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

static double resize_hamming(double x)
{
    x = fabs(x);
    if (x == 0.0)
        return 1.0;
    if (x >= 1.0)
        return 0.0;
    x *= resize_pi;
    /* the constants are floats in Pillow, which shows in the last bit */
    return sin(x) / x * ((double)0.54F + (double)0.46F * cos(x));
}

/* Keys' cubic with a = -1/2. */
static double resize_bicubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1.0)
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
    if (x < 2.0)
        return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
    return 0.0;
}

static double resize_lanczos(double x)
{
    return x >= -3.0 && x < 3.0 ? resize_sinc(x) * resize_sinc(x / 3.0) : 0.0;
}

typedef struct resize_kernel {
    sal_filter filter;
    double (*weight)(double x);
    double support;
} resize_kernel;

static const resize_kernel resize_kernels[] = {
    {SAL_FILTER_LANCZOS, resize_lanczos, 3.0}, {SAL_FILTER_BILINEAR, resize_bilinear, 1.0},
    {SAL_FILTER_BICUBIC, resize_bicubic, 2.0}, {SAL_FILTER_BOX, resize_box, 0.5},
    {SAL_FILTER_HAMMING, resize_hamming, 1.0},
};

/* Weights along one axis: output i reads count[i] pixels from first[i] with weights at[i * taps].
 */
typedef struct resize_axis {
    int32_t *first, *count;
    int32_t *weight;
    size_t taps;
} resize_axis;

static void resize_axis_free(resize_axis *a)
{
    sal_free(a->first);
    sal_free(a->count);
    sal_free(a->weight);
}

static sal_status resize_axis_new(resize_axis *a, const resize_kernel *k, int32_t in, double from,
                                  double length, int32_t out, sal_error *err)
{
    double scale = length / out, stretch = scale < 1.0 ? 1.0 : scale;
    double support = k->support * stretch, inverse = 1.0 / stretch;
    size_t taps = (size_t)ceil(support) * 2 + 1, total;
    double *w = NULL;
    if (!sal_mul_ok(taps, (size_t)out, &total)) {
        (void)sal_fail(err, SAL_EINVAL, "resizing %ld to %ld pixels is too large", (long)in,
                       (long)out);
        return SAL_EINVAL;
    }
    *a = (resize_axis){sal_calloc((size_t)out, sizeof(int32_t)),
                       sal_calloc((size_t)out, sizeof(int32_t)), sal_calloc(total, sizeof(int32_t)),
                       taps};
    w = sal_calloc(taps, sizeof *w);
    if (a->first == NULL || a->count == NULL || a->weight == NULL || w == NULL) {
        sal_free(w);
        (void)sal_fail_nomem(err);
        return SAL_ENOMEM;
    }
    for (int32_t i = 0; i < out; i++) {
        double centre = from + (i + 0.5) * scale, sum = 0.0;
        int32_t lo = (int32_t)(centre - support + 0.5), hi = (int32_t)(centre + support + 0.5);
        lo = SAL_MAX(lo, 0);
        hi = SAL_MIN(hi, in);
        for (int32_t j = lo; j < hi; j++) {
            w[j - lo] = k->weight((j - centre + 0.5) * inverse);
            sum += w[j - lo];
        }
        for (int32_t j = 0; j < hi - lo; j++) {
            double v = (sum != 0.0 ? w[j] / sum : w[j]) * (1 << RESIZE_BITS);
            a->weight[(size_t)i * taps + (size_t)j] = (int32_t)(v < 0.0 ? v - 0.5 : v + 0.5);
        }
        a->first[i] = lo;
        a->count[i] = hi - lo;
    }
    sal_free(w);
    return SAL_OK;
}

static uint8_t resize_clip(int32_t v)
{
    v >>= RESIZE_BITS;
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* One row of RGB to `out` pixels. */
static void resize_row(uint8_t *to, const uint8_t *from, const resize_axis *a, int32_t out)
{
    for (int32_t i = 0; i < out; i++, to += 3) {
        const int32_t *w = a->weight + (size_t)i * a->taps;
        const uint8_t *s = from + (size_t)a->first[i] * 3;
        int32_t r = 1 << (RESIZE_BITS - 1), g = r, b = r;
        for (int32_t j = 0; j < a->count[i]; j++, s += 3) {
            r += s[0] * w[j];
            g += s[1] * w[j];
            b += s[2] * w[j];
        }
        to[0] = resize_clip(r);
        to[1] = resize_clip(g);
        to[2] = resize_clip(b);
    }
}

/* Row i of the output from `count` rows; acc holds one row of sums so that memory is read in order.
 */
static void resize_column(uint8_t *to, const uint8_t *from, size_t stride, const int32_t *w,
                          int32_t count, int32_t *acc)
{
    for (size_t x = 0; x < stride; x++)
        acc[x] = 1 << (RESIZE_BITS - 1);
    for (int32_t j = 0; j < count; j++, from += stride) {
        for (size_t x = 0; x < stride; x++)
            acc[x] += from[x] * w[j];
    }
    for (size_t x = 0; x < stride; x++)
        to[x] = resize_clip(acc[x]);
}

/* Nearest: the pixel that holds the centre; Pillow adds up the step in double, and so does this. */
static void resize_nearest(sal_image *out, const sal_image *in, const sal_rect *rect)
{
    double sx = rect->width / out->width, sy = rect->height / out->height;
    double fy = rect->y + sy * 0.5;
    for (int32_t y = 0; y < out->height; y++) {
        int32_t iy = SAL_MIN((int32_t)fy, in->height - 1);
        double fx = rect->x + sx * 0.5;
        for (int32_t x = 0; x < out->width; x++) {
            int32_t ix = SAL_MIN((int32_t)fx, in->width - 1);
            memcpy(out->data + ((size_t)y * (size_t)out->width + (size_t)x) * 3,
                   in->data + ((size_t)iy * (size_t)in->width + (size_t)ix) * 3, 3);
            fx += sx;
        }
        fy += sy;
    }
}

typedef struct resize_job {
    resize_axis h, v;
    int32_t in_width;
    bool wide, tall; /* which passes change anything; Pillow leaves out the others */
} resize_job;

/* Rows `from` (already the first row needed) to `rows` rows of out_width pixels. */
static void resize_wide(uint8_t *to, const uint8_t *from, const resize_job *job, int32_t rows,
                        int32_t width)
{
    for (int32_t y = 0; y < rows; y++) {
        resize_row(to + (size_t)y * (size_t)width * 3, from + (size_t)y * (size_t)job->in_width * 3,
                   &job->h, width);
    }
}

/* `from` begins at row `top` of the picture and has `width` pixels a row. */
static void resize_tall(uint8_t *to, const uint8_t *from, const resize_job *job, int32_t top,
                        int32_t rows, int32_t width, int32_t *acc)
{
    const resize_axis *a = &job->v;
    size_t stride = (size_t)width * 3;
    for (int32_t y = 0; y < rows; y++) {
        resize_column(to + (size_t)y * stride, from + (size_t)(a->first[y] - top) * stride, stride,
                      a->weight + (size_t)y * a->taps, a->count[y], acc);
    }
}

/* Rows first, except where the columns lose more than twice as many pixels as the rows: the order
 * of Pillow 13 (older ones always take rows first). It shows in the last bits because the picture
 * between the passes is rounded to 8 bits. */
static sal_status resize_passes(sal_image *out, const sal_image *in, const sal_rect *rect,
                                const resize_kernel *k, sal_error *err)
{
    sal_status st;
    resize_job job = {.in_width = in->width};
    uint8_t *mid = NULL;
    int32_t *acc = NULL;
    int32_t w = out->width, h = out->height;
    job.wide = w != in->width || rect->x != 0.0 || rect->width != w;
    job.tall = h != in->height || rect->y != 0.0 || rect->height != h;
    bool columns_first = (int64_t)in->height - h > 2 * ((int64_t)in->width - w) && h < in->height;

    SAL_TRY(resize_axis_new(&job.h, k, in->width, rect->x, rect->width, w, err));
    SAL_TRY(resize_axis_new(&job.v, k, in->height, rect->y, rect->height, h, err));
    int32_t top = job.v.first[0], rows = job.v.first[h - 1] + job.v.count[h - 1] - top;
    int32_t mid_rows = columns_first ? h : rows, mid_width = columns_first ? in->width : w;
    acc = sal_malloc((size_t)SAL_MAX(w, in->width) * 3 * sizeof *acc);
    if (job.wide && job.tall)
        mid = sal_malloc((size_t)mid_rows * (size_t)mid_width * 3);
    if (acc == NULL || (job.wide && job.tall && mid == NULL)) {
        st = sal_fail_nomem(err);
        goto done;
    }
    const uint8_t *from = in->data + (size_t)top * (size_t)in->width * 3;
    if (!job.wide && !job.tall) {
        memcpy(out->data, in->data, (size_t)w * (size_t)h * 3);
    } else if (!job.tall) {
        resize_wide(out->data, from, &job, h, w);
    } else if (!job.wide) {
        resize_tall(out->data, from, &job, top, h, w, acc);
    } else if (columns_first) {
        resize_tall(mid, from, &job, top, h, in->width, acc);
        resize_wide(out->data, mid, &job, h, w);
    } else {
        resize_wide(mid, from, &job, rows, w);
        resize_tall(out->data, mid, &job, top, h, w, acc);
    }
done:
    resize_axis_free(&job.h);
    resize_axis_free(&job.v);
    sal_free(mid);
    sal_free(acc);
    return st;
}

sal_status sal_image_resize_rect(sal_image *out, const sal_image *in, const sal_rect *rect,
                                 int32_t width, int32_t height, sal_filter filter, sal_error *err)
{
    sal_status st;
    sal_image tmp = SAL_IMAGE_INIT;
    const resize_kernel *kernel = NULL;
    for (size_t i = 0; i < SAL_COUNTOF(resize_kernels); i++) {
        if (resize_kernels[i].filter == filter)
            kernel = &resize_kernels[i];
    }
    if (kernel == NULL && filter != SAL_FILTER_NEAREST)
        return sal_fail(err, SAL_EINVAL, "unknown filter %d", (int)filter);
    if (in->data == NULL ||
        !(rect->x >= 0.0 && rect->y >= 0.0 && rect->width > 0.0 && rect->height > 0.0 &&
          rect->x + rect->width <= in->width && rect->y + rect->height <= in->height)) {
        return sal_fail(err, SAL_EINVAL,
                        "rectangle %g,%g %gx%g is not inside the %ld x %ld picture", rect->x,
                        rect->y, rect->width, rect->height, (long)in->width, (long)in->height);
    }
    SAL_TRY(sal_image_new(&tmp, width, height, err));
    /* Pillow keeps the corners of the box as floats. */
    sal_rect box = {(double)(float)rect->x, (double)(float)rect->y, 0.0, 0.0};
    box.width = (double)(float)(rect->x + rect->width) - box.x;
    box.height = (double)(float)(rect->y + rect->height) - box.y;
    if (kernel == NULL)
        resize_nearest(&tmp, in, &box);
    else
        SAL_TRY(resize_passes(&tmp, in, &box, kernel, err));
    *out = tmp;
    tmp = (sal_image)SAL_IMAGE_INIT;
done:
    sal_image_free(&tmp);
    return st;
}

sal_status sal_image_resize(sal_image *out, const sal_image *in, int32_t width, int32_t height,
                            sal_filter filter, sal_error *err)
{
    sal_rect all = {0.0, 0.0, in->width, in->height};
    return sal_image_resize_rect(out, in, &all, width, height, filter, err);
}
