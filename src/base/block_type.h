/* Formats of packed numbers: short blocks of small integers that share a scale, as language models'
 * files keep their weights. The functions here are the plain ones that every faster kernel is
 * compared with. */
#ifndef SAL_BASE_BLOCK_TYPE_H
#define SAL_BASE_BLOCK_TYPE_H

#include "base/base.h"

typedef enum sal_block_id {
#define SAL_BLOCK_TYPE(id) SAL_BLOCK_##id,
#include "base/block_types.def"
#undef SAL_BLOCK_TYPE
    SAL_BLOCK_COUNT
} sal_block_id;

enum { SAL_BLOCK_ELEMENTS_MAX = 256 };

typedef struct sal_block_type {
    const char *name; /* "q4_1" */
    sal_block_id id;
    uint32_t ggml;       /* number of the type in GGUF files */
    int elements, bytes; /* of a block */
    /* d[n * elements] = the numbers of n blocks, which need no alignment. */
    void (*unpack)(float *d, const void *blocks, int64_t n);
    /* Nearest blocks of s[n * elements]; NULL where the format is only read. */
    void (*pack)(void *blocks, const float *s, int64_t n);
} sal_block_type;

#define SAL_BLOCK_TYPE(id) extern const sal_block_type sal_block_type_##id;
#include "base/block_types.def"
#undef SAL_BLOCK_TYPE

const sal_block_type *sal_block_type_at(size_t i);             /* NULL beyond the end */
const sal_block_type *sal_block_type_find(const char *name);   /* NULL when unknown */
const sal_block_type *sal_block_type_of_ggml(uint32_t number); /* NULL when unknown */

/* Bytes of a row of this many numbers; false when they fill no whole blocks or do not fit a size_t.
 */
bool sal_block_row_bytes(const sal_block_type *t, int64_t columns, size_t *bytes);

/* Little-endian numbers at any address. */
static inline uint16_t sal_block_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t sal_block_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline float sal_block_f16(const uint8_t *p)
{
    return sal_f16_to_f32(sal_block_u16(p));
}

/* Scale and minimum of run i of 8 in q4_k and q5_k: 12 bytes, six bits each. */
static inline void sal_block_k_scale(const uint8_t *s, int i, int *scale, int *least)
{
    if (i < 4) {
        *scale = s[i] & 63;
        *least = s[i + 4] & 63;
    } else {
        *scale = (s[i + 4] & 15) | s[i - 4] >> 6 << 4;
        *least = s[i + 4] >> 4 | s[i] >> 6 << 4;
    }
}

static inline void sal_block_put_f16(uint8_t *p, float f)
{
    uint16_t h = sal_f32_to_f16(f);
    p[0] = (uint8_t)(h & 0xff);
    p[1] = (uint8_t)(h >> 8);
}

#endif
