/* Tiles of the key-value cache and attention over them: compiled for each instruction set. */
#ifndef SAL_EXEC_CACHE_TILES_H
#define SAL_EXEC_CACHE_TILES_H

#include "exec/cache.h"

typedef struct sal_cache_isa {
    /* One token's head x[size] into place `slot` of a tile. */
    void (*put_key[SAL_CACHE_FORMATS])(uint8_t *tile, int slot, const float *x, int size);
    void (*put_value[SAL_CACHE_FORMATS])(uint8_t *tile, int slot, const float *x, int size);
    /* A tile as floats: [size][16] of keys, [16][size] of values; `room` or the tile itself. */
    const float *(*get_keys[SAL_CACHE_FORMATS])(const uint8_t *tile, int size, float *room);
    const float *(*get_values[SAL_CACHE_FORMATS])(const uint8_t *tile, int size, float *room);
    /* s[i * stride + t] = q[i] . key t, for n queries q[n][size]. */
    void (*scores)(float *s, int64_t stride, const float *q, int n, int size, const float *keys);
    /* o[i][d] += sum over t of p[i * stride + t] * value t [d]. */
    void (*mix)(float *o, const float *p, int64_t stride, int n, int size, const float *values);
    /* s[i] = e^(s[i] - most); returns their sum. */
    float (*exponentials)(float *s, int64_t n, float most);
    float (*largest)(const float *s, int64_t n);
    void (*scale)(float *x, int64_t n, float by);
    /* cap * tanh(s / cap) */
    void (*cap)(float *s, int64_t n, float cap);
    /* Normalised Walsh-Hadamard transform of blocks of the largest power of two that divides size.
     */
    void (*turn)(float *x, int size);
} sal_cache_isa;

/* Bytes of a tile of heads of this size; sizes that a format cannot hold give 0. */
size_t sal_cache_tile_bytes(sal_cache_format format, int32_t size);

#endif
