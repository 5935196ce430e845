/* ConvTranspose onto few channels: the gradient with respect to the image.
 *
 * oneDNN pads three channels to sixteen. Here each pixel of the incoming gradient is multiplied by
 * the weight matrix [M, C * kh * kw] and the products are added into the image rows that its window
 * covers (col2im), one row of pixels at a time, so nothing but one row of products is ever stored.
 * Threads own bands of image rows; windows that reach over a band's edge are computed by both
 * neighbours. */
#include "exec/kernels/image_grad.h"

#include "exec/isa.h"

#include <omp.h>

enum { IMAGE_MAX_LANES = 512 };

typedef struct image_grad {
    const sal_isa_table *isa;
    const float *weights; /* [M padded][lanes]: lane (c * kh + y) * width + x */
    int64_t batch, c, m, m_blocks, kh, kw, lanes;
    int width; /* kw padded to 4, 8 or 16 */
    int64_t in_h, in_w, out_h, out_w, stride_h, stride_w, pad_h, pad_w;
    int block, threads;
    size_t row_floats; /* products of one row, then one padded image row for each (c, y) */
} image_grad;

static void image_grad_scatter(const image_grad *q, float *dx, const float *row, int64_t y0,
                               int64_t y1, int64_t oh, float *line)
{
    const int64_t line_len = (q->in_w - 1) * q->stride_w + 16 + 16;
    for (int64_t c = 0; c < q->c; c++)
        for (int64_t k = 0; k < q->kh; k++) {
            int64_t y = oh * q->stride_h - q->pad_h + k;
            if (y < y0 || y >= y1)
                continue;
            memset(line, 0, (size_t)line_len * sizeof *line);
            q->isa->add_windows(line, row + (c * q->kh + k) * q->width, q->in_w, q->stride_w,
                                q->lanes, q->width);
            float *to = dx + (c * q->out_h + y) * q->out_w;
            int64_t end = SAL_MIN(q->out_w, (q->in_w - 1) * q->stride_w + q->kw - q->pad_w);
            for (int64_t x = 0; x < end; x++)
                to[x] += line[x + q->pad_w];
        }
}

/* Rows y0..y1 of image n. */
static void image_grad_band(const image_grad *q, float *dx, const float *dy, int64_t n, int64_t y0,
                            int64_t y1, float *room)
{
    float *image = dx + n * q->c * q->out_h * q->out_w;
    float *line = room + q->in_w * q->lanes;
    const int64_t plane = q->in_h * q->in_w * q->block;
    for (int64_t c = 0; c < q->c; c++)
        memset(image + (c * q->out_h + y0) * q->out_w, 0,
               (size_t)((y1 - y0) * q->out_w) * sizeof *image);
    for (int64_t oh = 0; oh < q->in_h; oh++) {
        int64_t top = oh * q->stride_h - q->pad_h;
        if (top >= y1 || top + q->kh <= y0)
            continue;
        q->isa->pixel_products(room, dy + n * q->m_blocks * plane + oh * q->in_w * q->block,
                               q->weights, q->in_w, plane, q->m_blocks * q->block, q->lanes);
        image_grad_scatter(q, image, room, y0, y1, oh, line);
    }
}

static sal_status image_grad_run(sal_step *step, sal_session *s, sal_error *err)
{
    const image_grad *q = step->state;
    const float *dy = sal_step_ptr(s, step->in[0]);
    float *dx = sal_step_ptr(s, step->out[0]);
    (void)err;
    int64_t bands = q->batch >= q->threads ? 1 : q->threads;
#pragma omp parallel for schedule(static) num_threads(q->threads)
    for (int64_t i = 0; i < q->batch * bands; i++) {
        float *room = (float *)(void *)s->scratch + (size_t)omp_get_thread_num() * q->row_floats;
        int64_t b = i % bands;
        image_grad_band(q, dx, dy, i / bands, q->out_h * b / bands, q->out_h * (b + 1) / bands,
                        room);
    }
    return SAL_OK;
}

/* [M, C, kh, kw] -> [M padded][lanes], zeros in the padding. */
static void image_grad_weights(const image_grad *q, const float *w, float *to)
{
    for (int64_t m = 0; m < q->m; m++)
        for (int64_t c = 0; c < q->c; c++)
            for (int64_t y = 0; y < q->kh; y++)
                for (int64_t x = 0; x < q->kw; x++)
                    to[m * q->lanes + (c * q->kh + y) * q->width + x] =
                        w[((m * q->c + c) * q->kh + y) * q->kw + x];
}

sal_status sal_lower_image_grad(sal_plan *p, const sal_node *n, const sal_window *w,
                                const sal_group *gr, bool *done, sal_error *err)
{
    sal_status st = SAL_OK;
    const sal_value *x = sal_val(p->g, n->in[0]), *y = sal_val(p->g, n->out[0]),
                    *k = sal_val(p->g, n->in[1]);
    image_grad *q = NULL;
    sal_pid in, out, raw, fixed;
    void *room = NULL;
    *done = false;
    if (w->n != 2 || y->dims[1] > 4 || sal_node_int(n, "group", 1) != 1 ||
        sal_node_in(n, 2) != SAL_NONE || k->constant == NULL || w->dilations[0] != 1 ||
        w->dilations[1] != 1 || w->kernel[1] > 16 || (gr != NULL && gr->n_epilogue > 0))
        return SAL_OK;
    q = sal_calloc(1, sizeof *q);
    if (q == NULL)
        return sal_fail_nomem(err);
    *q = (image_grad){.isa = sal_isa(),
                      .batch = x->dims[0],
                      .c = y->dims[1],
                      .m = x->dims[1],
                      .kh = w->kernel[0],
                      .kw = w->kernel[1],
                      .in_h = w->in[0],
                      .in_w = w->in[1],
                      .out_h = w->out[0],
                      .out_w = w->out[1],
                      .stride_h = w->strides[0],
                      .stride_w = w->strides[1],
                      .pad_h = w->pads_begin[0],
                      .pad_w = w->pads_begin[1],
                      .block = p->block,
                      .threads = p->threads};
    q->width = q->kw <= 4 ? 4 : q->kw <= 8 ? 8 : 16;
    q->lanes = (q->c * q->kh * q->width + 15) / 16 * 16;
    q->m_blocks = (q->m + p->block - 1) / p->block;
    q->row_floats =
        (size_t)(q->in_w * q->lanes + (q->in_w - 1) * q->stride_w + 32 + 15) & ~(size_t)15;
    if (q->lanes > IMAGE_MAX_LANES)
        goto done;
    SAL_TRY(sal_plan_get(p, n->in[1], SAL_PLAIN, SAL_F32, &raw, err));
    SAL_TRY(sal_plan_prepared(p, (size_t)(q->m_blocks * p->block * q->lanes) * sizeof(float), &room,
                              err));
    image_grad_weights(q, p->values[raw].fixed, room);
    q->weights = room;
    SAL_TRY(sal_plan_fixed(p, room, (size_t)(q->m_blocks * p->block * q->lanes) * sizeof(float),
                           SAL_F32, &fixed, err));
    SAL_TRY(sal_plan_get(p, n->in[0], SAL_BLOCKED, SAL_F32, &in, err));
    SAL_TRY(sal_plan_new(p, n->out[0], SAL_PLAIN, SAL_F32, &out, err));
    image_grad *handed = q;
    q = NULL;
    sal_step *step;
    SAL_TRY(sal_plan_step(p, "image-grad", n, image_grad_run, handed, sal_free, 1, &in, 1, &out,
                          &step, err));
    step->scratch = (size_t)p->threads * handed->row_floats * sizeof(float);
    *done = true;
done:
    sal_free(q);
    return st;
}
