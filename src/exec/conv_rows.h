/* The inner part of a direct convolution over blocked layouts, one row segment at a time. */
#ifndef SAL_EXEC_CONV_ROWS_H
#define SAL_EXEC_CONV_ROWS_H

#include <stdbool.h>
#include <stdint.h>

enum {
    SAL_CONV_PIXELS = 14, /* most pixels of a segment */
    SAL_CONV_STRIDES = 2, /* distances of neighbouring windows that exist: 1 and 2 */
    SAL_CONV_ENDS = 12    /* most operations on a finished segment */
};

/* What follows the sum, in order. Operands are laid out like y. */
typedef struct sal_conv_end {
    enum {
        SAL_CONV_ADD,  /* + with[i] */
        SAL_CONV_CLIP, /* max(lo, .), then min(hi, .); NaN stays */
        SAL_CONV_KEEP  /* 0 where the byte keep[i] is 0 */
    } op;
    const float *with;
    const uint8_t *keep;
    float lo, hi;
} sal_conv_end;

/* Up to SAL_CONV_PIXELS neighbouring outputs of one row, in one or two blocks of output channels:
 *
 *   y[q][p] = bias[q] + sum over blocks of input channels b, kernel rows h, taps k, channels c:
 *             x[x_at + b x_block + h x_row + (p stride + k) 16 + c] w[q][b][h][k][c]
 *
 * A block has 16 channels; y[q][p] and w[q][b][h][k][c] are 16 output channels. Distances count
 * floats. Taps left of `first_tap` do not exist for the first pixel and those from `last_tap` on
 * not for the last one: they would lie in the padding. Kernel rows in the padding are left out by
 * the caller. */
typedef struct sal_conv_row {
    const float *x;
    int64_t x_at, x_block, x_row;
    const float *w;
    int64_t w_block, w_next; /* to the next block of input channels; of output channels */
    const float *bias;       /* blocks after another */
    float *y;
    int64_t y_at, y_next;
    int blocks, rows, taps, first_tap, last_tap;
    int outputs; /* blocks of output channels: 1 or 2 */
    bool resume; /* begin with the sum that is in y, not with the bias */
    int n_ends;  /* 0 while the sum is not complete */
    const sal_conv_end *ends;
    /* Data that later segments need, brought near by the way: at each tap `fetch_lines` cache lines
     * from `fetch` on and as many `fetch_second` bytes behind; `fetch_block` bytes further with
     * each block of input channels. */
    const uint8_t *fetch;
    int64_t fetch_second, fetch_block;
    int fetch_lines;
} sal_conv_row;

typedef void (*sal_conv_row_fn)(const sal_conv_row *r);

#endif
