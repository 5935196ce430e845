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

/* ---- maps of what is no picture ---- */

/* A signal of `channels` lines (at most 8 are drawn) over `length` samples, each in a strip of its
 * own whose background is coloured by the relevance there. signal, map: [channels, length]. names:
 * of the channels, or NULL. opts as for pictures; opacity is that of the background. */
SAL_API SAL_MUST_USE sal_status sal_picture_signal(sal_image *out, const float *signal,
                                                   const float *map, int64_t channels,
                                                   int64_t length, const char *const *names,
                                                   const sal_picture_opts *opts, sal_scale *used,
                                                   sal_error *err);
/* Relevance of `n` features as bars, the largest magnitude on top; at most 32 are drawn, and what
 * the rest adds up to is told. names: NULL for numbers. values: what the features were, or NULL. */
SAL_API SAL_MUST_USE sal_status sal_picture_bars(sal_image *out, const float *map,
                                                 const float *values, const char *const *names,
                                                 int64_t n, const sal_picture_opts *opts,
                                                 sal_scale *used, sal_error *err);

typedef struct sal_volume_view {
    uint32_t struct_size;    /* set by SAL_VOLUME_VIEW_INIT; fields are only appended */
    int64_t dims[3];         /* D, H, W, of the volume and of the map */
    const float *volume;     /* what is shown in grey. Borrowed. */
    const float *map;        /* Borrowed. */
    double spacing[3];       /* between voxels along D, H, W: only the ratios matter */
    bool flip[3];            /* draw this axis from its end to its beginning */
    const char *captions[3]; /* of the planes at one d, h, w; NULL: "d =", "h =", "w =". Borrowed */
} sal_volume_view;

#define SAL_VOLUME_VIEW_INIT                                                                       \
    {                                                                                              \
        (uint32_t)sizeof(sal_volume_view), {0, 0, 0}, NULL, NULL, {1, 1, 1},                       \
            {false, false, false},                                                                 \
        {                                                                                          \
            NULL, NULL, NULL                                                                       \
        }                                                                                          \
    }

/* Three planes through the place where the map is strongest (of its magnitude, averaged over 3 x 3
 * x 3 voxels), and below them planes spread over D, all with the map over them. The map's opacity
 * grows with its magnitude, up to opts->opacity. */
SAL_API SAL_MUST_USE sal_status sal_picture_volume(sal_image *out, const sal_volume_view *view,
                                                   const sal_picture_opts *opts, sal_scale *used,
                                                   sal_error *err);
/* That place: *at becomes its d, h, w. Errors: SAL_EINVAL (no voxels), SAL_ENOMEM. */
SAL_API SAL_MUST_USE sal_status sal_volume_peak(int64_t at[3], const float *map,
                                                const int64_t dims[3], sal_error *err);
/* Pictures one below the other on white. */
SAL_API SAL_MUST_USE sal_status sal_picture_stack(sal_image *out, const sal_image *parts, size_t n,
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
