/* A signal's lines over strips coloured by relevance. */
#include "explain/picture/picture.h"
#include <math.h>
#include <stdio.h>

/* Lines are drawn this much larger and then shrunk, which smooths them. */
enum { SIGNAL_LINES = 8, SIGNAL_WIDTH = 900, SIGNAL_FINER = 3 };

typedef struct signal_layout {
    const sal_font *font;
    int left, strip, gap, lines, width, height;
} signal_layout;

static signal_layout signal_plan(int64_t channels)
{
    signal_layout l = {.font = sal_font_near(15), .left = 92, .gap = 10};

    l.lines = (int)SAL_MIN(channels, SIGNAL_LINES);
    l.strip = l.lines == 1 ? 260 : l.lines <= 3 ? 150 : 90;
    l.width = l.left + SIGNAL_WIDTH + 14;
    l.height = l.lines * (l.strip + l.gap) + 2 * sal_font_line(l.font) + 12;
    return l;
}

/* What a column of the strip shows: of the samples there the relevance of largest magnitude. */
static double signal_strongest(const float *map, int64_t length, int column)
{
    int64_t from = column * length / SIGNAL_WIDTH, to = (column + 1) * length / SIGNAL_WIDTH;
    double most = (double)map[SAL_MIN(from, length - 1)];

    for (int64_t i = from + 1; i < to; i++)
        most = fabs((double)map[i]) > fabs(most) ? (double)map[i] : most;
    return most;
}

/* Value of the line at sample position u, linear between samples. */
static double signal_at(const float *signal, int64_t length, double u)
{
    double v = fmin(fmax(u, 0.0), (double)(length - 1));
    int64_t i = (int64_t)v;
    double share = v - (double)i;

    return (double)signal[i] +
           (i + 1 < length ? share * ((double)signal[i + 1] - (double)signal[i]) : 0.0);
}

/* Least and most of the line between two positions. */
static void signal_span(const float *signal, int64_t length, double from, double to, double out[2])
{
    double a = signal_at(signal, length, from), b = signal_at(signal, length, to);

    out[0] = fmin(a, b);
    out[1] = fmax(a, b);
    for (int64_t i = (int64_t)ceil(fmax(from, 0.0)); i < length && (double)i <= to; i++) {
        out[0] = fmin(out[0], (double)signal[i]);
        out[1] = fmax(out[1], (double)signal[i]);
    }
}

static void signal_line(sal_image *fine, const float *signal, int64_t length, const double range[2],
                        int thick, sal_color c)
{
    double step = (double)length / fine->width, high = fine->height - 1;
    int pad = fine->height / 20;

    for (int x = 0; x < fine->width; x++) {
        double span[2], y[2];

        /* a sample stands in the middle of its share of the strip */
        signal_span(signal, length, x * step - 0.5, (x + 1) * step - 0.5, span);
        for (int k = 0; k < 2; k++) {
            double u = range[1] > range[0] ? (span[k] - range[0]) / (range[1] - range[0]) : 0.5;

            y[k] = high - pad - u * (high - 2 * pad);
        }
        sal_canvas_fill(fine, x - thick / 2, (int)y[1] - thick / 2, thick,
                        (int)y[0] - (int)y[1] + thick, c);
    }
}

static sal_status signal_strip(sal_image *canvas, const signal_layout *l, int y,
                               const float *signal, const float *map, int64_t length,
                               const sal_scale *scale, const sal_picture_opts *opts,
                               const double range[2], sal_error *err)
{
    const sal_color halo = {255, 255, 255}, ink = {20, 20, 20}, edge = {150, 150, 150};
    sal_image fine = SAL_IMAGE_INIT, strip = SAL_IMAGE_INIT;
    sal_status st;

    SAL_TRY(sal_image_new(&fine, SIGNAL_WIDTH * SIGNAL_FINER, l->strip * SIGNAL_FINER, err));
    for (int x = 0; x < SIGNAL_WIDTH; x++) {
        uint8_t c[3];

        sal_scale_color(c,
                        sal_scale_place(scale, signal_strongest(map, length, x), opts->is_signed),
                        opts->is_signed);
        for (int k = 0; k < 3; k++)
            c[k] = (uint8_t)(255.0 + (c[k] - 255.0) * opts->opacity + 0.5);
        sal_canvas_fill(&fine, x * SIGNAL_FINER, 0, SIGNAL_FINER, fine.height,
                        (sal_color){c[0], c[1], c[2]});
    }
    /* light around the line keeps it apart from dark colours; with very many samples it would be
     * all that is seen */
    if (length <= 4 * SIGNAL_WIDTH)
        signal_line(&fine, signal, length, range, 3 * SIGNAL_FINER, halo);
    signal_line(&fine, signal, length, range, SIGNAL_FINER * 3 / 2, ink);
    SAL_TRY(sal_image_resize(&strip, &fine, SIGNAL_WIDTH, l->strip, SAL_FILTER_BOX, err));
    sal_canvas_fill(canvas, l->left - 1, y - 1, SIGNAL_WIDTH + 2, l->strip + 2, edge);
    sal_canvas_paste(canvas, &strip, l->left, y);
done:
    sal_image_free(&fine);
    sal_image_free(&strip);
    return st;
}

/* 1, 2 or 5 times a power of ten, so that about `most` steps fill the length. */
static int64_t signal_step(int64_t length, int most)
{
    static const int64_t factors[] = {1, 2, 5};
    int64_t power = 1;

    for (;; power *= 10) {
        for (size_t i = 0; i < SAL_COUNTOF(factors); i++) {
            if (length / (factors[i] * power) <= most)
                return factors[i] * power;
        }
    }
}

static void signal_axis(sal_image *canvas, const signal_layout *l, int y, int64_t length)
{
    const sal_color ink = {60, 60, 60};
    int64_t step = signal_step(length, 10);

    for (int64_t i = 0; i < length; i += step) {
        char text[32];
        int x = l->left + (int)(((double)i + 0.5) * SIGNAL_WIDTH / (double)length);

        (void)snprintf(text, sizeof text, "%lld", (long long)i);
        sal_canvas_fill(canvas, x, y, 1, 5, ink);
        sal_text_centre(canvas, l->font, x, y + 6, l->left - 20, l->width, ink, text);
    }
    sal_text_centre(canvas, l->font, l->left + SIGNAL_WIDTH / 2, y + 6 + sal_font_line(l->font),
                    l->left, l->width, ink, "sample");
}

static void signal_labels(sal_image *canvas, const signal_layout *l, int y, const char *name,
                          const double range[2])
{
    const sal_color ink = {60, 60, 60}, dark = {20, 20, 20};
    int line = sal_font_line(l->font), room = l->left - 10;
    char text[48];

    for (int k = 0; k < 2; k++) {
        sal_scale_print(text, sizeof text, range[1 - k]);
        int wide = SAL_MIN(sal_text_width(l->font, text), room);
        sal_text_draw(canvas, l->font, l->left - 6 - wide, k == 0 ? y : y + l->strip - line, wide,
                      ink, text);
    }
    sal_text_draw(canvas, l->font, 2, y + (l->strip - line) / 2, room, dark, name);
}

sal_status sal_picture_signal(sal_image *out, const float *signal, const float *map,
                              int64_t channels, int64_t length, const char *const *names,
                              const sal_picture_opts *opts, sal_scale *used, sal_error *err)
{
    const sal_color white = {255, 255, 255};
    sal_image canvas = SAL_IMAGE_INIT;
    sal_scale scale;
    sal_status st;

    if (opts->struct_size != sizeof *opts)
        return sal_fail(err, SAL_EINVAL, "picture: begin with SAL_PICTURE_OPTS_INIT");
    if (signal == NULL || map == NULL || channels < 1 || length < 1)
        return sal_fail(err, SAL_EINVAL, "signal: there is nothing to draw");
    SAL_TRY(sal_picture_check(opts->percentile, opts->opacity, err));
    SAL_TRY(sal_picture_scale(&scale, map, channels, length, opts, err));
    signal_layout l = signal_plan(channels);
    SAL_TRY(sal_image_new(&canvas, l.width, l.height, err));
    sal_canvas_fill(&canvas, 0, 0, canvas.width, canvas.height, white);
    for (int k = 0; k < l.lines; k++) {
        const float *line = signal + k * length;
        double range[2] = {HUGE_VAL, -HUGE_VAL};
        char name[48];
        int y = 2 + k * (l.strip + l.gap);

        for (int64_t i = 0; i < length; i++) {
            if (!isfinite(line[i])) {
                st = sal_fail(err, SAL_EINVAL, "signal: sample %lld of channel %d is not finite",
                              (long long)i, k);
                goto done;
            }
            range[0] = fmin(range[0], (double)line[i]);
            range[1] = fmax(range[1], (double)line[i]);
        }
        SAL_TRY(
            signal_strip(&canvas, &l, y, line, map + k * length, length, &scale, opts, range, err));
        (void)snprintf(name, sizeof name, channels == 1 ? "signal" : "channel %d", k);
        signal_labels(&canvas, &l, y, names != NULL ? names[k] : name, range);
    }
    signal_axis(&canvas, &l, 3 + l.lines * (l.strip + l.gap) - l.gap, length);
    SAL_TRY(sal_picture_frame(out, &canvas, opts, &scale, err));
    if (used != NULL)
        *used = scale;
done:
    sal_image_free(&canvas);
    return st;
}
