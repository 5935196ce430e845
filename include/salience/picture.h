/* Saliency maps drawn for people: over the picture the model saw, with colour bar, title and
 * labels. */
#ifndef SALIENCE_PICTURE_H
#define SALIENCE_PICTURE_H

#include <salience/image.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Which numbers the two ends of the colours stand for. */
typedef struct sal_scale {
    double min, max; /* signed maps: min = -max */
    double largest;  /* largest value (signed maps: largest absolute value) before clipping */
} sal_scale;

/* Ends of the scale of a map: at the top the given percentile of the values (signed: of the
 * absolute values) or, where that is 0, the largest one; at the bottom the smallest value, 0 if
 * that is near (signed: minus the top). Errors: SAL_EINVAL (empty, percentile outside 0..100, NaN
 * or infinity in the map). */
SAL_API SAL_MUST_USE sal_status sal_scale_of(sal_scale *out, const float *map, int64_t height,
                                             int64_t width, bool is_signed, double percentile,
                                             sal_error *err);
/* Colour of a value: t in 0..1 (viridis), or in -1..1 for signed maps (blue, white, red). */
SAL_API void sal_scale_color(uint8_t rgb[3], double t, bool is_signed);

typedef struct sal_picture_opts {
    uint32_t struct_size; /* set by SAL_PICTURE_OPTS_INIT; fields are only appended */
    bool is_signed;
    bool bare;              /* the overlay alone: no margin, title, colour bar */
    int32_t min_width;      /* smaller pictures are enlarged by a whole factor to at least this */
    double percentile;      /* where the scale is clipped */
    double opacity;         /* of the map over the picture, 0..1 */
    const sal_scale *scale; /* use this scale instead of the map's own; NULL: its own. Borrowed. */
    const char *title;      /* UTF-8, cut off to fit; NULL: none. Borrowed. */
    const char *label;   /* what the numbers of the colour bar are; NULL: "relevance". Borrowed. */
    const char *verdict; /* a line below the bar; NULL: none. Borrowed. */
} sal_picture_opts;

#define SAL_PICTURE_OPTS_INIT                                                                      \
    {                                                                                              \
        (uint32_t)sizeof(sal_picture_opts), false, false, 600, 99.0, 0.5, NULL, NULL, NULL, NULL   \
    }

/* Draw a map [height, width] over `base`, which shows the same part of the world (what the model
 * saw: sal_preprocess_view(), or sharper: sal_preprocess_backdrop()); the map is stretched over it
 * bilinearly. Under signed maps the picture is drawn in grey, so that the colours are the map's.
 * *used (may be NULL) tells the scale drawn. */
SAL_API SAL_MUST_USE sal_status sal_picture_overlay(sal_image *out, const sal_image *base,
                                                    const float *map, int64_t height, int64_t width,
                                                    const sal_picture_opts *opts, sal_scale *used,
                                                    sal_error *err);

/* ---- several maps of one picture ---- */

typedef struct sal_sheet_cell {
    const float *map; /* NULL: an empty cell that says why in `note`. Borrowed. */
    int64_t height, width;
    bool is_signed;
    const char *note; /* NULL: none. Borrowed. */
} sal_sheet_cell;

typedef enum sal_sheet_scale {
    SAL_SHEET_EACH,   /* every cell its own scale */
    SAL_SHEET_COLUMN, /* one scale for each column: one method's answers compare */
    SAL_SHEET_ROW     /* one scale for each row */
} sal_sheet_scale;

typedef struct sal_sheet_opts {
    uint32_t struct_size; /* set by SAL_SHEET_OPTS_INIT; fields are only appended */
    int32_t rows, columns;
    const char *const *row_labels;    /* `rows` strings (the questions) or NULL. Borrowed. */
    const char *const *column_labels; /* `columns` strings (the methods) or NULL. Borrowed. */
    const char *title;                /* NULL: none. Borrowed. */
    sal_sheet_scale scale;
    int32_t cell_width; /* 0: chosen so that the sheet is about 1400 pixels wide */
    int32_t per_line;   /* cells side by side before a row goes on below; 0: up to 7 */
    bool without_base;  /* leave out the first column with the picture itself */
    double percentile, opacity;
} sal_sheet_opts;

#define SAL_SHEET_OPTS_INIT                                                                        \
    {                                                                                              \
        (uint32_t)sizeof(sal_sheet_opts), 0, 0, NULL, NULL, NULL, SAL_SHEET_EACH, 0, 0, false,     \
            99.0, 0.5                                                                              \
    }

/* A grid, rows = questions, columns = methods; cells[row * columns + column]. */
SAL_API SAL_MUST_USE sal_status sal_picture_sheet(sal_image *out, const sal_image *base,
                                                  const sal_sheet_cell *cells,
                                                  const sal_sheet_opts *opts, sal_error *err);

#ifdef __cplusplus
}
#endif
#endif
