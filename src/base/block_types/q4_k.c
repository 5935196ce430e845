/* 256 numbers in 144 bytes: half-precision d and e, for each run of 32 a 6-bit scale s and minimum
 * m (12 bytes, sal_block_k_scale), 4-bit codes q, x = d s q - e m. Of each 64 numbers, byte j of 32
 * holds j (low) and j + 32 (high). */
#include "base/block_type.h"

enum { Q4_K_N = 256, Q4_K_BYTES = 144 };

static void q4_k_unpack(float *d, const void *blocks, int64_t n)
{
    const uint8_t *p = blocks;
    for (int64_t i = 0; i < n; i++, p += Q4_K_BYTES, d += Q4_K_N) {
        float scale = sal_block_f16(p), least = sal_block_f16(p + 2);
        for (int run = 0; run < 8; run++) {
            const uint8_t *q = p + 16 + 32 * (run / 2);
            int s, m;
            sal_block_k_scale(p + 4, run, &s, &m);
            float by = scale * (float)s, less = least * (float)m;
            for (int j = 0; j < 32; j++)
                d[32 * run + j] = by * (float)(run % 2 == 0 ? q[j] & 15 : q[j] >> 4) - less;
        }
    }
}

const sal_block_type sal_block_type_q4_k = {
    .name = "q4_k",
    .id = SAL_BLOCK_q4_k,
    .ggml = 12,
    .elements = Q4_K_N,
    .bytes = Q4_K_BYTES,
    .unpack = q4_k_unpack,
};
