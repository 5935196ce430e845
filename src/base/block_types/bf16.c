/* bfloat16: the upper half of a float32. */
#include "base/block_type.h"

static void bf16_unpack(float *d, const void *blocks, int64_t n)
{
    const uint8_t *p = blocks;
    for (int64_t i = 0; i < n; i++)
        d[i] = sal_bf16_to_f32(sal_block_u16(p + 2 * i));
}

static void bf16_pack(void *blocks, const float *s, int64_t n)
{
    uint8_t *p = blocks;
    for (int64_t i = 0; i < n; i++) {
        uint16_t h = sal_f32_to_bf16(s[i]);
        p[2 * i] = (uint8_t)(h & 0xff);
        p[2 * i + 1] = (uint8_t)(h >> 8);
    }
}

const sal_block_type sal_block_type_bf16 = {
    .name = "bf16",
    .id = SAL_BLOCK_bf16,
    .ggml = 30,
    .elements = 1,
    .bytes = 2,
    .unpack = bf16_unpack,
    .pack = bf16_pack,
};
