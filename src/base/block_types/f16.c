/* IEEE half precision. */
#include "base/block_type.h"

static void f16_unpack(float *d, const void *blocks, int64_t n)
{
    const uint8_t *p = blocks;
    for (int64_t i = 0; i < n; i++)
        d[i] = sal_block_f16(p + 2 * i);
}

static void f16_pack(void *blocks, const float *s, int64_t n)
{
    uint8_t *p = blocks;
    for (int64_t i = 0; i < n; i++)
        sal_block_put_f16(p + 2 * i, s[i]);
}

const sal_block_type sal_block_type_f16 = {
    .name = "f16",
    .id = SAL_BLOCK_f16,
    .ggml = 1,
    .elements = 1,
    .bytes = 2,
    .unpack = f16_unpack,
    .pack = f16_pack,
};
