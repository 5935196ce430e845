/* Instructions of the element-wise tile engine and row kernels, compiled once for each instruction
 * set. */
#include "exec/isa.h"

#include "exec/kernels_isa/simd.h"
#include "exec/kernels_isa/vector_math.h"

#include <math.h>

#define ISA_CAT2(a, b) a##__##b
#define ISA_CAT(a, b)  ISA_CAT2(a, b)
#define ISA(name)      ISA_CAT(name, SAL_ISA)

/* One instruction: an expression of x, y, z (the operands) and p0, p1. */
#define TILE(id, expr)                                                                             \
    static void tile_##id(float *d, const float *a, const float *b, const float *c, int n,         \
                          float p0, float p1)                                                      \
    {                                                                                              \
        (void)b, (void)c, (void)p0, (void)p1;                                                      \
        _Pragma("GCC ivdep") for (int i = 0; i < n; i++)                                           \
        {                                                                                          \
            const float x = a[i];                                                                  \
            d[i] = (expr);                                                                         \
        }                                                                                          \
    }
#define TILE2(id, expr)                                                                            \
    static void tile_##id(float *d, const float *a, const float *b, const float *c, int n,         \
                          float p0, float p1)                                                      \
    {                                                                                              \
        (void)c, (void)p0, (void)p1;                                                               \
        _Pragma("GCC ivdep") for (int i = 0; i < n; i++)                                           \
        {                                                                                          \
            const float x = a[i], y = b[i];                                                        \
            d[i] = (expr);                                                                         \
        }                                                                                          \
    }
#define TRUTH(cond) ((cond) ? 1.0f : 0.0f)

static inline float gelu_erf(float x)
{
    return 0.5f * x * (1.0f + vm_erf(x * 0.707106781f));
}

/* x (1 + tanh u) / 2 = x sigmoid(2u), without the cancellation for x far below 0 */
static inline float gelu_tanh(float x)
{
    return x * vm_sigmoid(1.59576912f * (x + 0.044715f * x * x * x));
}

/* d/dx x Phi(x) = Phi(x) + x phi(x) */
static inline float gelu_slope(float x)
{
    return 0.5f * (1.0f + vm_erf(x * 0.707106781f)) + x * 0.398942280f * vm_exp(-0.5f * x * x);
}

/* the tanh form by the chain rule: with s = sigmoid(2u), s + x s (1 - s) 2u' */
static inline float gelu_tanh_slope(float x)
{
    float u = 1.59576912f * (x + 0.044715f * x * x * x);
    float e = vm_exp(u < 0.0f ? u : -u), r = 1.0f / (1.0f + e);
    float s = u < 0.0f ? e * r : r;
    return s + x * (e * r * r) * 1.59576912f * (1.0f + 0.134145f * x * x);
}

TILE(COPY, x)
TILE2(ADD, x + y)
TILE2(SUB, x - y)
TILE2(MUL, x *y)
TILE2(DIV, x / y)
TILE2(MIN, x != x ? x : y < x || y != y ? y : x)
TILE2(MAX, x != x ? x : y > x || y != y ? y : x)
TILE2(POW, powf(x, y))
TILE2(PRELU, x < 0.0f ? x * y : x)
TILE2(EQ, TRUTH(x == y))
TILE2(GT, TRUTH(x > y))
TILE2(GE, TRUTH(x >= y))
TILE2(LT, TRUTH(x < y))
TILE2(LE, TRUTH(x <= y))
TILE2(AND, x *y)
TILE2(OR, x + y - x * y)
TILE2(XOR, TRUTH(x != y))
TILE2(GELU_GRAD, x *gelu_slope(y))
TILE2(GELU_TANH_GRAD, x *gelu_tanh_slope(y))
TILE(NOT, 1.0f - x)
TILE(NONZERO, TRUTH(x != 0.0f))
TILE(NEG, -x)
TILE(ABS, x < 0.0f ? -x : x)
TILE(SQUARE, x *x)
TILE(CUBE, x *x *x)
TILE(SQRT, sqrtf(x))
TILE(RSQRT, 1.0f / sqrtf(x))
TILE(RECIPROCAL, 1.0f / x)
TILE(EXP, vm_exp(x))
TILE(LOG, vm_log(x))
TILE(ERF, vm_erf(x))
TILE(TANH, vm_tanh(x))
TILE(SIGMOID, vm_sigmoid(x))
TILE(SIN, sinf(x))
TILE(COS, cosf(x))
TILE(SIGN, x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x)
TILE(FLOOR, floorf(x))
TILE(CEIL, ceilf(x))
TILE(RELU, x < 0.0f ? 0.0f : x)
TILE(CLIP, x<p0 ? p0 : x> p1 ? p1 : x)
TILE(LEAKY_RELU, x < 0.0f ? p0 * x : x)
TILE(ELU, x < 0.0f ? p0 * (vm_exp(x) - 1.0f) : x)
TILE(SELU, p1 *(x < 0.0f ? p0 * (vm_exp(x) - 1.0f) : x))
TILE(CELU, x < 0.0f ? p0 * (vm_exp(x / p0) - 1.0f) : x)
TILE(HARD_SIGMOID, p0 *x + p1 < 0.0f ? 0.0f : p0 * x + p1 > 1.0f ? 1.0f : p0 * x + p1)
TILE(HARD_SWISH, x *(x + 3.0f < 0.0f ? 0.0f : x + 3.0f > 6.0f ? 1.0f : (x + 3.0f) / 6.0f))
TILE(SOFTPLUS, vm_softplus(x))
TILE(SOFTSIGN, x / (1.0f + (x < 0.0f ? -x : x)))
TILE(MISH, x *vm_tanh(vm_softplus(x)))
TILE(GELU, gelu_erf(x))
TILE(GELU_TANH, gelu_tanh(x))
TILE(SWISH, x *vm_sigmoid(p0 *x))
TILE(SCALE, x *p0)
TILE(SHIFT, x + p0)

static void tile_WHERE(float *d, const float *a, const float *b, const float *c, int n, float p0,
                       float p1)
{
    (void)p0, (void)p1;
    _Pragma("GCC ivdep") for (int i = 0; i < n; i++)
    {
        const float y = b[i], z = c[i];
        d[i] = a[i] != 0.0f ? y : z;
    }
}

/* Adding and taking away 1.5 * 2^23 rounds to an integer, halves to even; the clamp before it keeps
 * the number in the range where that holds, and one step outside the codes. */
static void tile_FAKE_QUANTIZE(float *d, const float *a, const float *b, const float *c, int n,
                               float p0, float p1)
{
    _Pragma("GCC ivdep") for (int i = 0; i < n; i++)
    {
        const float s = b[i], z = c[i], lo = p0 - z, hi = p1 - z, q = a[i] / s;
        const float r = q < lo - 1.0f ? lo - 1.0f : q > hi + 1.0f ? hi + 1.0f : q;
        const float k = (r + 12582912.0f) - 12582912.0f;
        d[i] = (k < lo ? lo : k > hi ? hi : k) * s;
    }
}

static void load_bf16(float *d, const uint16_t *s, int n)
{
    for (int i = 0; i < n; i++)
        d[i] = vm_from_bits((int32_t)((uint32_t)s[i] << 16));
}

/* Nearest even; NaN stays NaN because its quiet bit is set first. */
static void store_bf16(uint16_t *d, const float *s, int n)
{
    for (int i = 0; i < n; i++) {
        uint32_t u = (uint32_t)vm_to_bits(s[i]);
        uint32_t r = u + 0x7fffu + (u >> 16 & 1u);
        r = (u & 0x7fffffffu) > 0x7f800000u ? u | 0x00400000u : r;
        d[i] = (uint16_t)(r >> 16);
    }
}

static void load_u8(float *d, const uint8_t *s, int n)
{
    for (int i = 0; i < n; i++)
        d[i] = (float)s[i];
}

static void store_bool(uint8_t *d, const float *s, int n)
{
    for (int i = 0; i < n; i++)
        d[i] = s[i] != 0.0f;
}

static void range_mask(uint8_t *d, const float *x, int64_t n, float lo, float hi)
{
    for (int64_t i = 0; i < n; i++)
        d[i] = (uint8_t)((x[i] > lo) & !(x[i] >= hi));
}

static void range_mask_bf16(uint8_t *d, const uint16_t *x, int64_t n, float lo, float hi)
{
    for (int64_t i = 0; i < n; i++) {
        const float f = vm_from_bits((int32_t)((uint32_t)x[i] << 16));
        d[i] = (uint8_t)((f > lo) & !(f >= hi));
    }
}

static void keep(float *d, const float *x, const uint8_t *m, int64_t n)
{
    _Pragma("GCC ivdep") for (int64_t i = 0; i < n; i++)
    {
        const int32_t bits = -(int32_t)m[i];
        d[i] = vm_from_bits(vm_to_bits(x[i]) & bits);
    }
}

static void keep_bf16(uint16_t *d, const uint16_t *x, const uint8_t *m, int64_t n)
{
    _Pragma("GCC ivdep") for (int64_t i = 0; i < n; i++) d[i] =
        (uint16_t)(x[i] & (uint16_t) - (uint16_t)m[i]);
}

/* ---- rows: partial sums in a fixed number of lanes, so that the order is the same on every run
 * ---- */

enum { LANES = 64 };

static float lanes_sum(const float *l)
{
    float t[LANES];
    memcpy(t, l, sizeof t);
    for (int w = LANES / 2; w > 0; w /= 2)
        for (int i = 0; i < w; i++)
            t[i] += t[i + w];
    return t[0];
}

static void softmax(float *y, const float *x, int64_t n)
{
    float m[LANES], s[LANES] = {0.0f};
    for (int j = 0; j < LANES; j++)
        m[j] = x[0];
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++)
            m[j] = x[i + j] > m[j] ? x[i + j] : m[j];
    for (; i < n; i++)
        m[0] = x[i] > m[0] ? x[i] : m[0];
    float top = m[0];
    for (int j = 1; j < LANES; j++)
        top = m[j] > top ? m[j] : top;
    if (top - top != 0.0f)
        top = 0.0f; /* a row of -inf, or one with inf or NaN: let the values speak */
    for (i = 0; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++) {
            float e = vm_exp(x[i + j] - top);
            y[i + j] = e;
            s[j] += e;
        }
    for (; i < n; i++) {
        y[i] = vm_exp(x[i] - top);
        s[i % LANES] += y[i];
    }
    const float r = 1.0f / lanes_sum(s);
    for (i = 0; i < n; i++)
        y[i] *= r;
}

static float dot(const float *a, const float *b, int64_t n)
{
    float s[LANES] = {0.0f};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++)
            s[j] += a[i + j] * b[i + j];
    for (; i < n; i++)
        s[i % LANES] += a[i] * b[i];
    return lanes_sum(s);
}

static void softmax_grad(float *dx, const float *dy, const float *y, int64_t n)
{
    const float t = dot(dy, y, n);
    for (int64_t i = 0; i < n; i++)
        dx[i] = y[i] * (dy[i] - t);
}

static void row_moments(const float *x, int64_t n, float eps, float *mean, float *rstd)
{
    float s[LANES] = {0.0f}, q[LANES] = {0.0f};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++)
            s[j] += x[i + j];
    for (; i < n; i++)
        s[i % LANES] += x[i];
    const float mu = lanes_sum(s) / (float)n;
    for (i = 0; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++)
            q[j] += (x[i + j] - mu) * (x[i + j] - mu);
    for (; i < n; i++)
        q[i % LANES] += (x[i] - mu) * (x[i] - mu);
    *mean = mu;
    *rstd = 1.0f / sqrtf(lanes_sum(q) / (float)n + eps);
}

static void layer_norm(float *y, const float *x, const float *scale, const float *bias, int64_t n,
                       float eps)
{
    float mu, r;
    row_moments(x, n, eps, &mu, &r);
    if (bias != NULL)
        for (int64_t i = 0; i < n; i++)
            y[i] = (x[i] - mu) * r * scale[i] + bias[i];
    else
        for (int64_t i = 0; i < n; i++)
            y[i] = (x[i] - mu) * r * scale[i];
}

/* dx = r (g - mean(g) - xhat mean(g xhat)), g = dy * scale */
static void layer_norm_grad(float *dx, const float *dy, const float *x, const float *scale,
                            int64_t n, float eps)
{
    float mu, r, s[LANES] = {0.0f}, q[LANES] = {0.0f};
    row_moments(x, n, eps, &mu, &r);
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++) {
            float g = dy[i + j] * scale[i + j];
            s[j] += g;
            q[j] += g * ((x[i + j] - mu) * r);
        }
    for (; i < n; i++) {
        float g = dy[i] * scale[i];
        s[i % LANES] += g;
        q[i % LANES] += g * ((x[i] - mu) * r);
    }
    const float a = lanes_sum(s) / (float)n, b = lanes_sum(q) / (float)n;
    for (i = 0; i < n; i++)
        dx[i] = r * (dy[i] * scale[i] - a - (x[i] - mu) * r * b);
}

static double sum_row(const float *x, int64_t n)
{
    double s[8] = {0.0};
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int j = 0; j < 8; j++)
            s[j] += (double)x[i + j];
    for (; i < n; i++)
        s[0] += (double)x[i];
    return ((s[0] + s[4]) + (s[1] + s[5])) + ((s[2] + s[6]) + (s[3] + s[7]));
}

#ifdef __AVX512F__
enum { BLOCK = 16 };
#else
enum { BLOCK = 8 };
#endif

static void sum_blocked(float *acc, const float *x, int64_t n)
{
    float a[BLOCK], b[BLOCK] = {0.0f};
    for (int c = 0; c < BLOCK; c++)
        a[c] = acc[c];
    int64_t i = 0;
    for (; i + 2 <= n; i += 2)
        for (int c = 0; c < BLOCK; c++) {
            a[c] += x[i * BLOCK + c];
            b[c] += x[(i + 1) * BLOCK + c];
        }
    for (; i < n; i++)
        for (int c = 0; c < BLOCK; c++)
            a[c] += x[i * BLOCK + c];
    for (int c = 0; c < BLOCK; c++)
        acc[c] = a[c] + b[c];
}

enum { PIXELS = 8, PIXEL_LANES = 16 };

/* `count` (1..8) pixels x 2 * 16 lanes stay in registers while m runs; the compiler unrolls for
 * each count. */
static inline void pixel_block(float *out, const float *dy, const float *w, const int count,
                               int64_t block_stride, int64_t m_count, int64_t lanes,
                               const int groups)
{
    v16 acc[PIXELS][2];
    for (int i = 0; i < count; i++)
        for (int g = 0; g < groups; g++)
            acc[i][g] = v16_zero();
    for (int64_t b = 0; b < m_count / BLOCK; b++)
        for (int m = 0; m < BLOCK; m++) {
            const float *wr = w + (b * BLOCK + m) * lanes;
            const float *d = dy + b * block_stride + m;
            const v16 w0 = v16_load(wr), w1 = groups > 1 ? v16_load(wr + PIXEL_LANES) : w0;
            for (int i = 0; i < count; i++) {
                const v16 x = v16_set1(d[i * BLOCK]);
                acc[i][0] = v16_fma(x, w0, acc[i][0]);
                if (groups > 1)
                    acc[i][1] = v16_fma(x, w1, acc[i][1]);
            }
        }
    for (int i = 0; i < count; i++)
        for (int g = 0; g < groups; g++)
            v16_store(out + i * lanes + g * PIXEL_LANES, acc[i][g]);
}

static void pixel_products(float *out, const float *dy, const float *w, int64_t pixels,
                           int64_t block_stride, int64_t m_count, int64_t lanes)
{
    int64_t l = 0;
    for (; l + 2 * PIXEL_LANES <= lanes; l += 2 * PIXEL_LANES) {
        int64_t i = 0;
        for (; i + PIXELS <= pixels; i += PIXELS)
            pixel_block(out + i * lanes + l, dy + i * BLOCK, w + l, PIXELS, block_stride, m_count,
                        lanes, 2);
        for (; i < pixels; i++)
            pixel_block(out + i * lanes + l, dy + i * BLOCK, w + l, 1, block_stride, m_count, lanes,
                        2);
    }
    for (; l < lanes; l += PIXEL_LANES) {
        int64_t i = 0;
        for (; i + PIXELS <= pixels; i += PIXELS)
            pixel_block(out + i * lanes + l, dy + i * BLOCK, w + l, PIXELS, block_stride, m_count,
                        lanes, 1);
        for (; i < pixels; i++)
            pixel_block(out + i * lanes + l, dy + i * BLOCK, w + l, 1, block_stride, m_count, lanes,
                        1);
    }
}

static void max_scatter(float *dx, const float *x, const float *y, const float *dy,
                        const int64_t *taps, int n)
{
    const vblock top = vblock_load(y);
    vblock rest = vblock_load(dy);
    for (int k = 0; k < n; k++) {
        float *to = dx + taps[k];
        const vblock give = vblock_where_equal(vblock_load(x + taps[k]), top, rest);
        vblock_store(to, vblock_add(vblock_load(to), give));
        rest = vblock_sub(
            rest, give); /* the first maximum takes it all: exact, because give is rest or 0 */
    }
}

static void add_windows(float *row, const float *from, int64_t pixels, int64_t step, int64_t lanes,
                        int width)
{
    if (width == 4)
        for (int64_t i = 0; i < pixels; i++)
            for (int j = 0; j < 4; j++)
                row[i * step + j] += from[i * lanes + j];
    else if (width == 8)
        for (int64_t i = 0; i < pixels; i++)
            for (int j = 0; j < 8; j++)
                row[i * step + j] += from[i * lanes + j];
    else
        for (int64_t i = 0; i < pixels; i++)
            for (int j = 0; j < 16; j++)
                row[i * step + j] += from[i * lanes + j];
}

#define ISA_TEXT2(x) #x
#define ISA_TEXT(x)  ISA_TEXT2(x)

sal_conv_row_fn ISA(sal_conv_rows)(int pixels, int stride); /* conv_rows.c */

extern const sal_cache_isa ISA(sal_cache_tiles);  /* cache_tiles.c */
extern const sal_packed_isa ISA(sal_packed_rows); /* packed_rows.c */

extern const sal_isa_table ISA(sal_isa_table);
const sal_isa_table ISA(sal_isa_table) = {
    .name = ISA_TEXT(SAL_ISA),
    .block = BLOCK,
    .tile =
        {
#define SAL_TILE(id, operands) [SAL_TILE_##id] = tile_##id,
#include "exec/tile_ops.def"
#undef SAL_TILE
        },
    .load_bf16 = load_bf16,
    .store_bf16 = store_bf16,
    .load_u8 = load_u8,
    .store_bool = store_bool,
    .range_mask = range_mask,
    .range_mask_bf16 = range_mask_bf16,
    .keep = keep,
    .keep_bf16 = keep_bf16,
    .softmax = softmax,
    .softmax_grad = softmax_grad,
    .layer_norm = layer_norm,
    .layer_norm_grad = layer_norm_grad,
    .sum = sum_row,
    .sum_blocked = sum_blocked,
    .pixel_products = pixel_products,
    .add_windows = add_windows,
    .max_scatter = max_scatter,
    .conv_rows = ISA(sal_conv_rows),
    .packed = &ISA(sal_packed_rows),
    .cache = &ISA(sal_cache_tiles),
};
