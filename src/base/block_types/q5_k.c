/* 256 numbers in 176 bytes: half-precision d and e, for each run of 32 a 6-bit scale s and minimum
 * m (12 bytes, sal_block_k_scale), the fifth bits (bit k of byte j for number 32 k + j), the lower
 * four of each as in q4_k, x = d s q - e m. */
#include "base/block_type.h"

enum { Q5_K_N = 256, Q5_K_BYTES = 176 };

static void q5_k_unpack(float *d, const void *blocks, int64_t n)
{
    const uint8_t *p = blocks;
    for (int64_t i = 0; i < n; i++, p += Q5_K_BYTES, d += Q5_K_N) {
        float scale = sal_block_f16(p), least = sal_block_f16(p + 2);
        for (int run = 0; run < 8; run++) {
            const uint8_t *q = p + 48 + 32 * (run / 2);
            int s, m;
            sal_block_k_scale(p + 4, run, &s, &m);
            float by = scale * (float)s, less = least * (float)m;
            for (int j = 0; j < 32; j++) {
                int low = run % 2 == 0 ? q[j] & 15 : q[j] >> 4;
                d[32 * run + j] = by * (float)(low | (p[16 + j] >> run & 1) << 4) - less;
            }
        }
    }
}

const sal_block_type sal_block_type_q5_k = {
    .name = "q5_k",
    .id = SAL_BLOCK_q5_k,
    .ggml = 13,
    .elements = Q5_K_N,
    .bytes = Q5_K_BYTES,
    .unpack = q5_k_unpack,
};
