/* Drawing: a canvas is a sal_image; coordinates may lie outside, what falls there is not drawn. */
#ifndef SAL_EXPLAIN_PICTURE_H
#define SAL_EXPLAIN_PICTURE_H

#include "base/base.h"
#include <salience/picture.h>

typedef struct sal_color {
    uint8_t r, g, b;
} sal_color;

extern const uint8_t sal_viridis[256][3];
extern const uint8_t sal_diverging[256][3];

/* ---- text (glyphs.c is generated) ---- */

typedef struct sal_glyph {
    uint32_t code;
    int left, top; /* of the ink, from the pen to the right, from the base line up */
    int width, height, advance;
    const char *ink; /* width * height letters 'A' (none) .. 'P' (full) */
} sal_glyph;

typedef struct sal_font {
    int size, ascent, descent, count;
    const sal_glyph *glyphs; /* ascending codes */
} sal_font;

#define SAL_FONTS 3
extern const sal_font sal_fonts[SAL_FONTS];

/* The largest font not above `size` pixels (or the smallest there is). */
const sal_font *sal_font_near(double size);
int sal_font_line(const sal_font *f);
int sal_text_width(const sal_font *f, const char *text);
/* Text with its top left corner at (x, y), at most `room` pixels wide: an ellipsis ends what is cut
 * off. */
void sal_text_draw(sal_image *canvas, const sal_font *f, int x, int y, int room, sal_color c,
                   const char *text);
/* The same, centred about x and kept inside [left, right]. */
void sal_text_centre(sal_image *canvas, const sal_font *f, int x, int y, int left, int right,
                     sal_color c, const char *text);

/* ---- shapes ---- */

void sal_canvas_fill(sal_image *canvas, int x, int y, int width, int height, sal_color c);
void sal_canvas_paste(sal_image *canvas, const sal_image *part, int x, int y);

/* ---- maps ---- */

/* Bilinear (a triangle, widened when shrinking) to height x width; *out is yours: sal_free(). */
sal_status sal_map_resize(float **out, const float *map, int64_t map_height, int64_t map_width,
                          int32_t height, int32_t width, sal_error *err);
/* Blend the map's colours over the picture in place. Under a signed map the picture turns grey: red
 * and blue then mean the map alone. */
sal_status sal_map_blend(sal_image *image, const float *map, int64_t height, int64_t width,
                         const sal_scale *scale, bool is_signed, double opacity, sal_error *err);
/* Numbers like 0.037 or -12; minus is U+2212. */
void sal_scale_print(char *buf, size_t size, double v);
/* A horizontal colour bar with `ticks` numbers below, and what it needs in height. */
int sal_bar_height(const sal_font *f, int thickness);
void sal_bar_draw(sal_image *canvas, const sal_font *f, int x, int y, int width, int thickness,
                  int ticks, const sal_scale *scale, bool is_signed);

/* Where v stands on a scale, clipped: -1..1 (signed) or 0..1; a flat scale: 0. */
double sal_scale_place(const sal_scale *s, double v, bool is_signed);

/* ---- what all pictures of one map share ---- */

/* A sound scale given by the caller, else the map's own. */
sal_status sal_picture_scale(sal_scale *scale, const float *map, int64_t height, int64_t width,
                             const sal_picture_opts *opts, sal_error *err);
/* Title above, the picture, and below it colour bar and verdict, on white; a `bare` one is taken
 * over as it is, leaving *picture empty. */
sal_status sal_picture_frame(sal_image *out, sal_image *picture, const sal_picture_opts *opts,
                             const sal_scale *scale, sal_error *err);

/* An image option struct that is sound, or SAL_EINVAL. */
sal_status sal_picture_check(double percentile, double opacity, sal_error *err);

#endif
