/* The key-value cache of a decoder: what attention has seen, layer by layer, for several texts.
 *
 * Keys and values lie in tiles of 16 tokens, for each layer, text and head one run of tiles: keys
 * with the token innermost ([feature][16]), so that a query meets 16 keys at once; values with the
 * feature innermost ([16][feature]). A policy (policies.def) says in which format. A run appends at
 * the end of a text; sal_cache_advance() makes that count when all layers are done, so a run that
 * failed leaves nothing behind. Memory of tokens that never came is not touched. Belongs to one
 * thread at a time. */
#ifndef SAL_EXEC_CACHE_H
#define SAL_EXEC_CACHE_H

#include "base/base.h"

enum { SAL_CACHE_TILE = 16 };

/* Formats of tiles: exec/cache_tiles.h has their code. */
typedef enum sal_cache_format {
    SAL_CACHE_F32,
    SAL_CACHE_F16,
    SAL_CACHE_BF16,
    SAL_CACHE_Q8, /* signed bytes with a half-precision scale for 32 features of a token */
    SAL_CACHE_Q4, /* four bits, the same */
    SAL_CACHE_FORMATS
} sal_cache_format;

typedef struct sal_cache_policy {
    const char *name, *what;
    sal_cache_format keys, values;
    bool rotate; /* heads are turned by a Hadamard matrix before they are rounded, which spreads
                    outliers; queries and results are turned along */
} sal_cache_policy;

size_t sal_cache_policy_count(void);
const sal_cache_policy *sal_cache_policy_at(size_t i);           /* NULL beyond the end */
const sal_cache_policy *sal_cache_policy_find(const char *name); /* NULL when unknown */

typedef struct sal_cache sal_cache;

typedef struct sal_cache_opts {
    const char *policy;
    int32_t layers, kv_heads, key_size, value_size; /* sizes of a head */
    int32_t rows;                                   /* texts */
    int64_t context;                                /* tokens of a text */
} sal_cache_opts;

/* *out: sal_cache_free(). Errors: SAL_EINVAL (policy, sizes), SAL_ENOMEM. */
sal_status sal_cache_new(sal_cache **out, const sal_cache_opts *opts, sal_error *err);
void sal_cache_free(sal_cache *c); /* accepts NULL */

const sal_cache_policy *sal_cache_policy_of(const sal_cache *c);
const sal_cache_opts *sal_cache_opts_of(const sal_cache *c);

/* Row b of the next run's batch is text rows[b]; n <= opts.rows, all different. */
sal_status sal_cache_rows(sal_cache *c, int32_t n, const int32_t *rows, sal_error *err);
int32_t sal_cache_row(const sal_cache *c, int32_t b);
/* Tokens of a text. */
int64_t sal_cache_length(const sal_cache *c, int32_t row);
/* n tokens that the last run has appended to the rows that are set count from now on. */
void sal_cache_advance(sal_cache *c, int64_t n);
/* Forget all but the first n tokens of a text. */
void sal_cache_truncate(sal_cache *c, int32_t row, int64_t n);

/* Bytes of the tokens that are there, and of all that was reserved. */
size_t sal_cache_bytes(const sal_cache *c);
size_t sal_cache_room(const sal_cache *c);
/* Bytes of one token in all layers. */
size_t sal_cache_token_bytes(const sal_cache *c);

/* Tile t of the keys / values of a head. */
uint8_t *sal_cache_keys(const sal_cache *c, int32_t layer, int32_t row, int32_t head, int64_t t);
uint8_t *sal_cache_values(const sal_cache *c, int32_t layer, int32_t row, int32_t head, int64_t t);

/* The tiles of a text, one after the other: appended to *out, and read again as n tokens into an
 * empty text. Errors of the latter: SAL_EFORMAT (not as many bytes as n tokens have). */
sal_status sal_cache_save(const sal_cache *c, int32_t row, sal_bytes *out, sal_error *err);
sal_status sal_cache_load(sal_cache *c, int32_t row, int64_t n, const uint8_t *bytes, size_t size,
                          sal_error *err);

#endif
