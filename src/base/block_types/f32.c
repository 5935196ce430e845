/* Plain float32. */
#include "base/block_type.h"

static void f32_unpack(float *d, const void *blocks, int64_t n)
{
    memcpy(d, blocks, (size_t)n * sizeof *d);
}

static void f32_pack(void *blocks, const float *s, int64_t n)
{
    memcpy(blocks, s, (size_t)n * sizeof *s);
}

const sal_block_type sal_block_type_f32 = {
    .name = "f32",
    .id = SAL_BLOCK_f32,
    .ggml = 0,
    .elements = 1,
    .bytes = 4,
    .unpack = f32_unpack,
    .pack = f32_pack,
};
