/* Tiles of the key-value cache: writing, reading as floats, and the products of attention. */
#include "exec/cache_tiles.h"

#include "exec/kernels_isa/simd.h"
#include "exec/kernels_isa/vector_math.h"

#include <math.h>

#define ISA2(name, isa) name##__##isa
#define ISA1(name, isa) ISA2(name, isa)
#define ISA(name)       ISA1(name, SAL_ISA)

enum { TILE = SAL_CACHE_TILE };

/* ---- float formats ---- */

#if defined(__F16C__) || defined(__AVX512F__)
static inline void half_load(float *d, const uint16_t *s, int n)
{
    for (int i = 0; i < n; i += 8)
        _mm256_storeu_ps(d + i,
                         _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(s + i))));
}
#else
static inline void half_load(float *d, const uint16_t *s, int n)
{
    for (int i = 0; i < n; i++)
        d[i] = sal_f16_to_f32(s[i]);
}
#endif

static void f32_put_key(uint8_t *tile, int slot, const float *x, int size)
{
    float *t = (float *)(void *)tile;
    for (int d = 0; d < size; d++)
        t[d * TILE + slot] = x[d];
}

static void f32_put_value(uint8_t *tile, int slot, const float *x, int size)
{
    memcpy(tile + (size_t)(slot * size) * sizeof *x, x, (size_t)size * sizeof *x);
}

static const float *f32_get(const uint8_t *tile, int size, float *room)
{
    (void)size;
    (void)room;
    return (const float *)(const void *)tile;
}

static void f16_put_key(uint8_t *tile, int slot, const float *x, int size)
{
    uint16_t *t = (uint16_t *)(void *)tile;
    for (int d = 0; d < size; d++)
        t[d * TILE + slot] = sal_f32_to_f16(x[d]);
}

static void f16_put_value(uint8_t *tile, int slot, const float *x, int size)
{
    uint16_t *t = (uint16_t *)(void *)tile + slot * size;
    for (int d = 0; d < size; d++)
        t[d] = sal_f32_to_f16(x[d]);
}

static const float *f16_get(const uint8_t *tile, int size, float *room)
{
    half_load(room, (const uint16_t *)(const void *)tile, size * TILE);
    return room;
}

static void bf16_put_key(uint8_t *tile, int slot, const float *x, int size)
{
    uint16_t *t = (uint16_t *)(void *)tile;
    for (int d = 0; d < size; d++)
        t[d * TILE + slot] = sal_f32_to_bf16(x[d]);
}

static void bf16_put_value(uint8_t *tile, int slot, const float *x, int size)
{
    uint16_t *t = (uint16_t *)(void *)tile + slot * size;
    for (int d = 0; d < size; d++)
        t[d] = sal_f32_to_bf16(x[d]);
}

static const float *bf16_get(const uint8_t *tile, int size, float *room)
{
    const uint16_t *s = (const uint16_t *)(const void *)tile;
    for (int i = 0; i < size * TILE; i++)
        room[i] = vm_from_bits((int32_t)((uint32_t)s[i] << 16));
    return room;
}

/* ---- integers with a scale for 32 features of a token ----
 * Scales stand first, [size / 32][16] of keys and values alike, then the codes. */

/* Scale of one block, and its codes: the largest magnitude becomes `most`. */
static float q_scale(const float *x, int most)
{
    float largest = 0.0f;
    for (int i = 0; i < 32; i++) {
        float a = fabsf(x[i]);
        largest = a > largest ? a : largest;
    }
    return largest / (float)most;
}

static int q_code(float x, float inverse, int least, int most)
{
    float r = x * inverse;
    r = r == r ? r : 0.0f; /* inf * 0: the scale is infinite and says so */
    int q = (int)(r > 127.0f ? 127.0f : r < -128.0f ? -128.0f : r + (r < 0.0f ? -0.5f : 0.5f));
    return q < least ? least : q > most ? most : q;
}

static float q_store_scale(uint16_t *scales, int block, int slot, float d)
{
    uint16_t h = sal_f32_to_f16(d);
    scales[block * TILE + slot] = h;
    d = sal_f16_to_f32(h);
    return d > 0.0f ? 1.0f / d : 0.0f;
}

static void q8_put_key(uint8_t *tile, int slot, const float *x, int size)
{
    uint16_t *scales = (uint16_t *)(void *)tile;
    int8_t *codes = (int8_t *)tile + size / 32 * TILE * 2;
    for (int b = 0; b < size / 32; b++) {
        float inverse = q_store_scale(scales, b, slot, q_scale(x + 32 * b, 127));
        for (int d = 32 * b; d < 32 * b + 32; d++)
            codes[d * TILE + slot] = (int8_t)q_code(x[d], inverse, -127, 127);
    }
}

static void q8_put_value(uint8_t *tile, int slot, const float *x, int size)
{
    uint16_t *scales = (uint16_t *)(void *)tile;
    int8_t *codes = (int8_t *)tile + size / 32 * TILE * 2 + slot * size;
    for (int b = 0; b < size / 32; b++) {
        float inverse = q_store_scale(scales, b, slot, q_scale(x + 32 * b, 127));
        for (int d = 32 * b; d < 32 * b + 32; d++)
            codes[d] = (int8_t)q_code(x[d], inverse, -127, 127);
    }
}

static const float *q8_get_keys(const uint8_t *tile, int size, float *room)
{
    const int8_t *codes = (const int8_t *)tile + size / 32 * TILE * 2;
    for (int b = 0; b < size / 32; b++) {
        float scale[TILE];
        half_load(scale, (const uint16_t *)(const void *)tile + b * TILE, TILE);
        for (int d = 32 * b; d < 32 * b + 32; d++)
            for (int t = 0; t < TILE; t++)
                room[d * TILE + t] = (float)codes[d * TILE + t] * scale[t];
    }
    return room;
}

static const float *q8_get_values(const uint8_t *tile, int size, float *room)
{
    const int8_t *codes = (const int8_t *)tile + size / 32 * TILE * 2;
    for (int b = 0; b < size / 32; b++) {
        float scale[TILE];
        half_load(scale, (const uint16_t *)(const void *)tile + b * TILE, TILE);
        for (int t = 0; t < TILE; t++)
            for (int d = 0; d < 32; d++)
                room[t * size + 32 * b + d] = (float)codes[t * size + 32 * b + d] * scale[t];
    }
    return room;
}

/* Four bits: the largest magnitude becomes -8, as in q4_0. Keys: byte [d / 2][16], the even feature
 * low. Values: of 32 features byte j of 16 has j low and j + 16 high. */
static float q4_scale(const float *x)
{
    float largest = 0.0f, with_sign = 0.0f;
    for (int i = 0; i < 32; i++) {
        float a = fabsf(x[i]);
        if (a > largest) {
            largest = a;
            with_sign = x[i];
        }
    }
    return with_sign / -8.0f;
}

static float q4_store_scale(uint16_t *scales, int block, int slot, float d)
{
    uint16_t h = sal_f32_to_f16(d);
    scales[block * TILE + slot] = h;
    d = sal_f16_to_f32(h);
    return d != 0.0f ? 1.0f / d : 0.0f;
}

static void q4_put_key(uint8_t *tile, int slot, const float *x, int size)
{
    uint16_t *scales = (uint16_t *)(void *)tile;
    uint8_t *codes = tile + size / 32 * TILE * 2;
    for (int b = 0; b < size / 32; b++) {
        float inverse = q4_store_scale(scales, b, slot, q4_scale(x + 32 * b));
        for (int d = 32 * b; d < 32 * b + 32; d += 2)
            codes[d / 2 * TILE + slot] = (uint8_t)((q_code(x[d], inverse, -8, 7) + 8) |
                                                   (q_code(x[d + 1], inverse, -8, 7) + 8) << 4);
    }
}

static void q4_put_value(uint8_t *tile, int slot, const float *x, int size)
{
    uint16_t *scales = (uint16_t *)(void *)tile;
    uint8_t *codes = tile + size / 32 * TILE * 2 + slot * size / 2;
    for (int b = 0; b < size / 32; b++) {
        const float *y = x + 32 * b;
        float inverse = q4_store_scale(scales, b, slot, q4_scale(y));
        for (int j = 0; j < 16; j++)
            codes[16 * b + j] = (uint8_t)((q_code(y[j], inverse, -8, 7) + 8) |
                                          (q_code(y[j + 16], inverse, -8, 7) + 8) << 4);
    }
}

static const float *q4_get_keys(const uint8_t *tile, int size, float *room)
{
    const uint8_t *codes = tile + size / 32 * TILE * 2;
    for (int b = 0; b < size / 32; b++) {
        float scale[TILE];
        half_load(scale, (const uint16_t *)(const void *)tile + b * TILE, TILE);
        for (int d = 16 * b; d < 16 * b + 16; d++)
            for (int t = 0; t < TILE; t++) {
                int c = codes[d * TILE + t];
                room[2 * d * TILE + t] = (float)((c & 15) - 8) * scale[t];
                room[(2 * d + 1) * TILE + t] = (float)((c >> 4) - 8) * scale[t];
            }
    }
    return room;
}

static const float *q4_get_values(const uint8_t *tile, int size, float *room)
{
    const uint8_t *codes = tile + size / 32 * TILE * 2;
    for (int b = 0; b < size / 32; b++) {
        float scale[TILE];
        half_load(scale, (const uint16_t *)(const void *)tile + b * TILE, TILE);
        for (int t = 0; t < TILE; t++) {
            const uint8_t *c = codes + t * size / 2 + 16 * b;
            float *y = room + t * size + 32 * b;
            for (int j = 0; j < 16; j++)
                y[j] = (float)((c[j] & 15) - 8) * scale[t];
            for (int j = 0; j < 16; j++)
                y[j + 16] = (float)((c[j] >> 4) - 8) * scale[t];
        }
    }
    return room;
}

/* ---- products ---- */

/* n <= 8 queries against the 16 keys of a tile. */
#define SCORES(N)                                                                                  \
    static inline void scores_##N(float *s, int64_t stride, const float *q, int size,              \
                                  const float *keys)                                               \
    {                                                                                              \
        v16 sum[N];                                                                                \
        for (int i = 0; i < N; i++)                                                                \
            sum[i] = v16_zero();                                                                   \
        for (int d = 0; d < size; d++) {                                                           \
            v16 k = v16_load(keys + d * TILE);                                                     \
            for (int i = 0; i < N; i++)                                                            \
                sum[i] = v16_fma(v16_set1(q[i * size + d]), k, sum[i]);                            \
        }                                                                                          \
        for (int i = 0; i < N; i++)                                                                \
            v16_store(s + i * stride, sum[i]);                                                     \
    }

SCORES(1)
SCORES(3)
SCORES(4)
SCORES(8)

static void scores(float *s, int64_t stride, const float *q, int n, int size, const float *keys)
{
    for (; n >= 8; n -= 8, s += 8 * stride, q += 8 * size)
        scores_8(s, stride, q, size, keys);
    for (; n >= 4; n -= 4, s += 4 * stride, q += 4 * size)
        scores_4(s, stride, q, size, keys);
    for (; n >= 3; n -= 3, s += 3 * stride, q += 3 * size)
        scores_3(s, stride, q, size, keys);
    for (; n >= 1; n--, s += stride, q += size)
        scores_1(s, stride, q, size, keys);
}

/* 16 features of n results. */
#define MIX(N)                                                                                     \
    static inline void mix_##N(float *o, const float *p, int64_t stride, int size,                 \
                               const float *values)                                                \
    {                                                                                              \
        v16 sum[N];                                                                                \
        for (int i = 0; i < N; i++)                                                                \
            sum[i] = v16_load(o + i * size);                                                       \
        for (int t = 0; t < TILE; t++) {                                                           \
            v16 v = v16_load(values + t * size);                                                   \
            for (int i = 0; i < N; i++)                                                            \
                sum[i] = v16_fma(v16_set1(p[i * stride + t]), v, sum[i]);                          \
        }                                                                                          \
        for (int i = 0; i < N; i++)                                                                \
            v16_store(o + i * size, sum[i]);                                                       \
    }

MIX(1)
MIX(3)
MIX(4)
MIX(8)

static void mix(float *o, const float *p, int64_t stride, int n, int size, const float *values)
{
    int d = 0;
    for (; d + 16 <= size; d += 16) {
        float *to = o + d;
        const float *by = p;
        int left = n;
        for (; left >= 8; left -= 8, to += 8 * size, by += 8 * stride)
            mix_8(to, by, stride, size, values + d);
        for (; left >= 4; left -= 4, to += 4 * size, by += 4 * stride)
            mix_4(to, by, stride, size, values + d);
        for (; left >= 3; left -= 3, to += 3 * size, by += 3 * stride)
            mix_3(to, by, stride, size, values + d);
        for (; left >= 1; left--, to += size, by += stride)
            mix_1(to, by, stride, size, values + d);
    }
    for (int i = 0; i < n && d < size; i++)
        for (int t = 0; t < TILE; t++)
            for (int k = d; k < size; k++)
                o[i * size + k] += p[i * stride + t] * values[t * size + k];
}

static float exponentials(float *s, int64_t n, float most)
{
    float sum[TILE] = {0.0f};
    int64_t i = 0;
    for (; i + TILE <= n; i += TILE)
        for (int t = 0; t < TILE; t++) {
            float e = vm_exp(s[i + t] - most);
            s[i + t] = e;
            sum[t] += e;
        }
    for (int t = 0; i < n; i++, t++) {
        s[i] = vm_exp(s[i] - most);
        sum[t] += s[i];
    }
    for (int step = TILE / 2; step > 0; step /= 2)
        for (int t = 0; t < step; t++)
            sum[t] += sum[t + step];
    return sum[0];
}

static float largest(const float *s, int64_t n)
{
    float most[TILE], all = -INFINITY;
    int64_t i = 0;
    for (int t = 0; t < TILE; t++)
        most[t] = -INFINITY;
    for (; i + TILE <= n; i += TILE)
        for (int t = 0; t < TILE; t++)
            most[t] = s[i + t] > most[t] ? s[i + t] : most[t];
    for (; i < n; i++)
        all = s[i] > all ? s[i] : all;
    for (int t = 0; t < TILE; t++)
        all = most[t] > all ? most[t] : all;
    return all;
}

static void scale(float *x, int64_t n, float by)
{
    for (int64_t i = 0; i < n; i++)
        x[i] *= by;
}

static void cap(float *s, int64_t n, float most)
{
    for (int64_t i = 0; i < n; i++)
        s[i] = most * tanhf(s[i] / most);
}

static void turn(float *x, int size)
{
    int block = size & -size; /* the largest power of two that divides it */
    float by = 1.0f / sqrtf((float)block);
    for (int from = 0; from < size; from += block)
        for (int half = 1; half < block; half *= 2)
            for (int i = 0; i < block; i += 2 * half)
                for (int k = from + i; k < from + i + half; k++) {
                    float a = x[k], b = x[k + half];
                    x[k] = a + b;
                    x[k + half] = a - b;
                }
    for (int i = 0; i < size; i++)
        x[i] *= by;
}

extern const sal_cache_isa ISA(sal_cache_tiles);
const sal_cache_isa ISA(sal_cache_tiles) = {
    .put_key = {f32_put_key, f16_put_key, bf16_put_key, q8_put_key, q4_put_key},
    .put_value = {f32_put_value, f16_put_value, bf16_put_value, q8_put_value, q4_put_value},
    .get_keys = {f32_get, f16_get, bf16_get, q8_get_keys, q4_get_keys},
    .get_values = {f32_get, f16_get, bf16_get, q8_get_values, q4_get_values},
    .scores = scores,
    .mix = mix,
    .exponentials = exponentials,
    .largest = largest,
    .scale = scale,
    .cap = cap,
    .turn = turn,
};
