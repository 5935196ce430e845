/* 32 numbers in 20 bytes: half-precision scale d and minimum m, then 4-bit codes q, x = d q + m.
 * Byte j holds the codes of numbers j (low) and j + 16 (high). */
#include "base/block_type.h"

enum { Q4_1_N = 32, Q4_1_BYTES = 20 };

static void q4_1_unpack(float *d, const void *blocks, int64_t n)
{
    const uint8_t *p = blocks;
    for (int64_t i = 0; i < n; i++, p += Q4_1_BYTES, d += Q4_1_N) {
        float scale = sal_block_f16(p), least = sal_block_f16(p + 2);
        for (int j = 0; j < Q4_1_N / 2; j++) {
            d[j] = (float)(p[4 + j] & 15) * scale + least;
            d[j + Q4_1_N / 2] = (float)(p[4 + j] >> 4) * scale + least;
        }
    }
}

static int q4_1_code(float x)
{
    int q = (int)(x + 0.5f);
    return q > 15 ? 15 : q;
}

static void q4_1_pack(void *blocks, const float *s, int64_t n)
{
    uint8_t *p = blocks;
    for (int64_t i = 0; i < n; i++, p += Q4_1_BYTES, s += Q4_1_N) {
        float least = s[0], most = s[0];
        for (int j = 1; j < Q4_1_N; j++) {
            least = s[j] < least ? s[j] : least;
            most = s[j] > most ? s[j] : most;
        }
        float scale = (most - least) / 15.0f, inverse = scale != 0.0f ? 1.0f / scale : 0.0f;
        sal_block_put_f16(p, scale);
        sal_block_put_f16(p + 2, least);
        for (int j = 0; j < Q4_1_N / 2; j++)
            p[4 + j] = (uint8_t)(q4_1_code((s[j] - least) * inverse) |
                                 q4_1_code((s[j + Q4_1_N / 2] - least) * inverse) << 4);
    }
}

const sal_block_type sal_block_type_q4_1 = {
    .name = "q4_1",
    .id = SAL_BLOCK_q4_1,
    .ggml = 3,
    .elements = Q4_1_N,
    .bytes = Q4_1_BYTES,
    .unpack = q4_1_unpack,
    .pack = q4_1_pack,
};
