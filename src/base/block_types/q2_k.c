/* 256 numbers in 84 bytes: for each run of 16 a byte with a 4-bit scale s (low) and minimum m
 * (high), 2-bit codes q, then half-precision d and e, x = d s q - e m. Of each 128 numbers, byte j
 * of 32 holds the codes of j, j + 32, j + 64, j + 96 from its lowest bits on. */
#include "base/block_type.h"

enum { Q2_K_N = 256, Q2_K_BYTES = 84 };

static void q2_k_unpack(float *d, const void *blocks, int64_t n)
{
    const uint8_t *p = blocks;
    for (int64_t i = 0; i < n; i++, p += Q2_K_BYTES, d += Q2_K_N) {
        float scale = sal_block_f16(p + 80), least = sal_block_f16(p + 82);
        for (int k = 0; k < Q2_K_N; k++) {
            int half = k / 128, part = k % 128 / 32, j = k % 32;
            uint8_t s = p[k / 16];
            int q = p[16 + 32 * half + j] >> (2 * part) & 3;
            d[k] = scale * (float)(s & 15) * (float)q - least * (float)(s >> 4);
        }
    }
}

const sal_block_type sal_block_type_q2_k = {
    .name = "q2_k",
    .id = SAL_BLOCK_q2_k,
    .ggml = 10,
    .elements = Q2_K_N,
    .bytes = Q2_K_BYTES,
    .unpack = q2_k_unpack,
};
