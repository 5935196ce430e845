/* 32 numbers in 34 bytes: a half-precision scale d, then 8-bit codes q, x = d q. */
#include "base/block_type.h"

#include <math.h>

enum { Q8_0_N = 32, Q8_0_BYTES = 34 };

static void q8_0_unpack(float *d, const void *blocks, int64_t n)
{
    const uint8_t *p = blocks;
    for (int64_t i = 0; i < n; i++, p += Q8_0_BYTES, d += Q8_0_N) {
        float scale = sal_block_f16(p);
        for (int j = 0; j < Q8_0_N; j++)
            d[j] = (float)(int8_t)p[2 + j] * scale;
    }
}

static void q8_0_pack(void *blocks, const float *s, int64_t n)
{
    uint8_t *p = blocks;
    for (int64_t i = 0; i < n; i++, p += Q8_0_BYTES, s += Q8_0_N) {
        float top = 0.0f;
        for (int j = 0; j < Q8_0_N; j++)
            top = fmaxf(top, fabsf(s[j]));
        float scale = top / 127.0f, inverse = scale != 0.0f ? 1.0f / scale : 0.0f;
        sal_block_put_f16(p, scale);
        for (int j = 0; j < Q8_0_N; j++)
            p[2 + j] = (uint8_t)(int8_t)roundf(s[j] * inverse);
    }
}

const sal_block_type sal_block_type_q8_0 = {
    .name = "q8_0",
    .id = SAL_BLOCK_q8_0,
    .ggml = 8,
    .elements = Q8_0_N,
    .bytes = Q8_0_BYTES,
    .unpack = q8_0_unpack,
    .pack = q8_0_pack,
};
