/* The formats of 256 numbers: 16 runs of 16 with a small integer as scale each, x = d s (q -
 * offset)
 * - e m (base/block_types/q?_k.c has the layouts). Without AVX2 such rows are unpacked to float32.
 *
 * Here a block is read as 8 runs of 32 (AVX2) or 4 of 64 (AVX-512 VNNI). A run gives exact integer
 * sums of four products a lane, four lanes for each scale. */
#include "exec/kernels_isa/packed_k.h"

#if defined(__AVX2__)
#include <immintrin.h>

enum { K_N = 256 };

#define ALWAYS static inline __attribute__((always_inline))

/* What a format is to the loops below. */
typedef struct k_format {
    int bytes, d, e; /* of a block; where d and e lie (e < 0: there are no minima) */
    int offset;      /* subtracted from the codes */
    int run;         /* numbers for which a minimum holds: 16 or 32 */
    /* 16 signed bytes each: scales and minima of the runs of 16 */
    void (*scales)(const uint8_t *block, __m128i *s, __m128i *m);
    __m256i (*codes)(const uint8_t *block, int run); /* of 32 numbers, unsigned */
} k_format;

ALWAYS __m256i k_load(const uint8_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

/* Bits [shift, shift + width) of every byte. */
ALWAYS __m256i k_bits(__m256i v, int shift, int width)
{
    v = _mm256_srl_epi16(v, _mm_cvtsi32_si128(shift));
    return _mm256_and_si256(v, _mm256_set1_epi8((char)((1 << width) - 1)));
}

/* Bit `bit` of every byte as the number `worth`. */
ALWAYS __m256i k_bit(__m256i v, int bit, int worth)
{
    const __m256i mask = _mm256_set1_epi8((char)(1 << bit));
    v = _mm256_cmpeq_epi8(_mm256_and_si256(v, mask), mask);
    return _mm256_and_si256(v, _mm256_set1_epi8((char)worth));
}

/* ---- scales ---- */

/* Four 6-bit numbers at once: those of runs 0 to 3 lie alone, those of 4 to 7 have their upper two
 * bits above them. */
ALWAYS void k_scales_45(const uint8_t *block, __m128i *s, __m128i *m)
{
    const uint8_t *p = block + 4;
    uint32_t a = sal_block_u32(p), b = sal_block_u32(p + 4), c = sal_block_u32(p + 8);
    uint32_t s4 = (c & 0x0f0f0f0fU) | (a >> 6 & 0x03030303U) << 4;
    uint32_t m4 = (c >> 4 & 0x0f0f0f0fU) | (b >> 6 & 0x03030303U) << 4;
    __m128i v = _mm_set_epi32((int)m4, (int)(b & 0x3f3f3f3fU), (int)s4, (int)(a & 0x3f3f3f3fU));
    *s = _mm_unpacklo_epi8(v, v);
    *m = _mm_unpackhi_epi8(v, v);
}

ALWAYS void k_scales_6(const uint8_t *block, __m128i *s, __m128i *m)
{
    *s = _mm_loadu_si128((const __m128i *)(const void *)(block + 192));
    *m = _mm_setzero_si128();
}

ALWAYS void k_scales_2(const uint8_t *block, __m128i *s, __m128i *m)
{
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)block);
    *s = _mm_and_si128(v, _mm_set1_epi8(15));
    *m = _mm_and_si128(_mm_srli_epi16(v, 4), _mm_set1_epi8(15));
}

ALWAYS void k_scales_3(const uint8_t *block, __m128i *s, __m128i *m)
{
    const uint8_t *p = block + 96;
    uint32_t a = sal_block_u32(p), b = sal_block_u32(p + 4), c = sal_block_u32(p + 8);
    uint32_t s0 = (a & 0x0f0f0f0fU) | (c & 0x03030303U) << 4;
    uint32_t s1 = (b & 0x0f0f0f0fU) | (c >> 2 & 0x03030303U) << 4;
    uint32_t s2 = (a >> 4 & 0x0f0f0f0fU) | (c >> 4 & 0x03030303U) << 4;
    uint32_t s3 = (b >> 4 & 0x0f0f0f0fU) | (c >> 6 & 0x03030303U) << 4;
    *s = _mm_sub_epi8(_mm_set_epi32((int)s3, (int)s2, (int)s1, (int)s0), _mm_set1_epi8(32));
    *m = _mm_setzero_si128();
}

/* ---- codes of run r of 32 ---- */

ALWAYS __m256i k_codes_2(const uint8_t *block, int r)
{
    return k_bits(k_load(block + 16 + 32 * (r / 4)), 2 * (r % 4), 2);
}

ALWAYS __m256i k_codes_3(const uint8_t *block, int r)
{
    __m256i low = k_bits(k_load(block + 32 + 32 * (r / 4)), 2 * (r % 4), 2);
    return _mm256_or_si256(low, k_bit(k_load(block), r, 4));
}

ALWAYS __m256i k_codes_4(const uint8_t *block, int r)
{
    return k_bits(k_load(block + 16 + 32 * (r / 2)), 4 * (r % 2), 4);
}

ALWAYS __m256i k_codes_5(const uint8_t *block, int r)
{
    __m256i low = k_bits(k_load(block + 48 + 32 * (r / 2)), 4 * (r % 2), 4);
    return _mm256_or_si256(low, k_bit(k_load(block + 16), r, 16));
}

ALWAYS __m256i k_codes_6(const uint8_t *block, int r)
{
    int half = r / 4, part = r % 4;
    __m256i low = k_bits(k_load(block + 64 * half + 32 * (part % 2)), 4 * (part / 2), 4);
    __m256i high = k_bits(k_load(block + 128 + 32 * half), 2 * part, 2);
    return _mm256_or_si256(low, _mm256_slli_epi16(high, 4));
}

/* ---- AVX2 ---- */

/* d times eight bytes. */
ALWAYS __m256 k_float8(__m128i bytes, float d)
{
    return _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)), _mm256_set1_ps(d));
}

ALWAYS void k_block_scales(const k_format *f, const uint8_t *block, float *s, float *m)
{
    __m128i a, b;
    float d = _cvtsh_ss(sal_block_u16(block + f->d));
    f->scales(block, &a, &b);
    _mm256_storeu_ps(s, k_float8(a, d));
    _mm256_storeu_ps(s + 8, k_float8(_mm_srli_si128(a, 8), d));
    if (f->e >= 0) {
        float e = _cvtsh_ss(sal_block_u16(block + f->e));
        _mm256_storeu_ps(m, k_float8(b, e));
        _mm256_storeu_ps(m + 8, k_float8(_mm_srli_si128(b, 8), e));
    }
}

ALWAYS __m256 k_pair(const float *s)
{
    return _mm256_set_m128(_mm_set1_ps(s[1]), _mm_set1_ps(s[0]));
}

ALWAYS float k_sum8(__m256 v)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    s = _mm_add_ss(s, _mm_movehdup_ps(s));
    return _mm_cvtss_f32(s);
}

ALWAYS void k_rows(const k_format f, float *y, const uint8_t *w, size_t row_bytes, int64_t rows,
                   const int8_t *q, const float *ds, int64_t columns)
{
    const __m256i ones16 = _mm256_set1_epi16(1), ones8 = _mm256_set1_epi8(1);
    const __m256i less = _mm256_set1_epi8((char)f.offset);
    for (int64_t r = 0; r < rows; r++, w += row_bytes) {
        const uint8_t *block = w;
        __m256 sum = _mm256_setzero_ps();
        float rest = 0.0f;
        for (int64_t i = 0; i < columns; i += K_N, block += f.bytes) {
            const float *scale = ds + i / SAL_Q8_BLOCK * 2;
            float s[16], m[16];
            k_block_scales(&f, block, s, m);
#pragma GCC unroll 8
            for (int k = 0; k < 8; k++) {
                __m256i v = k_load((const uint8_t *)q + i + 32 * k);
                __m256 by = _mm256_set1_ps(scale[2 * k]);
                __m256i p = _mm256_maddubs_epi16(f.codes(block, k), v);
                if (f.offset != 0)
                    p = _mm256_sub_epi16(p, _mm256_maddubs_epi16(less, v));
                p = _mm256_madd_epi16(p, ones16);
                sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(p), _mm256_mul_ps(k_pair(s + 2 * k), by),
                                      sum);
                if (f.e >= 0 && f.run == 32)
                    rest += m[2 * k] * scale[2 * k + 1];
                if (f.e >= 0 && f.run == 16) {
                    p = _mm256_madd_epi16(_mm256_maddubs_epi16(ones8, v), ones16);
                    sum = _mm256_fnmadd_ps(_mm256_cvtepi32_ps(p),
                                           _mm256_mul_ps(k_pair(m + 2 * k), by), sum);
                }
            }
        }
        y[r] = k_sum8(sum) - rest;
    }
}

/* The same products and differences as in block_type.h's unpack, so the same numbers. */
ALWAYS void k_unpack(const k_format f, float *d, const void *blocks, int64_t n)
{
    const uint8_t *block = blocks;
    for (int64_t i = 0; i < n; i++, block += f.bytes) {
        float s[16], m[16];
        k_block_scales(&f, block, s, m);
        for (int k = 0; k < 8; k++) {
            __m256i c = _mm256_sub_epi8(f.codes(block, k), _mm256_set1_epi8((char)f.offset));
            for (int half = 0; half < 2; half++) {
                __m128i b = half == 0 ? _mm256_castsi256_si128(c) : _mm256_extracti128_si256(c, 1);
                for (int j = 0; j < 2; j++, d += 8, b = _mm_srli_si128(b, 8)) {
                    __m256 x = k_float8(b, s[2 * k + half]);
                    if (f.e >= 0)
                        x = _mm256_sub_ps(x, _mm256_set1_ps(m[2 * k + half]));
                    _mm256_storeu_ps(d, x);
                }
            }
        }
    }
}

/* ---- AVX-512 VNNI ---- */

#if defined(__AVX512F__)
#define VNNI        __attribute__((target("avx512vnni")))
#define ALWAYS_VNNI VNNI static inline __attribute__((always_inline))

/* The same 32 bytes in both halves. */
ALWAYS_VNNI __m512i k_twice(const uint8_t *p)
{
    return _mm512_broadcast_i64x4(k_load(p));
}

/* Bits from `low` on in the lower half, from `high` on in the upper. */
ALWAYS_VNNI __m512i k_shifted(__m512i v, int low, int high, int mask)
{
    const __m512i by =
        _mm512_inserti64x4(_mm512_set1_epi16((short)low), _mm256_set1_epi16((short)high), 1);
    return _mm512_and_si512(_mm512_srlv_epi16(v, by), _mm512_set1_epi8((char)mask));
}

/* Add `worth` where bit 2 v (lower half) or 2 v + 1 (upper) of the bytes at p is set. */
ALWAYS_VNNI __m512i k_add_bit(__m512i codes, const uint8_t *p, int v, int worth)
{
    const __m512i bit = _mm512_inserti64x4(_mm512_set1_epi8((char)(1 << 2 * v)),
                                           _mm256_set1_epi8((char)(2 << 2 * v)), 1);
    __mmask64 set = _mm512_test_epi8_mask(k_twice(p), bit);
    return _mm512_mask_add_epi8(codes, set, codes, _mm512_set1_epi8((char)worth));
}

/* Codes of run v of 64. */
ALWAYS_VNNI __m512i k_wide_2(const uint8_t *block, int v)
{
    return k_shifted(k_twice(block + 16 + 32 * (v / 2)), 4 * (v % 2), 4 * (v % 2) + 2, 3);
}

ALWAYS_VNNI __m512i k_wide_3(const uint8_t *block, int v)
{
    __m512i low = k_shifted(k_twice(block + 32 + 32 * (v / 2)), 4 * (v % 2), 4 * (v % 2) + 2, 3);
    return k_add_bit(low, block, v, 4);
}

ALWAYS_VNNI __m512i k_wide_4(const uint8_t *block, int v)
{
    return k_shifted(k_twice(block + 16 + 32 * v), 0, 4, 15);
}

ALWAYS_VNNI __m512i k_wide_5(const uint8_t *block, int v)
{
    return k_add_bit(k_shifted(k_twice(block + 48 + 32 * v), 0, 4, 15), block + 16, v, 16);
}

ALWAYS_VNNI __m512i k_wide_6(const uint8_t *block, int v)
{
    __m512i low = _mm512_loadu_si512(block + 64 * (v / 2));
    low = k_shifted(low, 4 * (v % 2), 4 * (v % 2), 15);
    __m512i high = k_shifted(k_twice(block + 128 + 32 * (v / 2)), 4 * (v % 2), 4 * (v % 2) + 2, 3);
    return _mm512_or_si512(low, _mm512_slli_epi16(high, 4));
}

ALWAYS_VNNI void k_rows_vnni(const k_format f, __m512i (*wide)(const uint8_t *, int), float *y,
                             const uint8_t *w, size_t row_bytes, int64_t rows, const int8_t *q,
                             const float *ds, int64_t columns)
{
    const __m512i each = _mm512_set_epi32(14, 14, 12, 12, 10, 10, 8, 8, 6, 6, 4, 4, 2, 2, 0, 0);
    const __m512i spread = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
    const __m512i zero = _mm512_setzero_si512(), ones = _mm512_set1_epi8(1);
    const __m512i less = _mm512_set1_epi8((char)f.offset);
    for (int64_t r = 0; r < rows; r++, w += row_bytes) {
        const uint8_t *block = w;
        __m512 sum = _mm512_setzero_ps(), rest = _mm512_setzero_ps();
        for (int64_t i = 0; i < columns; i += K_N, block += f.bytes) {
            __m512 pairs = _mm512_loadu_ps(ds + i / SAL_Q8_BLOCK * 2);
            __m512 by = _mm512_permutexvar_ps(each, pairs);
            __m128i s, m;
            for (int line = 0; line < f.bytes; line += 64)
                _mm_prefetch((const char *)block + 2048 + line, _MM_HINT_T0);
            f.scales(block, &s, &m);
            __m512 scale =
                _mm512_mul_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(s)), by),
                              _mm512_set1_ps(_cvtsh_ss(sal_block_u16(block + f.d))));
            __m512 least = _mm512_setzero_ps();
            if (f.e >= 0)
                least = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(m)),
                                      _mm512_set1_ps(_cvtsh_ss(sal_block_u16(block + f.e))));
            if (f.e >= 0 && f.run == 32) /* the sums of the vector's blocks are at odd places */
                rest = _mm512_mask3_fmadd_ps(least, pairs, rest, 0xaaaa);
            if (f.e >= 0 && f.run == 16)
                least = _mm512_mul_ps(least, by);
#pragma GCC unroll 4
            for (int v = 0; v < 4; v++) {
                const __m512i at = _mm512_add_epi32(spread, _mm512_set1_epi32(4 * v));
                __m512i a = _mm512_loadu_si512(q + i + 64 * v);
                __m512i p = _mm512_dpbusd_epi32(zero, wide(block, v), a);
                if (f.offset != 0)
                    p = _mm512_sub_epi32(p, _mm512_dpbusd_epi32(zero, less, a));
                sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(p), _mm512_permutexvar_ps(at, scale), sum);
                if (f.e >= 0 && f.run == 16) {
                    p = _mm512_dpbusd_epi32(zero, ones, a);
                    rest = _mm512_fmadd_ps(_mm512_cvtepi32_ps(p), _mm512_permutexvar_ps(at, least),
                                           rest);
                }
            }
        }
        y[r] = _mm512_reduce_add_ps(_mm512_sub_ps(sum, rest));
    }
}
#endif

/* ---- one set of functions for each format ---- */

#define K_FORMAT(n, bytes, d, e, offset, run, scales)                                              \
    (k_format)                                                                                     \
    {                                                                                              \
        bytes, d, e, offset, run, scales, k_codes_##n                                              \
    }

#define K_PLAIN(n, ...)                                                                            \
    void PACKED_K(sal_rows_q##n##_k)(float *y, const uint8_t *w, size_t row_bytes, int64_t rows,   \
                                     const int8_t *q, const float *ds, int64_t columns)            \
    {                                                                                              \
        k_rows(K_FORMAT(n, __VA_ARGS__), y, w, row_bytes, rows, q, ds, columns);                   \
    }                                                                                              \
    void PACKED_K(sal_unpack_q##n##_k)(float *d, const void *blocks, int64_t count)                \
    {                                                                                              \
        k_unpack(K_FORMAT(n, __VA_ARGS__), d, blocks, count);                                      \
    }

#if defined(__AVX512F__)
#define K_ALL(n, ...)                                                                              \
    K_PLAIN(n, __VA_ARGS__)                                                                        \
    VNNI void PACKED_K(sal_vnni_q##n##_k)(float *y, const uint8_t *w, size_t row_bytes,            \
                                          int64_t rows, const int8_t *q, const float *ds,          \
                                          int64_t columns)                                         \
    {                                                                                              \
        k_rows_vnni(K_FORMAT(n, __VA_ARGS__), k_wide_##n, y, w, row_bytes, rows, q, ds, columns);  \
    }
#else
#define K_ALL(n, ...) K_PLAIN(n, __VA_ARGS__)
#endif

/* bits, bytes of a block, where d and e are, offset, numbers of one minimum, scales */
K_ALL(2, 84, 80, 82, 0, 16, k_scales_2)
K_ALL(3, 110, 108, -1, 4, 16, k_scales_3)
K_ALL(4, 144, 0, 2, 0, 32, k_scales_45)
K_ALL(5, 176, 0, 2, 0, 32, k_scales_45)
K_ALL(6, 210, 208, -1, 32, 16, k_scales_6)

#else
typedef int packed_k_has_no_plain_form; /* a file holds at least one declaration */
#endif
