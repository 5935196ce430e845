/* Kernels compiled once for each instruction set; chosen once, through tables of pointers. */
#ifndef SAL_EXEC_ISA_H
#define SAL_EXEC_ISA_H

#include "exec/cache_tiles.h"
#include "exec/conv_rows.h"
#include "exec/packed_rows.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum sal_tile_op {
#define SAL_TILE(id, operands) SAL_TILE_##id,
#include "exec/tile_ops.def"
#undef SAL_TILE
    SAL_TILE_COUNT
} sal_tile_op;

/* d[i] = f(a[i], b[i], c[i]; p0, p1) for i < n. d may be a, b or c itself. Truth values are 1 and
 * 0. */
typedef void (*sal_tile_fn)(float *d, const float *a, const float *b, const float *c, int n,
                            float p0, float p1);

typedef struct sal_isa_table {
    const char *name;
    int block; /* channels a block in blocked layouts */
    sal_tile_fn tile[SAL_TILE_COUNT];
    void (*load_bf16)(float *d, const uint16_t *s, int n);
    void (*store_bf16)(uint16_t *d, const float *s, int n);
    void (*load_u8)(float *d, const uint8_t *s, int n);
    void (*store_bool)(uint8_t *d, const float *s, int n);
    /* d[i] = x[i] > lo && !(x[i] >= hi), as 0 or 1; hi NaN: no upper bound. */
    void (*range_mask)(uint8_t *d, const float *x, int64_t n, float lo, float hi);
    void (*range_mask_bf16)(uint8_t *d, const uint16_t *x, int64_t n, float lo, float hi);
    /* d[i] = m[i] ? x[i] : 0; d may be x. */
    void (*keep)(float *d, const float *x, const uint8_t *m, int64_t n);
    void (*keep_bf16)(uint16_t *d, const uint16_t *x, const uint8_t *m, int64_t n);
    /* y = softmax(x) over n contiguous elements. */
    void (*softmax)(float *y, const float *x, int64_t n);
    /* dx = y * (dy - sum(dy * y)) */
    void (*softmax_grad)(float *dx, const float *dy, const float *y, int64_t n);
    /* Layer normalisation of one row; bias may be NULL; mean and 1/sqrt(var + eps) are returned
     * when not NULL. */
    void (*layer_norm)(float *y, const float *x, const float *scale, const float *bias, int64_t n,
                       float eps);
    /* dx of one row of layer normalisation. */
    void (*layer_norm_grad)(float *dx, const float *dy, const float *x, const float *scale,
                            int64_t n, float eps);
    /* Sums for reductions: sum and sum of products over contiguous elements, in double. */
    double (*sum)(const float *x, int64_t n);
    /* acc[c] += sum over i of x[i * block + c], c < block. */
    void (*sum_blocked)(float *acc, const float *x, int64_t n);
    /* Products for the input gradient of a convolution with few input channels. For `pixels`
     * neighbouring pixels of a blocked gradient (channel block b of pixel i begins at dy + b *
     * block_stride + i * block): out[i * lanes + l] = sum over m of dy[i][m] * w[m * lanes + l].
     * lanes is a multiple of 16, m_count of the block. */
    void (*pixel_products)(float *out, const float *dy, const float *w, int64_t pixels,
                           int64_t block_stride, int64_t m_count, int64_t lanes);
    /* row[i * step + j] += from[i * lanes + j] for j < width, i < pixels; width is 4, 8 or 16. */
    void (*add_windows)(float *row, const float *from, int64_t pixels, int64_t step, int64_t lanes,
                        int width);
    /* One window of max pooling, one block of channels: dy goes to the first of the taps (offsets
     * into x and dx) whose x equals the maximum y. */
    void (*max_scatter)(float *dx, const float *x, const float *y, const float *dy,
                        const int64_t *taps, int n);
    /* The convolution kernel for segments of this many pixels at this stride; NULL when there is
     * none. */
    sal_conv_row_fn (*conv_rows)(int pixels, int stride);
    const sal_packed_isa *packed; /* products with packed matrices */
    const sal_cache_isa *cache;   /* attention over a key-value cache */
} sal_isa_table;

/* The best table for this machine, or a lesser one when the environment variable SAL_CPU says
 * "baseline" or "avx2". Read once. */
const sal_isa_table *sal_isa(void);
/* Has this machine the byte products of AVX-512 VNNI, and is the table that of AVX-512? */
bool sal_isa_vnni(void);

#endif
