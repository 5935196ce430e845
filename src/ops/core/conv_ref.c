/* Reference convolution by unfolding the image into columns, a block of map positions at a time. */
#include "ops/core/conv_ref.h"

/* Doubles in one block of columns (4 MiB). */
#define CONV_BLOCK ((int64_t)1 << 19)

static int64_t conv_volume(const int64_t *v)
{
    return v[0] * v[1] * v[2];
}

sal_conv_ref sal_conv_ref_make(const sal_window *win, int64_t batch, int64_t groups,
                               const int64_t *w_dims)
{
    sal_conv_ref c = {sal_window_lift(win), batch, groups, w_dims[1], w_dims[0] / groups};
    return c;
}

sal_window sal_conv_adjoint(const sal_window *transposed)
{
    sal_window w = *transposed;
    memcpy(w.in, transposed->out, sizeof(w.in));
    memcpy(w.out, transposed->in, sizeof(w.out));
    memset(w.out_pad, 0, sizeof(w.out_pad));
    return w;
}

/* Rows of the column matrix are (channel, kernel element), columns are the map positions p0 ..
 * p0+np-1. `add` false: col = unfolded image; true: image += folded col. */
static void conv_fold(const sal_conv_ref *c, double *image, double *col, int64_t p0, int64_t np,
                      bool add)
{
    const sal_window *w = &c->win;
    int64_t size = conv_volume(w->in), kernel = conv_volume(w->kernel);
    for (int64_t row = 0; row < c->image_ch * kernel; row++) {
        int64_t k = row % kernel;
        int64_t kx = k % w->kernel[2], ky = k / w->kernel[2] % w->kernel[1];
        int64_t kz = k / (w->kernel[2] * w->kernel[1]);
        double *plane = image + row / kernel * size, *line = col + row * np;
        for (int64_t p = 0; p < np;) {
            int64_t at = p0 + p, ox = at % w->out[2], oy = at / w->out[2] % w->out[1];
            int64_t oz = at / (w->out[2] * w->out[1]);
            int64_t run = SAL_MIN(w->out[2] - ox, np - p);
            int64_t z = oz * w->strides[0] - w->pads_begin[0] + kz * w->dilations[0];
            int64_t y = oy * w->strides[1] - w->pads_begin[1] + ky * w->dilations[1];
            bool inside = z >= 0 && z < w->in[0] && y >= 0 && y < w->in[1];
            double *from = plane + (inside ? (z * w->in[1] + y) * w->in[2] : 0);
            int64_t x = ox * w->strides[2] - w->pads_begin[2] + kx * w->dilations[2];
            for (int64_t i = 0; i < run; i++, x += w->strides[2]) {
                bool hit = inside && x >= 0 && x < w->in[2];
                if (!add)
                    line[p + i] = hit ? from[x] : 0.0;
                else if (hit)
                    from[x] += line[p + i];
            }
            p += run;
        }
    }
}

typedef enum conv_task { CONV_FORWARD, CONV_DATA, CONV_WEIGHTS } conv_task;

/* One image and one group. */
static sal_status conv_part(const sal_conv_ref *c, conv_task task, double *image, double *weights,
                            double *map, double *col, int64_t block, sal_error *err)
{
    sal_status st = SAL_OK;
    int64_t rows = c->image_ch * conv_volume(c->win.kernel), size = conv_volume(c->win.out);
    for (int64_t p0 = 0; p0 < size; p0 += block) {
        int64_t np = SAL_MIN(block, size - p0);
        sal_ref_mat w = {weights, rows, 1}, wt = {weights, 1, rows};
        sal_ref_mat columns = {col, np, 1}, columns_t = {col, 1, np};
        sal_ref_mat part = {map + p0, size, 1};
        if (task != CONV_DATA)
            conv_fold(c, image, col, p0, np, false);
        if (task == CONV_FORWARD) {
            SAL_TRY(sal_ref_gemm(c->map_ch, np, rows, w, columns, map + p0, size, err));
        } else if (task == CONV_WEIGHTS) {
            SAL_TRY(sal_ref_gemm(c->map_ch, rows, np, part, columns_t, weights, rows, err));
        } else {
            memset(col, 0, sizeof(double) * (size_t)(rows * np));
            SAL_TRY(sal_ref_gemm(rows, np, c->map_ch, wt, part, col, np, err));
            conv_fold(c, image, col, p0, np, true);
        }
    }
done:
    return st;
}

static sal_status conv_run(const sal_conv_ref *c, conv_task task, double *image, double *weights,
                           double *map, sal_error *err)
{
    sal_status st = SAL_OK;
    int64_t kernel = conv_volume(c->win.kernel), rows = c->image_ch * kernel;
    int64_t size = conv_volume(c->win.out), in_size = conv_volume(c->win.in);
    int64_t block = SAL_MIN(SAL_MAX(CONV_BLOCK / SAL_MAX(rows, 1), 1), SAL_MAX(size, 1));
    double *col = sal_calloc((size_t)SAL_MAX(rows * block, 1), sizeof(double));
    if (col == NULL)
        return sal_fail_nomem(err);
    for (int64_t n = 0; n < c->batch; n++) {
        for (int64_t g = 0; g < c->groups; g++) {
            int64_t part = n * c->groups + g;
            SAL_TRY(conv_part(c, task, image + part * c->image_ch * in_size,
                              weights + g * c->map_ch * rows, map + part * c->map_ch * size, col,
                              block, err));
        }
    }
done:
    sal_free(col);
    return st;
}

/* conv_run takes plain pointers for all three tasks; what a task only reads it does not write. */
static double *conv_readonly(const double *p)
{
    union {
        const double *in;
        double *out;
    } u = {p};
    return u.out;
}

sal_status sal_conv_ref_forward(const sal_conv_ref *c, const double *image, const double *weights,
                                double *map, sal_error *err)
{
    return conv_run(c, CONV_FORWARD, conv_readonly(image), conv_readonly(weights), map, err);
}

sal_status sal_conv_ref_data(const sal_conv_ref *c, const double *map, const double *weights,
                             double *image, sal_error *err)
{
    return conv_run(c, CONV_DATA, image, conv_readonly(weights), conv_readonly(map), err);
}

sal_status sal_conv_ref_weights(const sal_conv_ref *c, const double *image, const double *map,
                                double *weights, sal_error *err)
{
    return conv_run(c, CONV_WEIGHTS, conv_readonly(image), weights, conv_readonly(map), err);
}

void sal_conv_ref_bias(double *y, const double *bias, int64_t batch, int64_t channels, int64_t size)
{
    if (bias == NULL)
        return;
    for (int64_t n = 0; n < batch; n++)
        for (int64_t ch = 0; ch < channels; ch++)
            for (int64_t i = 0; i < size; i++)
                y[(n * channels + ch) * size + i] = bias[ch];
}

/* ---- nodes ---- */

/* A convolution over the image gives floor((in + pads - span) / stride) + 1 positions, which is the
 * map's size unless the image extends by a stride or more beyond the last window. Then the end
 * padding is reduced and, when there is none left, the image is cropped: no window reads those
 * elements. */
sal_vid sal_conv_build_forward(sal_builder *b, sal_vid image, sal_vid weights,
                               const sal_window *win, int64_t groups)
{
    sal_window w = *win;
    sal_attr attr[SAL_WINDOW_ATTRS + 1];
    int64_t pads[2 * SAL_WINDOW_AXES];
    for (int i = 0; i < w.n; i++) {
        int64_t over = w.in[i] + w.pads_begin[i] + w.pads_end[i] - sal_window_span(&w, i) -
                       (w.out[i] - 1) * w.strides[i];
        if (over < w.strides[i])
            continue;
        int64_t cut = SAL_MIN(over, w.pads_end[i]);
        w.pads_end[i] -= cut;
        if (over > cut)
            image = sal_b_slice(b, image, 2 + i, 0, w.in[i] - (over - cut), 1);
    }
    int n = sal_window_attrs(&w, pads, attr);
    attr[n++] = SAL_AI("group", groups);
    return sal_b_op(b, "Conv", 2, (const sal_vid[]){image, weights}, n, attr);
}

sal_vid sal_conv_build_data(sal_builder *b, sal_vid map, sal_vid weights, const sal_window *win,
                            int64_t groups)
{
    sal_window w = *win;
    sal_attr attr[SAL_WINDOW_ATTRS + 2];
    int64_t pads[2 * SAL_WINDOW_AXES], more[SAL_WINDOW_AXES];
    bool any = false;
    for (int i = 0; i < w.n; i++) {
        int64_t reach = (w.out[i] - 1) * w.strides[i] + sal_window_span(&w, i);
        more[i] = w.in[i] - (reach - w.pads_begin[i] - w.pads_end[i]);
        if (more[i] < 0) { /* the last window reaches beyond the end padding (ceil_mode) */
            w.pads_end[i] -= more[i];
            more[i] = 0;
        }
        any = any || more[i] > 0;
    }
    int n = sal_window_attrs(&w, pads, attr);
    attr[n++] = SAL_AI("group", groups);
    if (any) {
        attr[n] = SAL_AINTS("output_padding", more, w.n);
        n++;
    }
    return sal_b_op(b, "ConvTranspose", 2, (const sal_vid[]){map, weights}, n, attr);
}

sal_vid sal_conv_build_weights(sal_builder *b, sal_vid image, sal_vid map, const sal_window *win,
                               int64_t groups)
{
    sal_attr attr[SAL_WINDOW_ATTRS + 1];
    int64_t pads[2 * SAL_WINDOW_AXES];
    int n = sal_window_attrs(win, pads, attr);
    attr[n++] = SAL_AI("group", groups);
    return sal_b_op(b, "ConvWeightGrad", 2, (const sal_vid[]){image, map}, n, attr);
}
