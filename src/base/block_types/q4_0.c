/* 32 numbers in 18 bytes: a half-precision scale d, then 4-bit codes q, x = d (q - 8). Byte j holds
 * the codes of numbers j (low) and j + 16 (high). */
#include "base/block_type.h"

#include <math.h>

enum { Q4_0_N = 32, Q4_0_BYTES = 18 };

static void q4_0_unpack(float *d, const void *blocks, int64_t n)
{
    const uint8_t *p = blocks;
    for (int64_t i = 0; i < n; i++, p += Q4_0_BYTES, d += Q4_0_N) {
        float scale = sal_block_f16(p);
        for (int j = 0; j < Q4_0_N / 2; j++) {
            d[j] = (float)((p[2 + j] & 15) - 8) * scale;
            d[j + Q4_0_N / 2] = (float)((p[2 + j] >> 4) - 8) * scale;
        }
    }
}

static int q4_0_code(float x)
{
    int q = (int)(x + 8.5f);
    return q > 15 ? 15 : q;
}

/* The number of largest magnitude becomes code 0, that is -8. */
static void q4_0_pack(void *blocks, const float *s, int64_t n)
{
    uint8_t *p = blocks;
    for (int64_t i = 0; i < n; i++, p += Q4_0_BYTES, s += Q4_0_N) {
        float top = 0.0f;
        for (int j = 0; j < Q4_0_N; j++)
            if (fabsf(s[j]) > fabsf(top))
                top = s[j];
        float scale = top / -8.0f, inverse = scale != 0.0f ? 1.0f / scale : 0.0f;
        sal_block_put_f16(p, scale);
        for (int j = 0; j < Q4_0_N / 2; j++)
            p[2 + j] =
                (uint8_t)(q4_0_code(s[j] * inverse) | q4_0_code(s[j + Q4_0_N / 2] * inverse) << 4);
    }
}

const sal_block_type sal_block_type_q4_0 = {
    .name = "q4_0",
    .id = SAL_BLOCK_q4_0,
    .ggml = 2,
    .elements = Q4_0_N,
    .bytes = Q4_0_BYTES,
    .unpack = q4_0_unpack,
    .pack = q4_0_pack,
};
