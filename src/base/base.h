/* What every layer uses: allocation that can be made to fail, errors, arenas, growing arrays. */
#ifndef SAL_BASE_H
#define SAL_BASE_H

#include <salience/error.h>
#include <salience/tensor.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* ---- errors ---- */

#if defined(__GNUC__)
#define SAL_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define SAL_PRINTF(fmt, args)
#endif

/* Fill *err (when not NULL) and return code. */
sal_status sal_fail(sal_error *err, sal_status code, const char *fmt, ...) SAL_PRINTF(3, 4);
sal_status sal_fail_at(sal_error *err, sal_status code, uint64_t offset, const char *fmt, ...)
    SAL_PRINTF(4, 5);
/* Put "prefix: " before the message already in err (node name, file name). */
sal_status sal_fail_prefix(sal_error *err, sal_status code, const char *fmt, ...) SAL_PRINTF(3, 4);
sal_status sal_fail_nomem(sal_error *err);

/* For functions with `sal_status st` and a label `done`. */
#define SAL_TRY(call)                                                                              \
    do {                                                                                           \
        st = (call);                                                                               \
        if (st != SAL_OK)                                                                          \
            goto done;                                                                             \
    } while (0)

/* ---- allocation: every byte of the library goes through these ---- */

void *sal_malloc(size_t bytes);
void *sal_calloc(size_t count, size_t size); /* NULL also on overflow */
void *sal_realloc(void *p, size_t bytes);
void *sal_aligned(size_t bytes); /* 64-byte aligned; free with sal_free */
/* Zeroed memory for weights and activations, 64-byte aligned. Large blocks come straight from the
 * system, so that each goes back to it when it is freed and not when its neighbours are. Free with
 * sal_pages_free and the same size; NULL is accepted. */
void *sal_pages(size_t bytes);
void sal_pages_free(void *p, size_t bytes);
char *sal_strdup(const char *s);
void sal_free(void *p);
/* Test hooks: let the n-th allocation from now (0 = the next) fail, and all after it when `sticky`;
 * n < 0 switches failing off. Live = allocations not yet freed. */
void sal_test_fail_after(long n, bool sticky);
long sal_test_live(void);

/* a * b and a + b; false on overflow. */
bool sal_mul_ok(size_t a, size_t b, size_t *out);
bool sal_add_ok(size_t a, size_t b, size_t *out);

/* ---- arena: many small allocations freed together ---- */

typedef struct sal_arena {
    struct sal_arena_block *head;
} sal_arena;

void *sal_arena_alloc(sal_arena *a,
                      size_t bytes); /* zeroed, 16-byte aligned; NULL when out of memory */
char *sal_arena_strdup(sal_arena *a, const char *s);
char *sal_arena_strndup(sal_arena *a, const char *s, size_t n);
char *sal_arena_printf(sal_arena *a, const char *fmt, ...) SAL_PRINTF(2, 3);
void *sal_arena_memdup(sal_arena *a, const void *p, size_t bytes);
void sal_arena_free(sal_arena *a);

/* ---- growing byte buffer (files being written, text being built) ---- */

typedef struct sal_bytes {
    char *data; /* always NUL-terminated once anything was added */
    size_t len, cap;
} sal_bytes;

sal_status sal_bytes_add(sal_bytes *b, const void *p, size_t n, sal_error *err);
sal_status sal_bytes_printf(sal_bytes *b, sal_error *err, const char *fmt, ...) SAL_PRINTF(3, 4);
void sal_bytes_free(sal_bytes *b);

/* Make room for one more element in an array of `size`-byte elements: *items (may be NULL), *cap.
 */
sal_status sal_grow(void *items_ptr, size_t need, size_t *cap, size_t size, sal_error *err);

/* ---- shared buffers behind tensors ---- */

/* Wrap memory that is released by `release(ctx)` (a mapped file, a parent object). */
sal_status sal_buffer_wrap(sal_buffer **out, void *data, size_t bytes, void (*release)(void *ctx),
                           void *ctx, sal_error *err);
/* Zeroed memory of its own; *data lives as long as the buffer. */
sal_status sal_buffer_new(sal_buffer **out, void **data, size_t bytes, sal_error *err);
sal_buffer *sal_buffer_ref(sal_buffer *b);
void sal_buffer_unref(sal_buffer *b);

/* ---- float formats ---- */

float sal_f16_to_f32(uint16_t h);
uint16_t sal_f32_to_f16(float f); /* nearest even */
float sal_bf16_to_f32(uint16_t h);
uint16_t sal_f32_to_bf16(float f); /* nearest even, NaN kept quiet */

/* ---- files ---- */

/* Whole file, read-only. Refuses anything that is no regular file. *out: sal_file_close(). */
typedef struct sal_file {
    const uint8_t *data;
    size_t size;
    bool mapped;
} sal_file;
sal_status sal_file_open(sal_file *out, const char *path, sal_error *err);
void sal_file_close(sal_file *f);
/* Write to a temporary file beside `path`, flush, rename over it. Nothing half-written stays
 * behind. */
sal_status sal_file_write(const char *path, const void *data, size_t bytes, sal_error *err);

/* ---- random numbers: counter-based, so any element can be drawn by itself ---- */

typedef struct sal_rng {
    uint64_t key, counter;
} sal_rng;
sal_rng sal_rng_seed(uint64_t seed, uint64_t stream);
uint64_t sal_rng_u64(sal_rng *r);
double sal_rng_uniform(sal_rng *r); /* [0,1) */
double sal_rng_normal(sal_rng *r);  /* mean 0, variance 1 */
/* The next n of them, faster. */
void sal_rng_normals(sal_rng *r, size_t n, float *out);

/* FNV-1a 64 */
uint64_t sal_hash(const void *p, size_t n, uint64_t seed);

#define SAL_COUNTOF(a) (sizeof(a) / sizeof((a)[0]))
#define SAL_MIN(a, b)  ((a) < (b) ? (a) : (b))
#define SAL_MAX(a, b)  ((a) > (b) ? (a) : (b))

#endif
