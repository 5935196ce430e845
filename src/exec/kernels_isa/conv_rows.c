/* Direct convolution of row segments (exec/conv_rows.h).
 *
 * A segment of 14 pixels and two blocks of 16 output channels fills 28 of the 32 registers of
 * AVX-512: for each input channel two loads of weights and 14 broadcasts feed 28 multiply-adds, so
 * that the loads, of which there may be as many as multiply-adds a cycle, are not the limit. Other
 * instruction sets have too few registers for it and leave convolutions to oneDNN. */
#include "exec/isa.h"

#include <stdbool.h>
#include <stddef.h>

#define ISA_CAT2(a, b) a##__##b
#define ISA_CAT(a, b)  ISA_CAT2(a, b)
#define ISA(name)      ISA_CAT(name, SAL_ISA)

sal_conv_row_fn ISA(sal_conv_rows)(int pixels, int stride);

#if defined(__AVX512F__)

#include <immintrin.h>

#define CONV_MAX(a, b) ((a) > (b) ? (a) : (b))
#define ALWAYS         static inline __attribute__((always_inline))
/* Loops over pixels disappear, so that every sum gets its register. */
#define EACH_PIXEL(p, from, to)                                                                    \
    _Pragma("GCC unroll 14") for (int p = 0; p < SAL_CONV_PIXELS; p++) if (p >= (from) && p < (to))

/* One tap: pixels from..to of a segment, 16 input channels. Meanwhile the pixels at `ahead`, which
 * the next channels begin with, come into the first-level cache. */
ALWAYS void conv_tap(__m512 *a, __m512 *b, const float *x, int64_t at, const float *w,
                     int64_t w_next, const float *ahead, int from, int to, int stride, int outputs)
{
    for (int c = 0; c < 16; c++, at++, w += 16) {
        _mm_prefetch((const char *)(ahead + (c < SAL_CONV_PIXELS ? c * stride * 16 : 0)),
                     _MM_HINT_T0);
        const __m512 w0 = _mm512_loadu_ps(w);
        const __m512 w1 = outputs == 2 ? _mm512_loadu_ps(w + w_next) : w0;
        EACH_PIXEL(p, from, to)
        {
            const __m512 v = _mm512_set1_ps(x[at + p * stride * 16]);
            a[p] = _mm512_fmadd_ps(w0, v, a[p]);
            if (outputs == 2)
                b[p] = _mm512_fmadd_ps(w1, v, b[p]);
        }
    }
}

/* Summands and masks come from far away, where the sums go to as well: ask for them early. */
ALWAYS void conv_call(const sal_conv_row *r, int pixels, int outputs)
{
    for (int i = -1; i < r->n_ends; i++) {
        if (i >= 0 && (r->ends[i].op != SAL_CONV_ADD || r->ends[i].with == r->y))
            continue;
        const float *from = (i < 0 ? r->y : r->ends[i].with) + r->y_at;
        EACH_PIXEL(p, 0, pixels)
        {
            _mm_prefetch((const char *)(from + p * 16), _MM_HINT_T0);
            if (outputs == 2)
                _mm_prefetch((const char *)(from + r->y_next + p * 16), _MM_HINT_T0);
        }
    }
}

ALWAYS void conv_begin(const sal_conv_row *r, __m512 *a, int q, int pixels)
{
    if (r->resume) {
        const float *y = r->y + r->y_at + q * r->y_next;
        EACH_PIXEL(p, 0, pixels)
        a[p] = _mm512_loadu_ps(y + p * 16);
    } else {
        const __m512 bias = _mm512_loadu_ps(r->bias + q * 16);
        EACH_PIXEL(p, 0, pixels)
        a[p] = bias;
    }
}

ALWAYS void conv_end(const sal_conv_row *r, __m512 *a, int q, int pixels)
{
    const int64_t at = r->y_at + q * r->y_next;
    for (int i = 0; i < r->n_ends; i++) {
        const sal_conv_end *e = &r->ends[i];
        if (e->op == SAL_CONV_ADD) {
            EACH_PIXEL(p, 0, pixels)
            a[p] = _mm512_add_ps(a[p], _mm512_loadu_ps(e->with + at + p * 16));
        } else if (e->op == SAL_CONV_CLIP) {
            const __m512 lo = _mm512_set1_ps(e->lo), hi = _mm512_set1_ps(e->hi);
            EACH_PIXEL(p, 0, pixels) /* of a NaN and a number, the second operand is taken */
            a[p] = _mm512_min_ps(hi, _mm512_max_ps(lo, a[p]));
        } else {
            EACH_PIXEL(p, 0, pixels)
            {
                const __m128i m = _mm_loadu_si128((const __m128i *)(e->keep + at + p * 16));
                a[p] = _mm512_maskz_mov_ps(_mm_test_epi8_mask(m, m), a[p]);
            }
        }
    }
    EACH_PIXEL(p, 0, pixels)
    _mm512_storeu_ps(r->y + at + p * 16, a[p]);
}

/* Terms that are summed one after the other; the sums of such runs are then added up. One run of
 * thousands of terms would err several times as much. */
#define CONV_RUN 128

/* Put the sums of a run away and begin the next one at zero. */
ALWAYS void conv_put_away(__m512 *total, __m512 *a, int pixels, bool first)
{
    EACH_PIXEL(p, 0, pixels)
    {
        total[p] = first ? a[p] : _mm512_add_ps(total[p], a[p]);
        a[p] = _mm512_setzero_ps();
    }
}

ALWAYS void conv_take_back(const __m512 *total, __m512 *a, int pixels)
{
    EACH_PIXEL(p, 0, pixels)
    a[p] = _mm512_add_ps(total[p], a[p]);
}

ALWAYS void conv_segment(const sal_conv_row *r, int pixels, int stride, int outputs)
{
    __m512 a[SAL_CONV_PIXELS], b[SAL_CONV_PIXELS];
    __m512 total_a[SAL_CONV_PIXELS], total_b[SAL_CONV_PIXELS];
    const int run = CONV_MAX(CONV_RUN / (16 * CONV_MAX(r->rows * r->taps, 1)), 1);
    int since = 0, runs = 0;
    conv_call(r, pixels, outputs);
    conv_begin(r, a, 0, pixels);
    if (outputs == 2)
        conv_begin(r, b, 1, pixels);
    for (int block = 0; block < r->blocks; block++, since++) {
        if (since == run) {
            conv_put_away(total_a, a, pixels, runs == 0);
            if (outputs == 2)
                conv_put_away(total_b, b, pixels, runs == 0);
            since = 0;
            runs++;
        }
        const uint8_t *fetch = r->fetch + block * r->fetch_block;
        const int64_t next = block + 1 < r->blocks ? r->x_block : 0;
        for (int row = 0; row < r->rows; row++) {
            int64_t at = r->x_at + block * r->x_block + row * r->x_row;
            const float *ahead = r->x + CONV_MAX(at + next, 0);
            const float *w = r->w + block * r->w_block + (int64_t)row * r->taps * 256;
            for (int k = 0; k < r->taps; k++, at += 16, w += 256) {
                for (int i = 0; i < r->fetch_lines; i++, fetch += 64) {
                    _mm_prefetch((const char *)fetch, _MM_HINT_T1);
                    _mm_prefetch((const char *)fetch + r->fetch_second, _MM_HINT_T1);
                }
                if (k < r->first_tap) {
                    if (pixels > 1)
                        conv_tap(a, b, r->x, at, w, r->w_next, ahead, 1, pixels, stride, outputs);
                } else if (k >= r->last_tap) {
                    if (pixels > 1)
                        conv_tap(a, b, r->x, at, w, r->w_next, ahead, 0, pixels - 1, stride,
                                 outputs);
                } else {
                    conv_tap(a, b, r->x, at, w, r->w_next, ahead, 0, pixels, stride, outputs);
                }
            }
        }
    }
    if (runs > 0) {
        conv_take_back(total_a, a, pixels);
        if (outputs == 2)
            conv_take_back(total_b, b, pixels);
    }
    conv_end(r, a, 0, pixels);
    if (outputs == 2)
        conv_end(r, b, 1, pixels);
}

#define SEGMENT(pixels, stride)                                                                    \
    static void conv_##pixels##_##stride(const sal_conv_row *r)                                    \
    {                                                                                              \
        if (r->outputs == 2)                                                                       \
            conv_segment(r, pixels, stride, 2);                                                    \
        else                                                                                       \
            conv_segment(r, pixels, stride, 1);                                                    \
    }
#define SEGMENTS(X, stride)                                                                        \
    X(1, stride)                                                                                   \
    X(2, stride)                                                                                   \
    X(3, stride)                                                                                   \
    X(4, stride)                                                                                   \
    X(5, stride)                                                                                   \
    X(6, stride)                                                                                   \
    X(7, stride)                                                                                   \
    X(8, stride)                                                                                   \
    X(9, stride)                                                                                   \
    X(10, stride)                                                                                  \
    X(11, stride)                                                                                  \
    X(12, stride)                                                                                  \
    X(13, stride)                                                                                  \
    X(14, stride)
SEGMENTS(SEGMENT, 1)
SEGMENTS(SEGMENT, 2)

#define ENTRY(pixels, stride) [stride - 1][pixels - 1] = conv_##pixels##_##stride,
static const sal_conv_row_fn conv_table[SAL_CONV_STRIDES][SAL_CONV_PIXELS] = {
    SEGMENTS(ENTRY, 1) SEGMENTS(ENTRY, 2)};

sal_conv_row_fn ISA(sal_conv_rows)(int pixels, int stride)
{
    if (pixels < 1 || pixels > SAL_CONV_PIXELS || stride < 1 || stride > SAL_CONV_STRIDES)
        return NULL;
    return conv_table[stride - 1][pixels - 1];
}

#else

sal_conv_row_fn ISA(sal_conv_rows)(int pixels, int stride)
{
    (void)pixels, (void)stride;
    return NULL;
}

#endif
