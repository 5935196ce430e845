/* Direct convolution with our own kernel (exec/conv_rows.h): blocked activations, weights as
 * oneDNN's OIhw16i16o.
 *
 * Work is divided among threads by output channels, by rows, or both: threads that share output
 * channels read the same weights, threads that share rows the same input. Within a thread input
 * channels are cut so that the weights of two blocks of output channels stay in the second-level
 * cache while all rows pass over them; meanwhile the weights that come next are fetched, at last
 * those of the next convolution. Without that, layers with many channels and few pixels wait for
 * memory half of their time. Where weights are few and rows many, rows are cut instead and the next
 * row is fetched. */
#include "exec/kernels/conv_direct.h"

#include "exec/isa.h"

#include <omp.h>
#include <stdio.h>

enum {
    DIRECT_BLOCK = 16,
    DIRECT_LINE = 64,
    DIRECT_TERMS = 64,          /* least terms of a sum */
    DIRECT_WEIGHTS = 160 << 10, /* bytes of weights that are worked on at once */
    DIRECT_FEW = 640 << 10,     /* weights that may stay in the cache as a whole */
    DIRECT_ROWS = 1000 << 10    /* those and the input rows worked on together */
};

typedef struct direct {
    sal_conv_direct c;
    int in_blocks, out_blocks;
    int segments; /* of a row */
    sal_conv_row_fn fn[SAL_CONV_PIXELS + 1];
    int by_channels, by_rows; /* threads = their product */
    int cut;                  /* blocks of input channels at a time */
    int64_t band;             /* rows at a time */
    int64_t x_row, x_block, y_block, w_block;
    int n_ends, operand[SAL_CONV_ENDS]; /* index into the step's inputs; -1 = none */
    sal_conv_end ends[SAL_CONV_ENDS];
    const struct direct *follower; /* the next convolution of this kind, and its weights; NULL */
    sal_pid follower_weights;
} direct;

/* What one thread does, and where it is. */
typedef struct direct_job {
    const direct *d;
    sal_conv_row r;
    sal_conv_end ends[SAL_CONV_ENDS];
    const float *w, *bias;
    int first_block, end_block;
    int64_t first_row, end_row;
    const float *follower; /* where this thread's part of the next convolution begins; NULL */
    const uint8_t *next;   /* weights to be fetched, NULL when none are: next_bytes, and as many */
    int64_t next_at, next_bytes, next_second; /* next_second bytes behind */
} direct_job;

static int64_t direct_ceil(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* A 1x1 convolution does not care how pixels form rows: take the width, a divisor of their number,
 * with the longest segments. */
static void direct_reshape(sal_conv_direct *c)
{
    const int64_t pixels = c->out[0] * c->out[1];
    double best = 0.0;
    if (c->kernel[0] != 1 || c->kernel[1] != 1 || c->pad[0] != 0 || c->pad[1] != 0 ||
        c->stride[0] != 1 || c->stride[1] != 1 || c->out[0] != c->in[0] || c->out[1] != c->in[1])
        return;
    for (int64_t w = 1; w <= 4 * SAL_CONV_PIXELS && w <= pixels; w++) {
        const double length = (double)w / (double)direct_ceil(w, SAL_CONV_PIXELS);
        if (pixels % w != 0 || length <= best)
            continue;
        best = length;
        c->out[1] = c->in[1] = w;
        c->out[0] = c->in[0] = pixels / w;
    }
}

static bool direct_geometry_fits(const sal_conv_direct *c)
{
    const int64_t last = (c->out[1] - 1) * c->stride[1];
    if (c->kernel[0] > 16 || c->kernel[1] > 16 || c->stride[0] > 16 ||
        c->stride[1] > SAL_CONV_STRIDES)
        return false;
    /* Only the first pixel of a row may miss taps on the left, only the last one on the right, and
     * never at the same tap. */
    if (c->pad[1] > c->stride[1] || last - 1 >= c->in[1] ||
        last - c->stride[1] - c->pad[1] + c->kernel[1] > c->in[1])
        return false;
    /* Few products a sum do not pay for the way into and out of the registers. */
    if (c->in_channels * c->kernel[0] * c->kernel[1] < DIRECT_TERMS)
        return false;
    /* Eight sums at least, or else each multiply-add waits for the one before. */
    sal_conv_direct r = *c;
    direct_reshape(&r);
    return r.out[1] / direct_ceil(r.out[1], SAL_CONV_PIXELS) *
               SAL_MIN(direct_ceil(c->out_channels, DIRECT_BLOCK), 2) >=
           8;
}

bool sal_conv_direct_fits(const sal_plan *p, const sal_conv_direct *c, const sal_group *gr)
{
    sal_conv_end ends[SAL_CONV_ENDS];
    sal_vid operand[SAL_CONV_ENDS];
    if (p->block != DIRECT_BLOCK || sal_plan_act(p) != SAL_F32 ||
        sal_isa()->conv_rows(1, 1) == NULL || c->in_channels % DIRECT_BLOCK != 0 ||
        !direct_geometry_fits(c) ||
        (c->bias != SAL_NONE && sal_val(p->g, c->bias)->constant == NULL))
        return false;
    int n = sal_epilogue_ends(p, gr, ends, operand);
    for (int i = 0; i < n; i++) /* channels of the padding stay zero */
        if (c->out_channels % DIRECT_BLOCK != 0 && ends[i].op == SAL_CONV_CLIP &&
            !(ends[i].lo <= 0.0f && ends[i].hi >= 0.0f))
            return false;
    return n >= 0;
}

sal_status sal_conv_direct_weights(const sal_conv_direct *c, dnnl_memory_desc_t *out,
                                   sal_error *err)
{
    dnnl_dims_t dims = {c->out_channels, c->in_channels, c->kernel[0], c->kernel[1]};
    *out = NULL;
    return sal_dnnl_check(dnnl_memory_desc_create_with_tag(out, 4, dims, dnnl_f32, dnnl_OIhw16i16o),
                          "memory descriptor", err);
}

/* ---- running ---- */

/* Let the kernel fetch the rows that the next row reads first. */
static void direct_fetch_rows(direct_job *j, int64_t row, int first_block, int64_t column,
                              int64_t pixels)
{
    const direct *d = j->d;
    const sal_conv_direct *c = &d->c;
    sal_conv_row *r = &j->r;
    const int64_t next = row + 1, rows = SAL_MIN(SAL_MIN(c->stride[0], c->kernel[0]), 2);
    if (next >= j->end_row || r->rows == 0)
        return;
    int64_t from = next % c->out[0] * c->stride[0] - c->pad[0] + c->kernel[0] - rows;
    from = SAL_MAX(SAL_MIN(from, c->in[0] - rows), 0);
    const int64_t lines = rows == 2 ? pixels * c->stride[1] : direct_ceil(pixels * c->stride[1], 2);
    const float *x = r->x + (next / c->out[0] * d->in_blocks + first_block) * d->x_block +
                     from * d->x_row + SAL_MAX(column, 0) * DIRECT_BLOCK;
    r->fetch = (const uint8_t *)x;
    r->fetch_block = d->x_block * (int64_t)sizeof(float);
    r->fetch_second = rows == 2 ? d->x_row * (int64_t)sizeof(float) : lines * DIRECT_LINE;
    r->fetch_lines = (int)direct_ceil(lines, (int64_t)r->rows * r->taps);
}

/* Let the kernel fetch a share of the weights that come next. */
static void direct_fetch_weights(direct_job *j, int lines)
{
    sal_conv_row *r = &j->r;
    const int64_t block = (int64_t)r->rows * r->taps * lines * DIRECT_LINE;
    if (j->next == NULL || j->next_at >= j->next_bytes)
        return;
    r->fetch = j->next + j->next_at;
    r->fetch_block = block;
    r->fetch_second = j->next_second;
    r->fetch_lines = lines;
    j->next_at += block * r->blocks;
}

/* The weights after those of channels cut..end of two blocks of output channels: of the next
 * channels, else of the next two blocks, else those that the next convolution begins with. */
static void direct_next(direct_job *j, int block, int cut, int end, bool last)
{
    const direct *d = j->d, *f = d->follower;
    const int64_t f32 = (int64_t)sizeof(float), one = d->w_block / d->in_blocks;
    const float *w = j->w + block * d->w_block + cut * one;
    j->next = NULL;
    j->next_at = 0;
    j->next_second = d->w_block * f32;
    if (end < d->in_blocks) {
        j->next = (const uint8_t *)(w + d->cut * one);
        j->next_bytes = SAL_MIN(d->cut, d->in_blocks - end) * one * f32;
    } else if (block + 4 <= j->end_block) {
        j->next = (const uint8_t *)(j->w + (block + 2) * d->w_block);
        j->next_bytes = d->cut * one * f32;
    } else if (last && j->follower != NULL) {
        j->next = (const uint8_t *)j->follower;
        j->next_bytes = f->w_block / f->in_blocks * f->cut * f32;
        j->next_second = f->out_blocks > 1 ? f->w_block * f32 : 0;
    }
}

/* One output row of two blocks of output channels, over a cut of the input channels. */
static void direct_row(direct_job *j, int64_t row, int block, int cut, const float *w,
                       bool fetch_rows, int lines)
{
    const direct *d = j->d;
    const sal_conv_direct *c = &d->c;
    sal_conv_row *r = &j->r;
    const int64_t image = row / c->out[0], y = row % c->out[0];
    const int64_t top = y * c->stride[0] - c->pad[0];
    const int64_t begin = SAL_MIN(SAL_MAX(-top, 0), c->kernel[0]);
    const int64_t end = SAL_MAX(SAL_MIN(c->in[0] - top, c->kernel[0]), begin);
    r->rows = (int)(end - begin);
    r->w = w + begin * c->kernel[1] * DIRECT_BLOCK * DIRECT_BLOCK;
    for (int s = 0; s < d->segments; s++) {
        const int64_t from = c->out[1] * s / d->segments, to = c->out[1] * (s + 1) / d->segments;
        const int64_t left = from * c->stride[1] - c->pad[1];
        const int64_t last = (to - 1) * c->stride[1] - c->pad[1];
        r->x_at = (image * d->in_blocks + cut) * d->x_block + (top + begin) * d->x_row +
                  left * DIRECT_BLOCK;
        r->y_at =
            (image * d->out_blocks + block) * d->y_block + (y * c->out[1] + from) * DIRECT_BLOCK;
        r->first_tap = (int)SAL_MAX(-left, 0);
        r->last_tap = (int)SAL_MIN(c->in[1] - last, c->kernel[1]);
        r->fetch_lines = 0;
        r->fetch = (const uint8_t *)w;
        r->fetch_block = r->fetch_second = 0;
        if (fetch_rows)
            direct_fetch_rows(j, row, cut, left, to - from);
        else
            direct_fetch_weights(j, lines);
        d->fn[to - from](r);
    }
}

/* All rows of a band for two blocks of output channels. */
static void direct_block(direct_job *j, int block, int64_t row0, int64_t row1)
{
    const direct *d = j->d;
    sal_conv_row *r = &j->r;
    const int64_t taps = d->c.kernel[0] * d->c.kernel[1];
    const bool banded = d->band < j->end_row - j->first_row;
    const bool rows = banded && block == j->first_block && row1 < j->end_row;
    r->outputs = SAL_MIN(2, j->end_block - block);
    r->bias = j->bias + (size_t)block * DIRECT_BLOCK;
    for (int cut = 0; cut < d->in_blocks; cut += d->cut) {
        const int end = SAL_MIN(cut + d->cut, d->in_blocks);
        direct_next(j, block, cut, end, row1 == j->end_row);
        r->blocks = end - cut;
        r->resume = cut > 0;
        r->n_ends = end == d->in_blocks ? d->n_ends : 0;
        const int lines = (int)direct_ceil(j->next_bytes, SAL_MAX((row1 - row0) * d->segments, 1) *
                                                              r->blocks * taps * DIRECT_LINE);
        for (int64_t row = row0; row < row1; row++)
            direct_row(j, row, block, cut,
                       j->w + block * d->w_block + cut * taps * DIRECT_BLOCK * DIRECT_BLOCK, rows,
                       lines);
    }
}

/* Where thread t begins to read the weights of the next convolution. */
static const float *direct_follower(const direct *d, const sal_session *s, int t)
{
    const direct *f = d->follower;
    if (f == NULL || t >= f->by_channels * f->by_rows)
        return NULL;
    const int64_t pairs = direct_ceil(f->out_blocks, 2);
    const float *w = sal_step_ptr(s, d->follower_weights);
    return w + pairs * (t % f->by_channels) / f->by_channels * 2 * f->w_block;
}

static sal_status direct_run(sal_step *step, sal_session *s, sal_error *err)
{
    const direct *d = step->state;
    const int threads = d->by_channels * d->by_rows;
    const int64_t pairs = direct_ceil(d->out_blocks, 2), rows = d->c.batch * d->c.out[0];
    (void)err;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int t = 0; t < threads; t++) {
        const int a = t % d->by_channels, b = t / d->by_channels;
        direct_job j = {.d = d,
                        .w = sal_step_ptr(s, step->in[1]),
                        .bias = sal_step_ptr(s, step->in[2]),
                        .follower = direct_follower(d, s, t),
                        .first_block = (int)(pairs * a / d->by_channels) * 2,
                        .first_row = rows * b / d->by_rows,
                        .end_row = rows * (b + 1) / d->by_rows};
        j.end_block = SAL_MIN((int)(pairs * (a + 1) / d->by_channels) * 2, d->out_blocks);
        for (int i = 0; i < d->n_ends; i++) {
            j.ends[i] = d->ends[i];
            if (d->ends[i].op == SAL_CONV_ADD)
                j.ends[i].with = sal_step_ptr(s, step->in[d->operand[i]]);
            else if (d->ends[i].op == SAL_CONV_KEEP)
                j.ends[i].keep = sal_step_ptr(s, step->in[d->operand[i]]);
        }
        j.r = (sal_conv_row){.x = sal_step_ptr(s, step->in[0]),
                             .x_block = d->x_block,
                             .x_row = d->x_row,
                             .w_block = d->w_block / d->in_blocks,
                             .w_next = d->w_block,
                             .y = sal_step_ptr(s, step->out[0]),
                             .y_next = d->y_block,
                             .taps = (int)d->c.kernel[1],
                             .ends = j.ends};
        for (int64_t row = j.first_row; row < j.end_row; row += d->band)
            for (int block = j.first_block; block < j.end_block; block += 2)
                direct_block(&j, block, row, SAL_MIN(row + d->band, j.end_row));
    }
    return SAL_OK;
}

/* ---- planning ---- */

/* Threads by output channels and by rows: the least work for the busiest, then the least traffic.
 */
static void direct_divide(direct *d, int threads)
{
    const int64_t pairs = direct_ceil(d->out_blocks, 2), rows = d->c.batch * d->c.out[0];
    const double w = (double)d->w_block * d->out_blocks,
                 x = (double)d->x_block * d->in_blocks * (double)d->c.batch;
    double best = 0.0;
    for (int a = 1; a <= threads; a++) {
        if (threads % a != 0)
            continue;
        const int b = threads / a;
        const double work = (double)(direct_ceil(pairs, a) * direct_ceil(rows, b) * threads) /
                            ((double)pairs * (double)rows);
        const double traffic = ((double)a * x + (double)b * w) / ((double)threads * (x + w));
        const double cost = work + 0.05 * traffic;
        if (best == 0.0 || cost < best) {
            best = cost;
            d->by_channels = a;
            d->by_rows = b;
        }
    }
}

static void direct_plan(direct *d, int threads)
{
    const sal_conv_direct *c = &d->c;
    d->in_blocks = (int)direct_ceil(c->in_channels, DIRECT_BLOCK);
    d->out_blocks = (int)direct_ceil(c->out_channels, DIRECT_BLOCK);
    d->x_row = c->in[1] * DIRECT_BLOCK;
    d->x_block = c->in[0] * d->x_row;
    d->y_block = c->out[0] * c->out[1] * DIRECT_BLOCK;
    d->w_block = d->in_blocks * c->kernel[0] * c->kernel[1] * DIRECT_BLOCK * DIRECT_BLOCK;
    d->segments = (int)direct_ceil(c->out[1], SAL_CONV_PIXELS);
    for (int i = 1; i <= SAL_CONV_PIXELS; i++)
        d->fn[i] = sal_isa()->conv_rows(i, (int)c->stride[1]);
    direct_divide(d, threads);
    const int64_t f = (int64_t)sizeof(float);
    const int64_t pair = 2 * d->w_block * f, cuts = direct_ceil(pair, DIRECT_WEIGHTS);
    d->cut = (int)direct_ceil(d->in_blocks, SAL_MIN(cuts, d->in_blocks));
    /* Rows are cut when all weights and some rows fit into the cache together, all rows do not. */
    const int64_t weights = d->w_block * f * direct_ceil(d->out_blocks, d->by_channels);
    const int64_t row = d->x_row * c->stride[0] * d->in_blocks * f;
    d->band = direct_ceil(c->batch * c->out[0], d->by_rows);
    if (weights <= DIRECT_FEW && row * d->band > DIRECT_ROWS - weights)
        d->band = SAL_MAX((DIRECT_ROWS - weights) / row, 2);
}

static sal_status direct_bias(sal_plan *p, const sal_conv_direct *c, int blocks, sal_pid *out,
                              sal_error *err)
{
    sal_status st = SAL_OK;
    void *room;
    sal_pid raw;
    const size_t bytes = (size_t)blocks * DIRECT_BLOCK * sizeof(float);
    SAL_TRY(sal_plan_prepared(p, bytes, &room, err));
    if (c->bias != SAL_NONE) {
        SAL_TRY(sal_plan_get(p, c->bias, SAL_PLAIN, SAL_F32, &raw, err));
        memcpy(room, p->values[raw].fixed, (size_t)c->out_channels * sizeof(float));
    }
    SAL_TRY(sal_plan_fixed(p, room, bytes, SAL_F32, out, err));
done:
    return st;
}

sal_status sal_conv_direct_step(sal_plan *p, const char *kernel, const sal_node *n,
                                const sal_group *gr, const sal_conv_direct *c, sal_vid x,
                                sal_pid weights, sal_error *err)
{
    sal_status st = SAL_OK;
    sal_vid operand[SAL_CONV_ENDS];
    sal_pid in[3 + SAL_CONV_ENDS], out;
    int n_in = 3;
    uint32_t in_place = 0;
    direct *d = sal_calloc(1, sizeof *d);
    if (d == NULL)
        return sal_fail_nomem(err);
    d->c = *c;
    direct_reshape(&d->c);
    direct_plan(d, p->threads);
    d->n_ends = sal_epilogue_ends(p, gr, d->ends, operand);
    if (d->n_ends < 0)
        SAL_TRY(sal_fail(err, SAL_EINVAL, "this epilogue does not fit the direct convolution"));
    SAL_TRY(sal_plan_get(p, x, SAL_BLOCKED, SAL_F32, &in[0], err));
    in[1] = weights;
    SAL_TRY(direct_bias(p, c, d->out_blocks, &in[2], err));
    for (int i = 0; i < d->n_ends; i++) {
        if (d->ends[i].op == SAL_CONV_CLIP)
            continue;
        SAL_TRY(sal_plan_get(p, operand[i], SAL_BLOCKED,
                             d->ends[i].op == SAL_CONV_KEEP ? SAL_BOOL : SAL_F32, &in[n_in], err));
        if (d->ends[i].op == SAL_CONV_ADD && d->cut == d->in_blocks)
            in_place |= 1u << n_in; /* a segment is written once, after its summand was read */
        d->operand[i] = n_in++;
    }
    SAL_TRY(sal_plan_new(p, sal_group_result(n, gr), SAL_BLOCKED, SAL_F32, &out, err));
    direct *handed = d;
    d = NULL;
    sal_step *step;
    SAL_TRY(
        sal_plan_step(p, kernel, n, direct_run, handed, sal_free, n_in, in, 1, &out, &step, err));
    step->in_place = in_place;
    for (size_t i = p->n_steps - 1; i > 0; i--)
        if (p->steps[i - 1].run == direct_run) {
            direct *before = p->steps[i - 1].state;
            before->follower = handed;
            before->follower_weights = weights;
            break;
        }
    snprintf(step->impl, sizeof step->impl, "own:%s", sal_isa()->name);
done:
    sal_free(d);
    return st;
}
