/* SLIC, Achanta et al., 2012, doi:10.1109/TPAMI.2012.120: k-means on (colour, place) in which every
 * centre looks only at the pixels near it. With the step S between the centres of the first grid
 * and the compactness m, the squared distance of a pixel from a centre is
 *
 *     |colour difference|^2 / m^2 + |place difference|^2 / S^2
 *
 * Afterwards pieces that are not connected to their patch, and patches of less than half the mean
 * size, are given to a neighbour. */
#include "explain/slic.h"

#include <math.h>

typedef struct slic_centre {
    double y, x, n;
    double colour[3];
} slic_centre;

typedef struct slic_work {
    int64_t height, width;
    int colours;
    double step;
    float *colour; /* [height, width, 3], divided by the compactness */
    float *nearest;
    int32_t *labels;
    slic_centre *centres;
    size_t n;
    int32_t *queue, *parts; /* for the pieces */
} slic_work;

/* sRGB to CIELAB under D65. */
static double slic_linear(double v)
{
    return v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4);
}

static double slic_cube_root(double v)
{
    return v > 0.008856 ? cbrt(v) : 7.787 * v + 16.0 / 116.0;
}

static void slic_lab(const double *rgb, double *lab)
{
    double r = slic_linear(rgb[0]), g = slic_linear(rgb[1]), b = slic_linear(rgb[2]);
    double x = slic_cube_root((0.412453 * r + 0.357580 * g + 0.180423 * b) / 0.95047);
    double y = slic_cube_root(0.212671 * r + 0.715160 * g + 0.072169 * b);
    double z = slic_cube_root((0.019334 * r + 0.119193 * g + 0.950227 * b) / 1.08883);

    lab[0] = 116.0 * y - 16.0;
    lab[1] = 500.0 * (x - y);
    lab[2] = 200.0 * (y - z);
}

/* Colours over the compactness. More than three channels: the first three. */
static void slic_colours(slic_work *w, const float *pixels, int64_t channels, double compactness)
{
    int64_t n = w->height * w->width;

    for (int64_t p = 0; p < n; p++) {
        double in[3] = {0}, out[3] = {0};

        for (int c = 0; c < w->colours; c++) {
            in[c] = (double)pixels[c * n + p];
            out[c] = 100.0 * in[c];
        }
        if (channels == 3)
            slic_lab(in, out);
        for (int c = 0; c < 3; c++)
            w->colour[p * 3 + c] = (float)(out[c] / compactness);
    }
}

static sal_status slic_centres(slic_work *w, int64_t segments, sal_error *err)
{
    w->step = sqrt((double)(w->height * w->width) / (double)segments);
    int64_t start = (int64_t)(w->step / 2.0), stride = (int64_t)fmax(w->step + 0.5, 1.0);
    int64_t first_y = SAL_MIN(start, w->height - 1), first_x = SAL_MIN(start, w->width - 1);
    size_t rows = (size_t)((w->height - 1 - first_y) / stride + 1);
    size_t columns = (size_t)((w->width - 1 - first_x) / stride + 1);

    w->step = (double)stride;
    w->centres = sal_calloc(rows * columns, sizeof(*w->centres));
    if (w->centres == NULL)
        return sal_fail_nomem(err);
    for (int64_t y = first_y; y < w->height; y += stride) {
        for (int64_t x = first_x; x < w->width; x += stride) {
            /* No colour yet: the first round goes by place alone, so that no patch begins with the
             * colour of one odd pixel. */
            w->centres[w->n++] = (slic_centre){.y = (double)y, .x = (double)x};
        }
    }
    return SAL_OK;
}

/* Give pixels near centre i to it where it is nearer than those before. */
static bool slic_claim(slic_work *w, size_t i)
{
    const slic_centre *c = &w->centres[i];
    int64_t reach = 2 * (int64_t)w->step;
    int64_t y0 = SAL_MAX((int64_t)c->y - reach, 0),
            y1 = SAL_MIN((int64_t)c->y + reach + 1, w->height);
    int64_t x0 = SAL_MAX((int64_t)c->x - reach, 0),
            x1 = SAL_MIN((int64_t)c->x + reach + 1, w->width);
    double scale = 1.0 / (w->step * w->step);
    bool changed = false;

    for (int64_t y = y0; y < y1; y++) {
        double dy = ((double)y - c->y) * ((double)y - c->y);

        for (int64_t x = x0; x < x1; x++) {
            int64_t p = y * w->width + x;
            const float *from = w->colour + p * 3;
            double d = (dy + ((double)x - c->x) * ((double)x - c->x)) * scale;

            for (int k = 0; k < 3; k++)
                d += ((double)from[k] - c->colour[k]) * ((double)from[k] - c->colour[k]);
            if (d >= (double)w->nearest[p])
                continue;
            w->nearest[p] = (float)d;
            changed = changed || w->labels[p] != (int32_t)i;
            w->labels[p] = (int32_t)i;
        }
    }
    return changed;
}

static void slic_move(slic_work *w)
{
    for (size_t i = 0; i < w->n; i++)
        w->centres[i].n = 0.0;
    for (int64_t p = 0; p < w->height * w->width; p++) {
        slic_centre *c = &w->centres[w->labels[p]];

        if (c->n == 0.0)
            *c = (slic_centre){.n = 0.0};
        c->n += 1.0;
        c->y += (double)(p / w->width);
        c->x += (double)(p % w->width);
        for (int k = 0; k < 3; k++)
            c->colour[k] += (double)w->colour[p * 3 + k];
    }
    for (size_t i = 0; i < w->n; i++) {
        slic_centre *c = &w->centres[i];

        if (c->n == 0.0)
            continue;
        c->y /= c->n;
        c->x /= c->n;
        for (int k = 0; k < 3; k++)
            c->colour[k] /= c->n;
    }
}

static void slic_cluster(slic_work *w, int iterations)
{
    int64_t pixels = w->height * w->width;

    for (int64_t p = 0; p < pixels; p++)
        w->labels[p] = 0;
    for (int i = 0; i < iterations; i++) {
        bool changed = false;

        for (int64_t p = 0; p < pixels; p++)
            w->nearest[p] = INFINITY;
        for (size_t k = 0; k < w->n; k++)
            changed = slic_claim(w, k) || changed;
        if (!changed)
            break;
        slic_move(w);
    }
}

/* The piece that holds pixel `first`: its pixels in w->queue, marked `part`. *beside: a part
 * already made that touches it, -1 when there is none. */
static int64_t slic_piece(slic_work *w, int64_t first, int32_t part, int32_t *beside)
{
    static const int64_t dy[] = {0, 0, -1, 1}, dx[] = {-1, 1, 0, 0};
    int64_t n = 0;

    *beside = -1;
    w->queue[n++] = (int32_t)first;
    w->parts[first] = part;
    for (int64_t i = 0; i < n; i++) {
        int64_t y = w->queue[i] / w->width, x = w->queue[i] % w->width;

        for (int k = 0; k < 4; k++) {
            int64_t v = y + dy[k], u = x + dx[k], q = v * w->width + u;

            if (v < 0 || v >= w->height || u < 0 || u >= w->width || w->parts[q] == part)
                continue;
            if (w->parts[q] >= 0) {
                *beside = w->parts[q];
            } else if (w->labels[q] == w->labels[first]) {
                w->parts[q] = part;
                w->queue[n++] = (int32_t)q;
            }
        }
    }
    return n;
}

/* Connected patches, numbered in the order of their first pixels. */
static size_t slic_connect(slic_work *w)
{
    int64_t pixels = w->height * w->width, least = pixels / (int64_t)w->n / 2;
    int32_t parts = 0, beside;

    for (int64_t p = 0; p < pixels; p++)
        w->parts[p] = -1;
    for (int64_t p = 0; p < pixels; p++) {
        if (w->parts[p] >= 0)
            continue;
        int64_t n = slic_piece(w, p, parts, &beside);

        if (n >= least || beside < 0) {
            parts++;
            continue;
        }
        for (int64_t i = 0; i < n; i++)
            w->parts[w->queue[i]] = beside;
    }
    memcpy(w->labels, w->parts, (size_t)pixels * sizeof(*w->labels));
    return (size_t)parts;
}

sal_status sal_slic(const float *pixels, int64_t channels, int64_t height, int64_t width,
                    const sal_slic_opts *opts, int32_t *labels, size_t *count, sal_error *err)
{
    slic_work w = {
        .height = height, .width = width, .colours = (int)SAL_MIN(channels, 3), .labels = labels};
    size_t n;
    sal_status st = SAL_OK;

    *count = 0;
    if (height < 1 || width < 1 || opts->segments < 1 || !(opts->compactness > 0.0) ||
        !sal_mul_ok((size_t)height, (size_t)width, &n) || n > INT32_MAX / 4)
        return sal_fail(err, SAL_EINVAL,
                        "superpixels need a picture, a number of segments and a compactness");
    w.colour = sal_calloc(n * 3, sizeof(*w.colour));
    w.nearest = sal_calloc(n, sizeof(*w.nearest));
    w.queue = sal_calloc(n, sizeof(*w.queue));
    w.parts = sal_calloc(n, sizeof(*w.parts));
    if (w.colour == NULL || w.nearest == NULL || w.queue == NULL || w.parts == NULL)
        SAL_TRY(sal_fail_nomem(err));
    slic_colours(&w, pixels, channels, opts->compactness);
    SAL_TRY(slic_centres(&w, SAL_MIN(opts->segments, (int64_t)n), err));
    slic_cluster(&w, opts->iterations);
    *count = slic_connect(&w);
done:
    sal_free(w.colour);
    sal_free(w.nearest);
    sal_free(w.queue);
    sal_free(w.parts);
    sal_free(w.centres);
    return st;
}
