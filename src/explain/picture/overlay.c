/* One map over the picture: title above, colour bar below. */
#include "explain/picture/picture.h"
#include <math.h>
#include <stdio.h>

sal_status sal_picture_check(double percentile, double opacity, sal_error *err)
{
    if (!(percentile > 0.0 && percentile <= 100.0))
        return sal_fail(err, SAL_EINVAL, "percentile %g is outside 0..100", percentile);
    if (!(opacity >= 0.0 && opacity <= 1.0))
        return sal_fail(err, SAL_EINVAL, "opacity %g is outside 0..1", opacity);
    return SAL_OK;
}

/* "relevance, clipped at the 99th percentile (largest 0.41)" */
static void overlay_caption(char *buf, size_t size, const sal_picture_opts *opts,
                            const sal_scale *scale)
{
    char number[48];
    const char *label = opts->label != NULL ? opts->label : "relevance";
    if (!(scale->max > scale->min)) {
        (void)snprintf(buf, size, "%s: the map is the same everywhere", label);
    } else if (opts->scale != NULL) {
        (void)snprintf(buf, size, "%s, on a common scale", label);
    } else if (scale->largest > scale->max) {
        sal_scale_print(number, sizeof number, scale->largest);
        int p = (int)opts->percentile;
        bool whole = (double)p == opts->percentile;
        const char *end = p % 10 == 1 && p != 11   ? "st"
                          : p % 10 == 2 && p != 12 ? "nd"
                          : p % 10 == 3 && p != 13 ? "rd"
                                                   : "th";
        (void)snprintf(buf, size, "%s, clipped at the %g%s percentile (largest %s)", label,
                       opts->percentile, whole ? end : "th", number);
    } else {
        (void)snprintf(buf, size, "%s", label);
    }
}

sal_status sal_picture_frame(sal_image *out, sal_image *picture, const sal_picture_opts *opts,
                             const sal_scale *scale, sal_error *err)
{
    const sal_color white = {255, 255, 255}, black = {20, 20, 20}, grey = {90, 90, 90};
    const sal_font *big = sal_font_near(picture->width / 34.0),
                   *small = sal_font_near(picture->width / 48.0);
    int margin = small->size, thickness = margin;
    int title = opts->title != NULL ? sal_font_line(big) + margin / 2 : 0;
    int caption = sal_font_line(small) + margin / 4;
    int verdict = opts->verdict != NULL ? sal_font_line(small) : 0;
    sal_image canvas = SAL_IMAGE_INIT;

    if (opts->bare) {
        *out = *picture;
        *picture = (sal_image)SAL_IMAGE_INIT;
        return SAL_OK;
    }
    sal_status st =
        sal_image_new(&canvas, picture->width + 2 * margin,
                      margin + title + picture->height + margin + sal_bar_height(small, thickness) +
                          caption + verdict + margin / 2,
                      err);
    if (st != SAL_OK)
        return st;
    sal_canvas_fill(&canvas, 0, 0, canvas.width, canvas.height, white);
    int y = margin;
    if (opts->title != NULL) {
        int top = y - margin / 4;
        /* a title too long for the large letters is tried in the small ones before it is cut off */
        const sal_font *f = sal_text_width(big, opts->title) > picture->width ? small : big;
        sal_text_draw(&canvas, f, margin, top + (big->ascent - f->ascent), picture->width, black,
                      opts->title);
    }
    y += title;
    sal_canvas_paste(&canvas, picture, margin, y);
    y += picture->height + margin;
    sal_bar_draw(&canvas, small, margin, y, picture->width, thickness, picture->width < 300 ? 3 : 5,
                 scale, opts->is_signed);
    y += sal_bar_height(small, thickness) + margin / 4;
    char text[256];
    overlay_caption(text, sizeof text, opts, scale);
    sal_text_centre(&canvas, small, margin + picture->width / 2, y, margin, margin + picture->width,
                    grey, text);
    if (opts->verdict != NULL)
        sal_text_centre(&canvas, small, margin + picture->width / 2, y + sal_font_line(small),
                        margin, margin + picture->width, grey, opts->verdict);
    *out = canvas;
    return SAL_OK;
}

sal_status sal_picture_scale(sal_scale *scale, const float *map, int64_t height, int64_t width,
                             const sal_picture_opts *opts, sal_error *err)
{
    sal_status st = sal_scale_of(scale, map, height, width, opts->is_signed, opts->percentile, err);
    if (st != SAL_OK || opts->scale == NULL)
        return st;
    if (!isfinite(opts->scale->min) || !isfinite(opts->scale->max) ||
        opts->scale->max < opts->scale->min)
        return sal_fail(err, SAL_EINVAL, "the scale runs from %g to %g", opts->scale->min,
                        opts->scale->max);
    scale->min = opts->scale->min;
    scale->max = opts->scale->max;
    return SAL_OK;
}

sal_status sal_picture_overlay(sal_image *out, const sal_image *base, const float *map,
                               int64_t height, int64_t width, const sal_picture_opts *opts,
                               sal_scale *used, sal_error *err)
{
    sal_status st;
    sal_image picture = SAL_IMAGE_INIT;
    sal_scale scale;
    if (opts->struct_size != sizeof *opts)
        return sal_fail(err, SAL_EINVAL, "picture: begin with SAL_PICTURE_OPTS_INIT");
    if (base->data == NULL || map == NULL)
        return sal_fail(err, SAL_EINVAL, "picture: there is nothing to draw on");
    SAL_TRY(sal_picture_check(opts->percentile, opts->opacity, err));
    SAL_TRY(sal_picture_scale(&scale, map, height, width, opts, err));

    /* A whole factor keeps the pixels of small inputs regular. */
    int64_t factor =
        opts->min_width > base->width ? (opts->min_width + base->width - 1) / base->width : 1;
    if (factor * base->width > SAL_IMAGE_MAX_SIDE || factor * base->height > SAL_IMAGE_MAX_SIDE)
        factor = 1;
    SAL_TRY(sal_image_resize(&picture, base, (int32_t)(base->width * factor),
                             (int32_t)(base->height * factor), SAL_FILTER_BICUBIC, err));
    SAL_TRY(
        sal_map_blend(&picture, map, height, width, &scale, opts->is_signed, opts->opacity, err));
    SAL_TRY(sal_picture_frame(out, &picture, opts, &scale, err));
    if (used != NULL)
        *used = scale;
done:
    sal_image_free(&picture);
    return st;
}
