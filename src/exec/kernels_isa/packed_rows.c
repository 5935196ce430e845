/* Packed rows times a vector of 8-bit numbers, and unpacking, for each instruction set. Products of
 * a block are exact integers; scales are applied in float32. */
#include "exec/packed_rows.h"
#include "exec/kernels_isa/packed_k.h"
#include "exec/kernels_isa/vector_math.h"

#include <math.h>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#define ISA2(name, isa) name##__##isa
#define ISA1(name, isa) ISA2(name, isa)
#define ISA(name)       ISA1(name, SAL_ISA)

/* ---- the vector ---- */

static void q8_quantise(int8_t *q, float *ds, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i += SAL_Q8_BLOCK, ds += 2) {
        float most = 0.0f, odd = 0.0f; /* odd: NaN when x is not finite, else 0 */
        int32_t sum = 0;
        for (int k = 0; k < SAL_Q8_BLOCK; k++) {
            float a = fabsf(x[i + k]);
            most = a > most ? a : most;
            odd += x[i + k] - x[i + k];
        }
        float d = most / 127.0f, inverse = d > 0.0f ? 127.0f / most : 0.0f;
        for (int k = 0; k < SAL_Q8_BLOCK; k++) {
            /* 1.5 * 2^23: rounds to an integer, half to even, in the low bits */
            int32_t v = vm_to_bits(x[i + k] * inverse + 12582912.0f) - 0x4b400000;
            q[i + k] = (int8_t)v;
            sum += (int8_t)v;
        }
        ds[0] = d + odd;
        ds[1] = d * (float)sum + odd;
    }
}

static float q8_dot(const float *a, const float *b, int64_t n)
{
    float sum[32] = {0.0f};
    int64_t i = 0;
    for (; i + 32 <= n; i += 32)
        for (int k = 0; k < 32; k++)
            sum[k] += a[i + k] * b[i + k];
    for (int k = 0; i < n; i++, k++)
        sum[k] += a[i] * b[i];
    for (int step = 16; step > 0; step /= 2)
        for (int k = 0; k < step; k++)
            sum[k] += sum[k + step];
    return sum[0];
}

static void rms_norm(float *y, const float *x, const float *scale, int64_t n, float epsilon)
{
    float sum = q8_dot(x, x, n);
    float by = 1.0f / sqrtf(sum / (float)n + epsilon);
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i] * by * scale[i];
}

/* ---- formats of 32 numbers: x = d q' + m, where q' is a small unsigned integer ---- */

/* One format: bytes of a block, where the codes begin, whether there is a minimum of its own, what
 * is subtracted from the codes else. */
#define Q4_0_LAYOUT   18, 2, 0, 8.0f
#define Q4_1_LAYOUT   20, 4, 1, 0.0f
#define Q5_0_LAYOUT   22, 6, 0, 16.0f
#define Q5_1_LAYOUT   24, 8, 1, 0.0f
#define Q8_0_LAYOUT   34, 2, 0, 128.0f
#define IQ4_NL_LAYOUT 18, 2, 0, 128.0f

/* Levels of iq4_nl with 128 added. */
#define IQ4_NL_LEVELS 1, 24, 45, 63, 79, 93, 106, 118, 129, 141, 153, 166, 181, 197, 217, 241

#if defined(__AVX2__)

static inline float rows_sum8(__m256 v)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    s = _mm_add_ss(s, _mm_movehdup_ps(s));
    return _mm_cvtss_f32(s);
}

/* The 32 codes of a block as unsigned bytes, in the order of the numbers. */
static inline __m256i rows_nibbles(const uint8_t *p)
{
    __m128i b = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m256i both = _mm256_inserti128_si256(_mm256_castsi128_si256(b), _mm_srli_epi16(b, 4), 1);
    return _mm256_and_si256(both, _mm256_set1_epi8(15));
}

/* Bit i of `bits` as 16 in byte i. */
static inline __m256i rows_fifth(const uint8_t *p)
{
    const __m256i spread =
        _mm256_set_epi64x(0x0303030303030303, 0x0202020202020202, 0x0101010101010101, 0);
    const __m256i mask = _mm256_set1_epi64x((int64_t)0x8040201008040201ULL);
    __m256i b = _mm256_shuffle_epi8(_mm256_set1_epi32((int32_t)sal_block_u32(p)), spread);
    b = _mm256_cmpeq_epi8(_mm256_and_si256(b, mask), mask);
    return _mm256_and_si256(b, _mm256_set1_epi8(16));
}

static inline __m256i rows_codes_q4(const uint8_t *block, int at)
{
    return rows_nibbles(block + at);
}

static inline __m256i rows_codes_q5(const uint8_t *block, int at)
{
    return _mm256_or_si256(rows_nibbles(block + at), rows_fifth(block + at - 4));
}

static inline __m256i rows_codes_q8(const uint8_t *block, int at)
{
    __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(block + at));
    return _mm256_xor_si256(b, _mm256_set1_epi8((char)0x80));
}

static inline __m256i rows_codes_iq4(const uint8_t *block, int at)
{
    static const uint8_t level[16] = {IQ4_NL_LEVELS};
    __m128i table = _mm_loadu_si128((const __m128i *)(const void *)level);
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), rows_nibbles(block + at));
}

/* Sums of four products each. Codes of 8 bits would overflow 16 bits in pairs: they are split. */
static inline __m256i rows_products(__m256i codes, __m256i q, int wide)
{
    const __m256i ones = _mm256_set1_epi16(1);
    if (!wide)
        return _mm256_madd_epi16(_mm256_maddubs_epi16(codes, q), ones);
    __m256i low = _mm256_and_si256(codes, _mm256_set1_epi8(127));
    __m256i high = _mm256_and_si256(_mm256_srli_epi16(codes, 7), _mm256_set1_epi8(1));
    __m256i a = _mm256_madd_epi16(_mm256_maddubs_epi16(low, q), ones);
    __m256i b = _mm256_madd_epi16(_mm256_maddubs_epi16(high, q), ones);
    return _mm256_add_epi32(a, _mm256_slli_epi32(b, 7));
}

/* Scale and minimum of a block. */
static inline void rows_scale(const uint8_t *block, int has_min, float less, float *d, float *m)
{
    *d = _cvtsh_ss(sal_block_u16(block));
    *m = has_min ? _cvtsh_ss(sal_block_u16(block + 2)) : -less * *d;
}

static inline __attribute__((always_inline)) void
rows_avx2(float *y, const uint8_t *w, size_t row_bytes, int64_t rows, const int8_t *q,
          const float *ds, int64_t columns, __m256i (*codes)(const uint8_t *, int), int bytes,
          int at, int has_min, float less)
{
    for (int64_t r = 0; r < rows; r++, w += row_bytes) {
        const uint8_t *block = w;
        __m256 sum = _mm256_setzero_ps();
        float rest = 0.0f;
        for (int64_t i = 0; i < columns / SAL_Q8_BLOCK; i++, block += bytes) {
            float d, m;
            __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(q + i * SAL_Q8_BLOCK));
            __m256i p = rows_products(codes(block, at), v, less == 128.0f);
            rows_scale(block, has_min, less, &d, &m);
            sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(p), _mm256_set1_ps(d * ds[2 * i]), sum);
            rest += m * ds[2 * i + 1];
        }
        y[r] = rows_sum8(sum) + rest;
    }
}

#define ROWS(name, codes, LAYOUT)                                                                  \
    static void rows_##name(float *y, const uint8_t *w, size_t row_bytes, int64_t rows,            \
                            const int8_t *q, const float *ds, int64_t columns)                     \
    {                                                                                              \
        rows_avx2(y, w, row_bytes, rows, q, ds, columns, codes, LAYOUT);                           \
    }

#else /* plain C */

static inline int rows_codes_q4(const uint8_t *block, int at, int j)
{
    return j < 16 ? block[at + j] & 15 : block[at + j - 16] >> 4;
}

static inline int rows_codes_q5(const uint8_t *block, int at, int j)
{
    return rows_codes_q4(block, at, j) | (int)(sal_block_u32(block + at - 4) >> j & 1) << 4;
}

static inline int rows_codes_q8(const uint8_t *block, int at, int j)
{
    return block[at + j] ^ 0x80;
}

static inline int rows_codes_iq4(const uint8_t *block, int at, int j)
{
    static const uint8_t level[16] = {IQ4_NL_LEVELS};
    return level[rows_codes_q4(block, at, j)];
}

static inline void rows_plain(float *y, const uint8_t *w, size_t row_bytes, int64_t rows,
                              const int8_t *q, const float *ds, int64_t columns,
                              int (*codes)(const uint8_t *, int, int), int bytes, int at,
                              int has_min, float less)
{
    for (int64_t r = 0; r < rows; r++, w += row_bytes) {
        const uint8_t *block = w;
        float sum = 0.0f, rest = 0.0f;
        for (int64_t i = 0; i < columns / SAL_Q8_BLOCK; i++, block += bytes) {
            int32_t p = 0;
            float d = sal_block_f16(block), m = has_min ? sal_block_f16(block + 2) : -less * d;
            for (int j = 0; j < SAL_Q8_BLOCK; j++)
                p += codes(block, at, j) * q[i * SAL_Q8_BLOCK + j];
            sum += (float)p * (d * ds[2 * i]);
            rest += m * ds[2 * i + 1];
        }
        y[r] = sum + rest;
    }
}

#define ROWS(name, codes, LAYOUT)                                                                  \
    static void rows_##name(float *y, const uint8_t *w, size_t row_bytes, int64_t rows,            \
                            const int8_t *q, const float *ds, int64_t columns)                     \
    {                                                                                              \
        rows_plain(y, w, row_bytes, rows, q, ds, columns, codes, LAYOUT);                          \
    }

#endif

ROWS(q4_0, rows_codes_q4, Q4_0_LAYOUT)
ROWS(q4_1, rows_codes_q4, Q4_1_LAYOUT)
ROWS(q5_0, rows_codes_q5, Q5_0_LAYOUT)
ROWS(q5_1, rows_codes_q5, Q5_1_LAYOUT)
ROWS(q8_0, rows_codes_q8, Q8_0_LAYOUT)
ROWS(iq4_nl, rows_codes_iq4, IQ4_NL_LAYOUT)

/* ---- two blocks at once with vpdpbusd ---- */

#if defined(__AVX512F__)
#define VNNI __attribute__((target("avx512vnni")))

VNNI static inline __m512i vnni_nibbles(const uint8_t *a, const uint8_t *b)
{
    const __m512i shift = _mm512_set_epi64(0x0004000400040004, 0x0004000400040004, 0, 0,
                                           0x0004000400040004, 0x0004000400040004, 0, 0);
    __m256i x = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)a));
    __m256i y = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)b));
    __m512i z = _mm512_inserti64x4(_mm512_castsi256_si512(x), y, 1);
    return _mm512_and_si512(_mm512_srlv_epi16(z, shift), _mm512_set1_epi8(15));
}

VNNI static inline __m512i vnni_codes_q4(const uint8_t *a, const uint8_t *b, int at)
{
    return vnni_nibbles(a + at, b + at);
}

VNNI static inline __m512i vnni_codes_q5(const uint8_t *a, const uint8_t *b, int at)
{
    uint64_t fifth = (uint64_t)sal_block_u32(a + at - 4) | (uint64_t)sal_block_u32(b + at - 4)
                                                               << 32;
    __m512i z = vnni_nibbles(a + at, b + at);
    return _mm512_mask_add_epi8(z, (__mmask64)fifth, z, _mm512_set1_epi8(16));
}

VNNI static inline __m512i vnni_codes_q8(const uint8_t *a, const uint8_t *b, int at)
{
    __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)(a + at));
    __m256i y = _mm256_loadu_si256((const __m256i *)(const void *)(b + at));
    __m512i z = _mm512_inserti64x4(_mm512_castsi256_si512(x), y, 1);
    return _mm512_xor_si512(z, _mm512_set1_epi8((char)0x80));
}

VNNI static inline __m512i vnni_codes_iq4(const uint8_t *a, const uint8_t *b, int at)
{
    static const uint8_t level[16] = {IQ4_NL_LEVELS};
    __m128i table = _mm_loadu_si128((const __m128i *)(const void *)level);
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(table), vnni_nibbles(a + at, b + at));
}

/* Scale and minimum of two blocks: d0, m0, d1, m1. */
VNNI static inline __m128 vnni_scales(const uint8_t *a, const uint8_t *b, int has_min,
                                      __m128 factor)
{
    uint32_t x, y;
    if (has_min) {
        x = sal_block_u32(a);
        y = sal_block_u32(b);
    } else {
        x = sal_block_u16(a) * 0x10001U;
        y = sal_block_u16(b) * 0x10001U;
    }
    __m128 s = _mm_cvtph_ps(_mm_cvtsi64_si128((int64_t)((uint64_t)x | (uint64_t)y << 32)));
    return has_min ? s : _mm_mul_ps(s, factor);
}

VNNI static inline __attribute__((always_inline)) void
rows_vnni(float *y, const uint8_t *w, size_t row_bytes, int64_t rows, const int8_t *q,
          const float *ds, int64_t columns, __m512i (*codes)(const uint8_t *, const uint8_t *, int),
          int bytes, int at, int has_min, float less)
{
    const __m512i spread = _mm512_set_epi32(2, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0);
    const __m128 factor = _mm_set_ps(-less, 1.0f, -less, 1.0f);
    const int64_t blocks = columns / SAL_Q8_BLOCK;
    for (int64_t r = 0; r < rows; r++, w += row_bytes) {
        const uint8_t *block = w;
        __m512 sum = _mm512_setzero_ps();
        __m128 rest = _mm_setzero_ps();
        int64_t i = 0;
        for (; i + 2 <= blocks; i += 2, block += 2 * bytes) {
            const uint8_t *next = block + bytes;
            _mm_prefetch((const char *)block + 2048, _MM_HINT_T0);
            __m512i v = _mm512_loadu_si512(q + i * SAL_Q8_BLOCK);
            __m512i p = _mm512_dpbusd_epi32(_mm512_setzero_si512(), codes(block, next, at), v);
            __m128 s =
                _mm_mul_ps(vnni_scales(block, next, has_min, factor), _mm_loadu_ps(ds + 2 * i));
            __m512 by = _mm512_permutexvar_ps(spread, _mm512_castps128_ps512(s));
            sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(p), by, sum);
            rest = _mm_add_ps(rest, s);
        }
        float total = _mm512_reduce_add_ps(sum) + _mm_cvtss_f32(_mm_shuffle_ps(rest, rest, 1)) +
                      _mm_cvtss_f32(_mm_shuffle_ps(rest, rest, 3));
        if (i < blocks) {
            float d, m;
            __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(q + i * SAL_Q8_BLOCK));
            __m256i c = _mm512_castsi512_si256(codes(block, block, at));
            __m256i p = rows_products(c, v, less == 128.0f);
            rows_scale(block, has_min, less, &d, &m);
            total += rows_sum8(_mm256_cvtepi32_ps(p)) * (d * ds[2 * i]) + m * ds[2 * i + 1];
        }
        y[r] = total;
    }
}

#define ROWS_VNNI(name, codes, LAYOUT)                                                             \
    VNNI static void vnni_##name(float *y, const uint8_t *w, size_t row_bytes, int64_t rows,       \
                                 const int8_t *q, const float *ds, int64_t columns)                \
    {                                                                                              \
        rows_vnni(y, w, row_bytes, rows, q, ds, columns, codes, LAYOUT);                           \
    }

ROWS_VNNI(q4_0, vnni_codes_q4, Q4_0_LAYOUT)
ROWS_VNNI(q4_1, vnni_codes_q4, Q4_1_LAYOUT)
ROWS_VNNI(q5_0, vnni_codes_q5, Q5_0_LAYOUT)
ROWS_VNNI(q5_1, vnni_codes_q5, Q5_1_LAYOUT)
ROWS_VNNI(q8_0, vnni_codes_q8, Q8_0_LAYOUT)
ROWS_VNNI(iq4_nl, vnni_codes_iq4, IQ4_NL_LAYOUT)
#endif

/* ---- unpacking ---- */

#if defined(__AVX2__)

/* The same products and sums as in the plain forms, so the same numbers. */
static inline __attribute__((always_inline)) void
rows_unpack(float *d, const void *blocks, int64_t n, __m256i (*codes)(const uint8_t *, int),
            int bytes, int at, int has_min, float less)
{
    const __m256i offset = _mm256_set1_epi8((char)(int)less);
    const uint8_t *block = blocks;
    for (int64_t i = 0; i < n; i++, block += bytes) {
        float scale, least;
        __m256i c = _mm256_sub_epi8(codes(block, at), offset);
        rows_scale(block, has_min, less, &scale, &least);
        for (int half = 0; half < 2; half++) {
            __m128i b = half == 0 ? _mm256_castsi256_si128(c) : _mm256_extracti128_si256(c, 1);
            for (int k = 0; k < 2; k++, d += 8, b = _mm_srli_si128(b, 8)) {
                __m256 x = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(b));
                x = _mm256_mul_ps(x, _mm256_set1_ps(scale));
                _mm256_storeu_ps(d, has_min ? _mm256_add_ps(x, _mm256_set1_ps(least)) : x);
            }
        }
    }
}

#define UNPACK(name, codes, LAYOUT)                                                                \
    static void unpack_##name(float *d, const void *blocks, int64_t n)                             \
    {                                                                                              \
        rows_unpack(d, blocks, n, codes, LAYOUT);                                                  \
    }

UNPACK(q4_0, rows_codes_q4, Q4_0_LAYOUT)
UNPACK(q4_1, rows_codes_q4, Q4_1_LAYOUT)
UNPACK(q5_0, rows_codes_q5, Q5_0_LAYOUT)
UNPACK(q5_1, rows_codes_q5, Q5_1_LAYOUT)
UNPACK(q8_0, rows_codes_q8, Q8_0_LAYOUT)
UNPACK(iq4_nl, rows_codes_iq4, IQ4_NL_LAYOUT)

#else

/* d q + m of one block, written so that compilers vectorise it. */
static inline void unpack_nibbles(float *d, const uint8_t *codes, float scale, float least)
{
    for (int j = 0; j < 16; j++) {
        d[j] = (float)(codes[j] & 15) * scale + least;
        d[j + 16] = (float)(codes[j] >> 4) * scale + least;
    }
}

static void unpack_q4_0(float *d, const void *blocks, int64_t n)
{
    const uint8_t *p = blocks;
    for (int64_t i = 0; i < n; i++, p += 18, d += 32) {
        float scale = sal_block_f16(p);
        for (int j = 0; j < 16; j++) {
            d[j] = (float)((p[2 + j] & 15) - 8) * scale;
            d[j + 16] = (float)((p[2 + j] >> 4) - 8) * scale;
        }
    }
}

static void unpack_q4_1(float *d, const void *blocks, int64_t n)
{
    const uint8_t *p = blocks;
    for (int64_t i = 0; i < n; i++, p += 20, d += 32)
        unpack_nibbles(d, p + 4, sal_block_f16(p), sal_block_f16(p + 2));
}

static void unpack_q8_0(float *d, const void *blocks, int64_t n)
{
    const uint8_t *p = blocks;
    for (int64_t i = 0; i < n; i++, p += 34, d += 32) {
        float scale = sal_block_f16(p);
        for (int j = 0; j < 32; j++)
            d[j] = (float)(int8_t)p[2 + j] * scale;
    }
}

static void unpack_q5_0(float *d, const void *blocks, int64_t n)
{
    const uint8_t *p = blocks;
    for (int64_t i = 0; i < n; i++, p += 22, d += 32) {
        float scale = sal_block_f16(p);
        uint32_t fifth = sal_block_u32(p + 2);
        for (int j = 0; j < 16; j++) {
            int low = (p[6 + j] & 15) | (int)(fifth >> j & 1) << 4;
            int high = p[6 + j] >> 4 | (int)(fifth >> (j + 16) & 1) << 4;
            d[j] = (float)(low - 16) * scale;
            d[j + 16] = (float)(high - 16) * scale;
        }
    }
}

static void unpack_q5_1(float *d, const void *blocks, int64_t n)
{
    const uint8_t *p = blocks;
    for (int64_t i = 0; i < n; i++, p += 24, d += 32) {
        float scale = sal_block_f16(p), least = sal_block_f16(p + 2);
        uint32_t fifth = sal_block_u32(p + 4);
        for (int j = 0; j < 16; j++) {
            int low = (p[8 + j] & 15) | (int)(fifth >> j & 1) << 4;
            int high = p[8 + j] >> 4 | (int)(fifth >> (j + 16) & 1) << 4;
            d[j] = (float)low * scale + least;
            d[j + 16] = (float)high * scale + least;
        }
    }
}

#endif

static void unpack_bf16(float *d, const void *blocks, int64_t n)
{
    const uint8_t *p = blocks;
    for (int64_t i = 0; i < n; i++)
        d[i] = vm_from_bits((int32_t)((uint32_t)sal_block_u16(p + 2 * i) << 16));
}

#if defined(__AVX2__)
static void unpack_f16(float *d, const void *blocks, int64_t n)
{
    const uint8_t *p = blocks;
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(
            d + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(p + 2 * i))));
    for (; i < n; i++)
        d[i] = sal_block_f16(p + 2 * i);
}
#endif

#define K_FORMATS(what)                                                                            \
    [SAL_BLOCK_q2_k] = ISA(what##_q2_k), [SAL_BLOCK_q3_k] = ISA(what##_q3_k),                      \
    [SAL_BLOCK_q4_k] = ISA(what##_q4_k), [SAL_BLOCK_q5_k] = ISA(what##_q5_k),                      \
    [SAL_BLOCK_q6_k] = ISA(what##_q6_k),

extern const sal_packed_isa ISA(sal_packed_rows);
const sal_packed_isa ISA(sal_packed_rows) = {
    .quantise = q8_quantise,
    .rows = {[SAL_BLOCK_q4_0] = rows_q4_0,
             [SAL_BLOCK_q4_1] = rows_q4_1,
             [SAL_BLOCK_q5_0] = rows_q5_0,
             [SAL_BLOCK_q5_1] = rows_q5_1,
             [SAL_BLOCK_q8_0] = rows_q8_0,
#if defined(__AVX2__)
             K_FORMATS(sal_rows)
#endif
                 [SAL_BLOCK_iq4_nl] = rows_iq4_nl},
#if defined(__AVX512F__)
    .rows_vnni = {[SAL_BLOCK_q4_0] = vnni_q4_0,
                  [SAL_BLOCK_q4_1] = vnni_q4_1,
                  [SAL_BLOCK_q5_0] = vnni_q5_0,
                  [SAL_BLOCK_q5_1] = vnni_q5_1,
                  [SAL_BLOCK_q8_0] = vnni_q8_0,
                  K_FORMATS(sal_vnni)[SAL_BLOCK_iq4_nl] = vnni_iq4_nl},
#endif
    .unpack = {[SAL_BLOCK_q4_0] = unpack_q4_0,
               [SAL_BLOCK_q4_1] = unpack_q4_1,
               [SAL_BLOCK_q5_0] = unpack_q5_0,
               [SAL_BLOCK_q5_1] = unpack_q5_1,
               [SAL_BLOCK_q8_0] = unpack_q8_0,
#if defined(__AVX2__)
               [SAL_BLOCK_f16] = unpack_f16,
               [SAL_BLOCK_iq4_nl] = unpack_iq4_nl,
               K_FORMATS(sal_unpack)
#endif
                   [SAL_BLOCK_bf16] = unpack_bf16},
    .dot = q8_dot,
    .rms_norm = rms_norm,
};
