/* safetensors files: named tensors, mapped into memory, nothing copied.
 *
 * Layout (huggingface/safetensors): the length of the header as 8 bytes, little-endian; the header,
 * a JSON object {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ..} with
 * an optional member "__metadata__" of strings; the tensors' bytes, to which the offsets refer. */
#ifndef SAL_FORMAT_SAFETENSORS_H
#define SAL_FORMAT_SAFETENSORS_H

#include "base/block_type.h"

typedef struct sal_safetensors_tensor {
    const char
        *name; /* bytes of the file, not ended by a 0; escapes of JSON are left as they are */
    size_t name_n;
    const char *dtype;          /* "F32"; static, "" when not known */
    const sal_block_type *type; /* f32, f16 or bf16; NULL for others */
    int32_t rank;               /* 0 to SAL_MAX_RANK */
    int64_t dims[SAL_MAX_RANK];
    int64_t rows, columns; /* product of all axes but the last; the last; 1 x 1 for rank 0 */
    const uint8_t *data;
    size_t bytes;
} sal_safetensors_tensor;

typedef struct sal_safetensors sal_safetensors;

/* Map and check the file: every offset lies inside it, every tensor has the bytes that its shape
 * needs. *out: sal_safetensors_close(). Errors: SAL_EIO, SAL_EFORMAT (err->offset is the byte; the
 * message begins with the path), SAL_ENOMEM. */
sal_status sal_safetensors_open(sal_safetensors **out, const char *path, sal_error *err);
/* The same from memory, which is copied. `name` begins the messages. */
sal_status sal_safetensors_open_memory(sal_safetensors **out, const void *bytes, size_t n,
                                       const char *name, sal_error *err);
/* Accepts NULL. Tensors that were handed out keep the file mapped. */
void sal_safetensors_close(sal_safetensors *s);

const char *sal_safetensors_path(const sal_safetensors *s);
size_t sal_safetensors_count(const sal_safetensors *s);
const sal_safetensors_tensor *sal_safetensors_at(const sal_safetensors *s, size_t i);
const sal_safetensors_tensor *sal_safetensors_find(const sal_safetensors *s, const char *name);
/* The tensor's rows as a uint8 tensor [rows, bytes of a row] that keeps the file mapped. Errors:
 * SAL_EUNSUPPORTED (its type is none of packed formats), SAL_ENOMEM. */
sal_status sal_safetensors_bytes(const sal_safetensors *s, const sal_safetensors_tensor *t,
                                 sal_tensor *out, sal_error *err);

#endif
