/* 32 numbers in 24 bytes: half-precision scale d and minimum m, the fifth bits of all, then the
 * lower four of each, x = d q + m. Byte j holds numbers j (low) and j + 16 (high). */
#include "base/block_type.h"

enum { Q5_1_N = 32, Q5_1_BYTES = 24 };

static void q5_1_unpack(float *d, const void *blocks, int64_t n)
{
    const uint8_t *p = blocks;
    for (int64_t i = 0; i < n; i++, p += Q5_1_BYTES, d += Q5_1_N) {
        float scale = sal_block_f16(p), least = sal_block_f16(p + 2);
        uint32_t fifth = sal_block_u32(p + 4);
        for (int j = 0; j < Q5_1_N / 2; j++) {
            int low = (p[8 + j] & 15) | (int)(fifth >> j & 1) << 4;
            int high = p[8 + j] >> 4 | (int)(fifth >> (j + 16) & 1) << 4;
            d[j] = (float)low * scale + least;
            d[j + Q5_1_N / 2] = (float)high * scale + least;
        }
    }
}

const sal_block_type sal_block_type_q5_1 = {
    .name = "q5_1",
    .id = SAL_BLOCK_q5_1,
    .ggml = 7,
    .elements = Q5_1_N,
    .bytes = Q5_1_BYTES,
    .unpack = q5_1_unpack,
};
