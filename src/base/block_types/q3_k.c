/* 256 numbers in 110 bytes: the third bits of all (32 bytes, bit k of byte j for number 32 k + j),
 * 2-bit codes laid out as in q2_k, a 6-bit scale s for each run of 16 (12 bytes), half-precision d,
 * x = d (s - 32) (q - 4), where q has the third bit as its highest. */
#include "base/block_type.h"

enum { Q3_K_N = 256, Q3_K_BYTES = 110 };

/* Scale of run i: four low bits in bytes 0 to 7, two high bits in bytes 8 to 11. */
static int q3_k_scale(const uint8_t *s, int i)
{
    int low = i < 8 ? s[i] & 15 : s[i - 8] >> 4;
    return low | (s[8 + i % 4] >> (2 * (i / 4)) & 3) << 4;
}

static void q3_k_unpack(float *d, const void *blocks, int64_t n)
{
    const uint8_t *p = blocks;
    for (int64_t i = 0; i < n; i++, p += Q3_K_BYTES, d += Q3_K_N) {
        float scale = sal_block_f16(p + 108);
        for (int k = 0; k < Q3_K_N; k++) {
            int half = k / 128, part = k % 128 / 32, j = k % 32;
            int q = (p[32 + 32 * half + j] >> (2 * part) & 3) | (p[j] >> (k / 32) & 1) << 2;
            d[k] = scale * (float)(q3_k_scale(p + 96, k / 16) - 32) * (float)(q - 4);
        }
    }
}

const sal_block_type sal_block_type_q3_k = {
    .name = "q3_k",
    .id = SAL_BLOCK_q3_k,
    .ggml = 11,
    .elements = Q3_K_N,
    .bytes = Q3_K_BYTES,
    .unpack = q3_k_unpack,
};
