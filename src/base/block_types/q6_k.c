/* 256 numbers in 210 bytes: the lower four bits of all, the upper two of all, a signed 8-bit scale
 * s for each run of 16, half-precision d, x = d s (q - 32). Of each 128 numbers, byte j of 64 holds
 * the low bits of j (low) and j + 64 (high), byte j of 32 the high bits of j, j + 32, j + 64, j
 * + 96. */
#include "base/block_type.h"

enum { Q6_K_N = 256, Q6_K_BYTES = 210 };

static void q6_k_unpack(float *d, const void *blocks, int64_t n)
{
    const uint8_t *p = blocks;
    for (int64_t i = 0; i < n; i++, p += Q6_K_BYTES, d += Q6_K_N) {
        float scale = sal_block_f16(p + 208);
        for (int k = 0; k < Q6_K_N; k++) {
            int half = k / 128, at = k % 128;
            int low = p[64 * half + at % 64] >> (at < 64 ? 0 : 4) & 15;
            int high = p[128 + 32 * half + at % 32] >> (2 * (at / 32)) & 3;
            float by = scale * (float)(int8_t)p[192 + k / 16];
            d[k] = by * (float)((low | high << 4) - 32);
        }
    }
}

const sal_block_type sal_block_type_q6_k = {
    .name = "q6_k",
    .id = SAL_BLOCK_q6_k,
    .ggml = 14,
    .elements = Q6_K_N,
    .bytes = Q6_K_BYTES,
    .unpack = q6_k_unpack,
};
