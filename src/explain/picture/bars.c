/* Relevance of features as bars. */
#include "explain/picture/picture.h"
#include <math.h>
#include <stdio.h>

enum { BARS_MOST = 32, BARS_WIDTH = 900 };

typedef struct bars_row {
    int64_t feature;
    double v;
} bars_row;

static int bars_compare(const void *a, const void *b)
{
    const bars_row *x = a, *y = b;
    double p = fabs(x->v), q = fabs(y->v);

    return p > q ? -1 : p < q ? 1 : x->feature < y->feature ? -1 : x->feature > y->feature;
}

typedef struct bars_layout {
    const sal_font *font;
    int row, names, zero, left, right; /* bars lie between left and right */
    double most;
} bars_layout;

static void bars_name(char *buf, size_t size, const bars_row *r, const float *values,
                      const char *const *names)
{
    char number[48], plain[48];

    (void)snprintf(plain, sizeof plain, "feature %lld", (long long)r->feature);
    if (values == NULL) {
        (void)snprintf(buf, size, "%s", names != NULL ? names[r->feature] : plain);
        return;
    }
    sal_scale_print(number, sizeof number, (double)values[r->feature]);
    (void)snprintf(buf, size, "%s = %s", names != NULL ? names[r->feature] : plain, number);
}

/* Names take what they need, up to half; numbers stand beside the ends of the bars. */
static bars_layout bars_plan(const bars_row *rows, int64_t shown, const float *values,
                             const char *const *names)
{
    bars_layout l = {.font = sal_font_near(15), .names = 60};
    bool above = false, below = false;
    int number = sal_text_width(l.font, "\xe2\x88\x92"
                                        "0.000123") +
                 8;

    l.row = sal_font_line(l.font) + 6;
    for (int64_t i = 0; i < shown; i++) {
        char text[256];

        bars_name(text, sizeof text, &rows[i], values, names);
        l.names = SAL_MAX(l.names, sal_text_width(l.font, text) + 2);
        l.most = fmax(l.most, fabs(rows[i].v));
        above = above || rows[i].v > 0.0;
        below = below || rows[i].v < 0.0;
    }
    l.names = SAL_MIN(l.names, BARS_WIDTH / 2);
    l.left = l.names + 12 + (below ? number : 0);
    l.right = BARS_WIDTH - (above || !below ? number : 0);
    l.zero = above && below ? (l.left + l.right) / 2 : below ? l.right : l.left;
    return l;
}

static void bars_draw(sal_image *canvas, const bars_layout *l, int y, const bars_row *r,
                      const char *name, const sal_scale *scale, bool is_signed)
{
    const sal_color ink = {20, 20, 20}, grey = {90, 90, 90}, rim = {120, 120, 120};
    int room = r->v < 0.0 ? l->zero - l->left : l->right - l->zero;
    int length = l->most > 0.0 ? (int)lround(fabs(r->v) / l->most * room) : 0, wide;
    int from = r->v < 0.0 ? l->zero - length : l->zero;
    char number[48];
    uint8_t c[3];

    sal_scale_color(c, sal_scale_place(scale, r->v, is_signed), is_signed);
    wide = SAL_MIN(sal_text_width(l->font, name), l->names);
    sal_text_draw(canvas, l->font, l->names - wide, y + 3, wide, ink, name);
    if (length > 0) {
        sal_canvas_fill(canvas, from, y + 3, length, l->row - 6, rim);
        sal_canvas_fill(canvas, from + 1, y + 4, length - 2, l->row - 8,
                        (sal_color){c[0], c[1], c[2]});
    }
    sal_scale_print(number, sizeof number, r->v);
    wide = sal_text_width(l->font, number);
    sal_text_draw(canvas, l->font, r->v < 0.0 ? from - 5 - wide : from + length + 5, y + 3, wide,
                  grey, number);
}

/* The colours end with the longest bar; there are too few for a percentile. */
static sal_status bars_scale(sal_scale *scale, const float *map, int64_t n,
                             const sal_picture_opts *opts, sal_error *err)
{
    sal_picture_opts whole = *opts;

    whole.percentile = 100.0;
    return sal_picture_scale(scale, map, 1, n, &whole, err);
}

sal_status sal_picture_bars(sal_image *out, const float *map, const float *values,
                            const char *const *names, int64_t n, const sal_picture_opts *opts,
                            sal_scale *used, sal_error *err)
{
    const sal_color white = {255, 255, 255}, grey = {90, 90, 90}, axis = {150, 150, 150};
    int64_t shown = SAL_MIN(n, BARS_MOST);
    sal_image canvas = SAL_IMAGE_INIT;
    bars_row *rows = NULL;
    double rest = 0.0;
    sal_scale scale;
    char text[256], number[48];
    sal_status st;

    if (opts->struct_size != sizeof *opts)
        return sal_fail(err, SAL_EINVAL, "picture: begin with SAL_PICTURE_OPTS_INIT");
    if (map == NULL || n < 1)
        return sal_fail(err, SAL_EINVAL, "bars: there is nothing to draw");
    SAL_TRY(sal_picture_check(opts->percentile, opts->opacity, err));
    SAL_TRY(bars_scale(&scale, map, n, opts, err));
    rows = sal_calloc((size_t)n, sizeof *rows);
    if (rows == NULL)
        SAL_TRY(sal_fail_nomem(err));
    for (int64_t i = 0; i < n; i++)
        rows[i] = (bars_row){i, (double)map[i]};
    qsort(rows, (size_t)n, sizeof *rows, bars_compare);
    for (int64_t i = shown; i < n; i++)
        rest += rows[i].v;
    bars_layout l = bars_plan(rows, shown, values, names);
    SAL_TRY(sal_image_new(&canvas, BARS_WIDTH, (int)(shown + (n > shown ? 1 : 0)) * l.row, err));
    sal_canvas_fill(&canvas, 0, 0, canvas.width, canvas.height, white);
    for (int64_t i = 0; i < shown; i++) {
        bars_name(text, sizeof text, &rows[i], values, names);
        bars_draw(&canvas, &l, (int)i * l.row, &rows[i], text, &scale, opts->is_signed);
    }
    sal_canvas_fill(&canvas, l.zero, 0, 1, (int)shown * l.row, axis);
    if (n > shown) {
        sal_scale_print(number, sizeof number, rest);
        (void)snprintf(text, sizeof text, "the other %lld features add up to %s",
                       (long long)(n - shown), number);
        sal_text_draw(&canvas, l.font, l.left, (int)shown * l.row + 3, BARS_WIDTH - l.left, grey,
                      text);
    }
    SAL_TRY(sal_picture_frame(out, &canvas, opts, &scale, err));
    if (used != NULL)
        *used = scale;
done:
    sal_free(rows);
    sal_image_free(&canvas);
    return st;
}
