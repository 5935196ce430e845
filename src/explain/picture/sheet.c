/* A grid of overlays: questions down, methods across. */
#include "explain/picture/picture.h"

#define SHEET_WIDTH    1400
#define SHEET_PER_LINE 7

/* A row of the grid is one or more lines of cells: what does not fit side by side goes on below. */
typedef struct sheet_layout {
    const sal_font *title, *label, *small;
    int margin, gap, bar;
    int per_line, lines; /* cells in a line, lines in a row; the picture itself counts as a cell */
    int cell_width, cell_height;
    int top;       /* below title and, where they stand only once, column labels */
    int row_label; /* height of the label of a row */
    int head;      /* height of the column labels within each line, 0 where they stand only once */
    int line_height; /* column labels, cell, colour bar, gap */
    int row_height;
    int width, height;
} sheet_layout;

static sal_status sheet_plan(sheet_layout *l, const sal_image *base, const sal_sheet_opts *o,
                             sal_error *err)
{
    int64_t shown = o->columns + (o->without_base ? 0 : 1);
    int64_t lines = (shown + SHEET_PER_LINE - 1) / SHEET_PER_LINE;
    int64_t side = o->per_line > 0 ? o->per_line : (shown + lines - 1) / lines;
    side = SAL_MIN(side, shown);
    lines = (shown + side - 1) / side;
    int64_t cell = o->cell_width;
    if (cell == 0)
        cell = SAL_MAX(SAL_MIN(SHEET_WIDTH / side, 400), 160);
    int64_t tall = SAL_MAX((cell * base->height + base->width / 2) / base->width, 1);
    l->small = sal_font_near((double)cell / 16.0);
    l->label = sal_font_near((double)cell / 13.0);
    l->title = sal_font_near((double)cell / 11.0);
    l->margin = l->label->size;
    l->gap = l->small->size;
    l->bar = SAL_MAX(l->small->size * 3 / 4, 8);
    l->row_label = o->row_labels != NULL ? sal_font_line(l->label) + l->margin / 4 : 0;
    int head = o->column_labels != NULL ? sal_font_line(l->label) + l->margin / 4 : 0;
    l->head = lines > 1 ? head : 0;
    int64_t line = l->head + tall + l->gap / 2 + sal_bar_height(l->small, l->bar) + l->gap;
    int64_t title = o->title != NULL ? sal_font_line(l->title) + l->margin / 2 : 0;
    int64_t row = l->row_label + lines * line;
    int64_t width = (int64_t)2 * l->margin + side * cell + (side - 1) * l->gap;
    int64_t height = (int64_t)2 * l->margin + title + (head - l->head) + o->rows * row - l->gap;
    if (cell < 16 || width > SAL_IMAGE_MAX_SIDE || height > SAL_IMAGE_MAX_SIDE ||
        width * height > SAL_IMAGE_MAX_PIXELS) {
        return sal_fail(err, SAL_EINVAL,
                        "a sheet of %ld rows and %ld columns of %lld x %lld pixels cannot be "
                        "drawn; ask for fewer or smaller cells",
                        (long)o->rows, (long)o->columns, (long long)cell, (long long)tall);
    }
    l->per_line = (int)side;
    l->lines = (int)lines;
    l->cell_width = (int)cell;
    l->cell_height = (int)tall;
    l->top = l->margin + (int)title + head - l->head;
    l->line_height = (int)line;
    l->row_height = (int)row;
    l->width = (int)width;
    l->height = (int)height;
    return SAL_OK;
}

/* Top left corner of the n-th cell shown in a row, the picture itself included. */
static void sheet_place(const sheet_layout *l, int row, int n, int *x, int *y)
{
    *x = l->margin + n % l->per_line * (l->cell_width + l->gap);
    *y = l->top + row * l->row_height + l->row_label + n / l->per_line * l->line_height + l->head;
}

/* The scale of a cell: its own, widened to the other cells of its kind in the row or column if
 * asked. */
static sal_status sheet_scale(sal_scale *out, const sal_sheet_cell *cells, const sal_sheet_opts *o,
                              int row, int column, sal_error *err)
{
    const sal_sheet_cell *self = &cells[row * o->columns + column];
    sal_status st = sal_scale_of(out, self->map, self->height, self->width, self->is_signed,
                                 o->percentile, err);
    int count = o->scale == SAL_SHEET_COLUMN ? o->rows : o->scale == SAL_SHEET_ROW ? o->columns : 0;
    for (int i = 0; i < count && st == SAL_OK; i++) {
        const sal_sheet_cell *c = o->scale == SAL_SHEET_COLUMN ? &cells[i * o->columns + column]
                                                               : &cells[row * o->columns + i];
        sal_scale s;
        if (c == self || c->map == NULL || c->is_signed != self->is_signed)
            continue;
        st = sal_scale_of(&s, c->map, c->height, c->width, c->is_signed, o->percentile, err);
        if (st == SAL_OK) {
            out->min = SAL_MIN(out->min, s.min);
            out->max = SAL_MAX(out->max, s.max);
            out->largest = SAL_MAX(out->largest, s.largest);
        }
    }
    return st;
}

static sal_status sheet_cell(sal_image *canvas, const sheet_layout *l, const sal_image *small_base,
                             const sal_sheet_cell *cells, const sal_sheet_opts *o, int row,
                             int column, int x, int y, sal_error *err)
{
    const sal_color grey = {90, 90, 90}, pale = {238, 238, 238};
    const sal_sheet_cell *cell = &cells[row * o->columns + column];
    int below = y + l->cell_height + l->gap / 2;
    if (cell->map == NULL) {
        sal_canvas_fill(canvas, x, y, l->cell_width, l->cell_height, pale);
        if (cell->note != NULL) {
            sal_text_centre(canvas, l->small, x + l->cell_width / 2,
                            y + (l->cell_height - sal_font_line(l->small)) / 2, x + 4,
                            x + l->cell_width - 4, grey, cell->note);
        }
        return SAL_OK;
    }
    sal_scale scale;
    sal_image part = SAL_IMAGE_INIT;
    sal_status st;
    SAL_TRY(sheet_scale(&scale, cells, o, row, column, err));
    SAL_TRY(sal_image_crop(&part, small_base, 0, 0, small_base->width, small_base->height, err));
    SAL_TRY(sal_map_blend(&part, cell->map, cell->height, cell->width, &scale, cell->is_signed,
                          o->opacity, err));
    sal_canvas_paste(canvas, &part, x, y);
    if (cell->note != NULL) {
        int line = sal_font_line(l->small);
        sal_canvas_fill(canvas, x, y + l->cell_height - line, l->cell_width, line, pale);
        sal_text_centre(canvas, l->small, x + l->cell_width / 2, y + l->cell_height - line, x + 4,
                        x + l->cell_width - 4, grey, cell->note);
    }
    sal_bar_draw(canvas, l->small, x, below, l->cell_width, l->bar, cell->is_signed ? 3 : 2, &scale,
                 cell->is_signed);
done:
    sal_image_free(&part);
    return st;
}

static sal_status sheet_check(const sal_image *base, const sal_sheet_cell *cells,
                              const sal_sheet_opts *o, sal_error *err)
{
    if (o->struct_size != sizeof *o)
        return sal_fail(err, SAL_EINVAL, "sheet: begin with SAL_SHEET_OPTS_INIT");
    if (base->data == NULL || cells == NULL || o->rows < 1 || o->columns < 1 || o->rows > 1000 ||
        o->columns > 1000) {
        return sal_fail(err, SAL_EINVAL, "sheet: %ld rows and %ld columns cannot be drawn",
                        (long)o->rows, (long)o->columns);
    }
    return sal_picture_check(o->percentile, o->opacity, err);
}

sal_status sal_picture_sheet(sal_image *out, const sal_image *base, const sal_sheet_cell *cells,
                             const sal_sheet_opts *opts, sal_error *err)
{
    const sal_color white = {255, 255, 255}, black = {20, 20, 20};
    sal_status st;
    sheet_layout l = {.margin = 0};
    sal_image canvas = SAL_IMAGE_INIT, small = SAL_IMAGE_INIT;
    SAL_TRY(sheet_check(base, cells, opts, err));
    SAL_TRY(sheet_plan(&l, base, opts, err));
    SAL_TRY(sal_image_new(&canvas, l.width, l.height, err));
    SAL_TRY(sal_image_resize(&small, base, l.cell_width, l.cell_height, SAL_FILTER_BICUBIC, err));
    sal_canvas_fill(&canvas, 0, 0, l.width, l.height, white);
    if (opts->title != NULL)
        sal_text_draw(&canvas, l.title, l.margin, l.margin / 2, l.width - 2 * l.margin, black,
                      opts->title);
    int skip = opts->without_base ? 0 : 1, x, y;
    for (int r = 0; r < opts->rows; r++) {
        if (opts->row_labels != NULL)
            sal_text_draw(&canvas, l.label, l.margin, l.top + r * l.row_height,
                          l.width - 2 * l.margin, black, opts->row_labels[r]);
        sheet_place(&l, r, 0, &x, &y);
        if (skip != 0)
            sal_canvas_paste(&canvas, &small, x, y);
        for (int c = 0; c < opts->columns; c++) {
            sheet_place(&l, r, c + skip, &x, &y);
            if (opts->column_labels != NULL && (r == 0 || l.head > 0)) {
                int above = l.head > 0 ? y - l.head : l.top - sal_font_line(l.label) - l.margin / 4;
                sal_text_centre(&canvas, l.label, x + l.cell_width / 2, above, x, x + l.cell_width,
                                black, opts->column_labels[c]);
            }
            SAL_TRY(sheet_cell(&canvas, &l, &small, cells, opts, r, c, x, y, err));
        }
    }
    *out = canvas;
    canvas = (sal_image)SAL_IMAGE_INIT;
done:
    sal_image_free(&canvas);
    sal_image_free(&small);
    return st;
}
