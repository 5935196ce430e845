/* Operators on windows (windows.h). A value's boxes are stored with channels last, pixel by pixel;
 * whatever a kernel needs beyond a box comes from the kept values. */
#include "exec/windows_plan.h"

#include <dnnl.h>
#include <math.h>

enum { WIN_ROWS = 2048 }; /* pixels of a matrix product: its gathered rows stay in the cache */

static int32_t win_first(int32_t low, const win_node *n, int axis)
{
    int32_t reach = (n->kernel[axis] - 1) * n->dilation[axis];
    int32_t at = low + n->pad[axis] - reach;

    return at <= 0 ? 0 : (at + n->stride[axis] - 1) / n->stride[axis];
}

static int32_t win_end(int32_t high, const win_node *n, int axis)
{
    return (high - 1 + n->pad[axis]) / n->stride[axis] + 1;
}

sal_box win_reach(const sal_windows *w, const win_node *n, const sal_box *in)
{
    const win_value *out = &w->values[n->out];
    sal_box b = in[0];

    if (n->kind == WIN_CONV || n->kind == WIN_DEPTHWISE || n->kind == WIN_MAX_POOL) {
        if (win_area(&b) == 0)
            return (sal_box){0, 0, 0, 0};
        b = (sal_box){win_first(b.y0, n, 0), SAL_MIN(win_end(b.y1, n, 0), out->h),
                      win_first(b.x0, n, 1), SAL_MIN(win_end(b.x1, n, 1), out->w)};
        if (b.y0 >= b.y1 || b.x0 >= b.x1)
            return (sal_box){0, 0, 0, 0};
        return b;
    }
    for (int i = 1; i < n->n_in; i++) {
        if (win_area(&in[i]) == 0)
            continue;
        if (win_area(&b) == 0)
            b = in[i];
        b.y0 = SAL_MIN(b.y0, in[i].y0);
        b.y1 = SAL_MAX(b.y1, in[i].y1);
        b.x0 = SAL_MIN(b.x0, in[i].x0);
        b.x1 = SAL_MAX(b.x1, in[i].x1);
    }
    return b;
}

/* The channels of a position: computed anew, or as kept. */
static inline const float *win_pixel(const win_value *v, size_t change, int32_t y, int32_t x)
{
    const sal_box *b = &v->box[change];

    if (y >= b->y0 && y < b->y1 && x >= b->x0 && x < b->x1)
        return v->data +
               (v->at[change] + (size_t)((y - b->y0) * (b->x1 - b->x0) + x - b->x0)) * (size_t)v->c;
    return v->keep + (size_t)(y * v->w + x) * (size_t)v->c;
}

static sal_status win_lines(sal_windows *w, const win_value *out, size_t changes, size_t *n,
                            sal_error *err)
{
    *n = 0;
    for (size_t j = 0; j < changes; j++) {
        const sal_box *b = &out->box[j];
        sal_status st = sal_grow(&w->lines, *n + (size_t)(b->y1 - b->y0), &w->cap_lines,
                                 sizeof(*w->lines), err);

        if (st != SAL_OK)
            return st;
        for (int32_t y = b->y0; y < b->y1; y++)
            w->lines[(*n)++] =
                (win_line){(int32_t)j, y, out->at[j] + (size_t)((y - b->y0) * (b->x1 - b->x0))};
    }
    return SAL_OK;
}

/* The inputs of one output position, kernel position by kernel position; zeros beyond the edge. */
static void win_gather(const win_value *in, const win_node *n, size_t change, int32_t y, int32_t x,
                       float *to)
{
    size_t c = (size_t)in->c;

    for (int32_t u = 0; u < n->kernel[0]; u++) {
        int32_t iy = y * n->stride[0] - n->pad[0] + u * n->dilation[0];

        for (int32_t v = 0; v < n->kernel[1]; v++, to += c) {
            int32_t ix = x * n->stride[1] - n->pad[1] + v * n->dilation[1];

            if (iy < 0 || iy >= in->h || ix < 0 || ix >= in->w)
                memset(to, 0, c * sizeof(*to));
            else
                memcpy(to, win_pixel(in, change, iy, ix), c * sizeof(*to));
        }
    }
}

/* out = rows W + bias, for `m` pixels from `first` on. */
static sal_status win_product(const win_node *n, const float *rows, size_t m, size_t k,
                              win_value *out, size_t first, sal_error *err)
{
    float *to = out->data + first * (size_t)out->c;
    dnnl_dim_t c = out->c;
    size_t width = (size_t)out->c;

#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < m; i++)
        memcpy(to + i * width, n->b, width * sizeof(*to));
    if (dnnl_sgemm('N', 'N', (dnnl_dim_t)m, c, (dnnl_dim_t)k, 1.0F, rows, (dnnl_dim_t)k, n->a, c,
                   1.0F, to, c) != dnnl_success)
        return sal_fail(err, SAL_EUNSUPPORTED, "oneDNN: matrix product failed");
    return SAL_OK;
}

static bool win_same(const win_value *a, const win_value *b, size_t changes)
{
    return memcmp(a->box, b->box, changes * sizeof(*a->box)) == 0;
}

static sal_status win_conv(sal_windows *w, const win_node *n, size_t changes, sal_error *err)
{
    const win_value *in = &w->values[n->in[0]];
    win_value *out = &w->values[n->out];
    size_t k = (size_t)(n->kernel[0] * n->kernel[1]) * (size_t)in->c, lines, done = 0;
    size_t all = out->at[changes];
    sal_status st = SAL_OK;

    if (n->kernel[0] == 1 && n->kernel[1] == 1 && win_same(in, out, changes))
        return all == 0 ? SAL_OK : win_product(n, in->data, all, k, out, 0, err);
    SAL_TRY(win_lines(w, out, changes, &lines, err));
    while (done < lines) {
        size_t first = w->lines[done].pixel, end = done, pixels = 0;

        while (end < lines && (pixels == 0 || pixels < WIN_ROWS)) {
            const sal_box *b = &out->box[w->lines[end].change];

            pixels += (size_t)(b->x1 - b->x0);
            end++;
        }
        if (pixels * k > w->room_rows) {
            sal_free(w->rows);
            w->room_rows = 0;
            w->rows = sal_aligned(pixels * k * sizeof(*w->rows));
            if (w->rows == NULL)
                return sal_fail_nomem(err);
            w->room_rows = pixels * k;
        }
#pragma omp parallel for schedule(static)
        for (size_t i = done; i < end; i++) {
            const win_line *l = &w->lines[i];
            const sal_box *b = &out->box[l->change];

            for (int32_t x = b->x0; x < b->x1; x++)
                win_gather(in, n, (size_t)l->change, l->y, x,
                           w->rows + (l->pixel - first + (size_t)(x - b->x0)) * k);
        }
        SAL_TRY(win_product(n, w->rows, pixels, k, out, first, err));
        done = end;
    }
done:
    return st;
}

/* One position of a depthwise convolution or of max-pooling. */
static void win_local(const win_value *in, const win_node *n, size_t change, int32_t y, int32_t x,
                      float *to)
{
    bool pool = n->kind == WIN_MAX_POOL;

    for (int32_t c = 0; c < in->c; c++)
        to[c] = pool ? -INFINITY : n->b[c];
    for (int32_t u = 0; u < n->kernel[0]; u++) {
        int32_t iy = y * n->stride[0] - n->pad[0] + u * n->dilation[0];

        for (int32_t v = 0; v < n->kernel[1] && iy >= 0 && iy < in->h; v++) {
            int32_t ix = x * n->stride[1] - n->pad[1] + v * n->dilation[1];

            if (ix < 0 || ix >= in->w)
                continue;
            const float *from = win_pixel(in, change, iy, ix);
            if (pool) {
                for (int32_t c = 0; c < in->c; c++)
                    to[c] = to[c] > from[c] ? to[c] : from[c];
            } else {
                const float *weight = n->a + (size_t)(u * n->kernel[1] + v) * (size_t)in->c;

                for (int32_t c = 0; c < in->c; c++)
                    to[c] += from[c] * weight[c];
            }
        }
    }
}

/* One position of the operators that look at the same position of their inputs. */
static void win_point(const sal_windows *w, const win_node *n, size_t change, int32_t y, int32_t x,
                      float *to)
{
    const win_value *v = &w->values[n->in[0]];
    const float *a = win_pixel(v, change, y, x);
    int32_t c = v->c;

    switch (n->kind) {
    case WIN_AFFINE:
        for (int32_t k = 0; k < c; k++)
            to[k] = a[k] * n->a[k] + n->b[k];
        return;
    case WIN_CLIP:
        for (int32_t k = 0; k < c; k++) {
            float low = a[k] < n->low ? n->low : a[k];

            to[k] = low > n->high ? n->high : low;
        }
        return;
    case WIN_SIGMOID:
        for (int32_t k = 0; k < c; k++)
            to[k] = 1.0F / (1.0F + expf(-a[k]));
        return;
    case WIN_HARD_SWISH:
        for (int32_t k = 0; k < c; k++)
            to[k] = a[k] * fminf(fmaxf(a[k] / 6.0F + 0.5F, 0.0F), 1.0F);
        return;
    case WIN_ADD: {
        const float *b = win_pixel(&w->values[n->in[1]], change, y, x);

        for (int32_t k = 0; k < c; k++)
            to[k] = a[k] + b[k];
        return;
    }
    case WIN_CONCAT:
        for (int i = 0; i < n->n_in; i++) {
            const win_value *part = &w->values[n->in[i]];

            memcpy(to, win_pixel(part, change, y, x), (size_t)part->c * sizeof(*to));
            to += part->c;
        }
        return;
    case WIN_CONV:
    case WIN_DEPTHWISE:
    case WIN_MAX_POOL:
        return;
    }
}

sal_status win_compute(sal_windows *w, const win_node *n, size_t changes, sal_error *err)
{
    const win_value *in = &w->values[n->in[0]];
    win_value *out = &w->values[n->out];
    bool local = n->kind == WIN_DEPTHWISE || n->kind == WIN_MAX_POOL;
    size_t lines;
    sal_status st = SAL_OK;

    if (n->kind == WIN_CONV)
        return win_conv(w, n, changes, err);
    SAL_TRY(win_lines(w, out, changes, &lines, err));
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < lines; i++) {
        const win_line *l = &w->lines[i];
        const sal_box *b = &out->box[l->change];

        for (int32_t x = b->x0; x < b->x1; x++) {
            float *to = out->data + (l->pixel + (size_t)(x - b->x0)) * (size_t)out->c;

            if (local)
                win_local(in, n, (size_t)l->change, l->y, x, to);
            else
                win_point(w, n, (size_t)l->change, l->y, x, to);
        }
    }
done:
    return st;
}
