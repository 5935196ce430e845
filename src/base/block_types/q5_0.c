/* 32 numbers in 22 bytes: half-precision scale d, the fifth bits of all, then the lower four of
 * each, x = d (q - 16). Byte j holds numbers j (low) and j + 16 (high). */
#include "base/block_type.h"

enum { Q5_0_N = 32, Q5_0_BYTES = 22 };

static void q5_0_unpack(float *d, const void *blocks, int64_t n)
{
    const uint8_t *p = blocks;
    for (int64_t i = 0; i < n; i++, p += Q5_0_BYTES, d += Q5_0_N) {
        float scale = sal_block_f16(p);
        uint32_t fifth = sal_block_u32(p + 2);
        for (int j = 0; j < Q5_0_N / 2; j++) {
            int low = (p[6 + j] & 15) | (int)(fifth >> j & 1) << 4;
            int high = p[6 + j] >> 4 | (int)(fifth >> (j + 16) & 1) << 4;
            d[j] = (float)(low - 16) * scale;
            d[j + Q5_0_N / 2] = (float)(high - 16) * scale;
        }
    }
}

const sal_block_type sal_block_type_q5_0 = {
    .name = "q5_0",
    .id = SAL_BLOCK_q5_0,
    .ggml = 6,
    .elements = Q5_0_N,
    .bytes = Q5_0_BYTES,
    .unpack = q5_0_unpack,
};
