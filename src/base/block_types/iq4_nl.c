/* 32 numbers in 18 bytes: half-precision scale d, then 4-bit codes of unevenly spaced levels, x = d
 * level[q]. Byte j holds the codes of numbers j (low) and j + 16 (high). */
#include "base/block_type.h"

enum { IQ4_NL_N = 32, IQ4_NL_BYTES = 18 };

static void iq4_nl_unpack(float *d, const void *blocks, int64_t n)
{
    static const int8_t level[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                     1,    13,   25,  38,  53,  69,  89,  113};
    const uint8_t *p = blocks;
    for (int64_t i = 0; i < n; i++, p += IQ4_NL_BYTES, d += IQ4_NL_N) {
        float scale = sal_block_f16(p);
        for (int j = 0; j < IQ4_NL_N / 2; j++) {
            d[j] = scale * (float)level[p[2 + j] & 15];
            d[j + IQ4_NL_N / 2] = scale * (float)level[p[2 + j] >> 4];
        }
    }
}

const sal_block_type sal_block_type_iq4_nl = {
    .name = "iq4_nl",
    .id = SAL_BLOCK_iq4_nl,
    .ggml = 20,
    .elements = IQ4_NL_N,
    .bytes = IQ4_NL_BYTES,
    .unpack = iq4_nl_unpack,
};
