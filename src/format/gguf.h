/* GGUF files: metadata and packed tensors, mapped into memory, nothing copied.
 *
 * Layout (ggml's gguf specification, versions 2 and 3, little-endian): "GGUF", version, number of
 * tensors and of metadata; the metadata as key, type, value; for each tensor name, dimensions (the
 * innermost first), type, offset; then, aligned to `general.alignment`, the tensors' bytes. */
#ifndef SAL_FORMAT_GGUF_H
#define SAL_FORMAT_GGUF_H

#include "base/block_type.h"

/* Bytes of the file, not ended by a 0. */
typedef struct sal_gguf_text {
    const char *data;
    size_t n;
} sal_gguf_text;

typedef enum sal_gguf_type {
    SAL_GGUF_U8,
    SAL_GGUF_I8,
    SAL_GGUF_U16,
    SAL_GGUF_I16,
    SAL_GGUF_U32,
    SAL_GGUF_I32,
    SAL_GGUF_F32,
    SAL_GGUF_BOOL,
    SAL_GGUF_STRING,
    SAL_GGUF_ARRAY,
    SAL_GGUF_U64,
    SAL_GGUF_I64,
    SAL_GGUF_F64,
    SAL_GGUF_TYPES
} sal_gguf_type;

typedef struct sal_gguf_pair {
    sal_gguf_text key;
    sal_gguf_type type; /* of the value, or of the elements of an array */
    bool array;
    uint64_t count;      /* elements of an array; 1 for others */
    const uint8_t *data; /* of the value, or of the first element */
    uint64_t bytes;
} sal_gguf_pair;

typedef struct sal_gguf_tensor {
    sal_gguf_text name;
    const sal_block_type *type; /* NULL: one that is not known, number in `ggml` */
    uint32_t ggml;
    int32_t rank;    /* 1 to 4 */
    int64_t dims[4]; /* the outermost first, as everywhere here; the last is a row */
    int64_t rows;    /* product of all but the last */
    size_t row_bytes;
    const uint8_t *data; /* rows * row_bytes; NULL where the type is not known */
} sal_gguf_tensor;

typedef struct sal_gguf sal_gguf;

/* Map and check the file: every count, length and offset lies inside it. *out: sal_gguf_close().
 * Errors: SAL_EIO, SAL_EFORMAT (err->offset is the byte; the message begins with the path),
 * SAL_EUNSUPPORTED (version, big-endian, split files), SAL_ENOMEM. */
sal_status sal_gguf_open(sal_gguf **out, const char *path, sal_error *err);
/* The same from memory, which is copied. `name` begins the messages. */
sal_status sal_gguf_open_memory(sal_gguf **out, const void *bytes, size_t n, const char *name,
                                sal_error *err);
/* Accepts NULL. */
void sal_gguf_close(sal_gguf *g);
/* Does a file begin as GGUF? */
bool sal_gguf_is(const void *bytes, size_t n);

const char *sal_gguf_path(const sal_gguf *g);
uint32_t sal_gguf_version(const sal_gguf *g);
size_t sal_gguf_pair_count(const sal_gguf *g);
const sal_gguf_pair *sal_gguf_pair_at(const sal_gguf *g, size_t i);
const sal_gguf_pair *sal_gguf_find(const sal_gguf *g, const char *key); /* NULL when absent */
size_t sal_gguf_tensor_count(const sal_gguf *g);
const sal_gguf_tensor *sal_gguf_tensor_at(const sal_gguf *g, size_t i);
const sal_gguf_tensor *sal_gguf_tensor_find(const sal_gguf *g, const char *name);

/* Values by key; the fallback when the key is absent or of another kind. Whole numbers of every
 * width; floats of both. */
int64_t sal_gguf_int(const sal_gguf *g, const char *key, int64_t fallback);
double sal_gguf_float(const sal_gguf *g, const char *key, double fallback);
bool sal_gguf_bool(const sal_gguf *g, const char *key, bool fallback);
sal_gguf_text sal_gguf_string(const sal_gguf *g, const char *key); /* {NULL, 0} when absent */

/* Element i of an array as a whole number or a float; 0 beyond the end and for strings. */
int64_t sal_gguf_array_int(const sal_gguf_pair *p, uint64_t i);
double sal_gguf_array_float(const sal_gguf_pair *p, uint64_t i);
/* The strings of an array one after the other: *at begins as p->data. False at the end. */
bool sal_gguf_array_next(const sal_gguf_pair *p, const uint8_t **at, sal_gguf_text *out);

/* The tensor's rows as a uint8 tensor [rows, row_bytes] that keeps the file mapped. */
sal_status sal_gguf_bytes(sal_gguf *g, const sal_gguf_tensor *t, sal_tensor *out, sal_error *err);

#endif
