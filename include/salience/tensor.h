/* Dense row-major tensors and the element types of ONNX. */
#ifndef SALIENCE_TENSOR_H
#define SALIENCE_TENSOR_H

#include <salience/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SAL_MAX_RANK 8

/* One row: id, ONNX TensorProto.DataType, bytes an element, name. */
#define SAL_DTYPE_MAP(X)                                                                           \
    X(SAL_DT_NONE, 0, 0, "none")                                                                   \
    X(SAL_F32, 1, 4, "float32")                                                                    \
    X(SAL_U8, 2, 1, "uint8")                                                                       \
    X(SAL_I8, 3, 1, "int8")                                                                        \
    X(SAL_U16, 4, 2, "uint16")                                                                     \
    X(SAL_I16, 5, 2, "int16")                                                                      \
    X(SAL_I32, 6, 4, "int32")                                                                      \
    X(SAL_I64, 7, 8, "int64")                                                                      \
    X(SAL_BOOL, 9, 1, "bool")                                                                      \
    X(SAL_F16, 10, 2, "float16")                                                                   \
    X(SAL_F64, 11, 8, "float64")                                                                   \
    X(SAL_U32, 12, 4, "uint32")                                                                    \
    X(SAL_U64, 13, 8, "uint64")                                                                    \
    X(SAL_BF16, 16, 2, "bfloat16")

typedef enum sal_dtype {
#define X(id, code, bytes, name) id = code,
    SAL_DTYPE_MAP(X)
#undef X
} sal_dtype;

/* Bytes of one element; 0 for SAL_DT_NONE and unknown codes. */
SAL_API size_t sal_dtype_size(sal_dtype dtype);
/* Name such as "float32"; "unknown" for unknown codes. Static. */
SAL_API const char *sal_dtype_name(sal_dtype dtype);
/* True for float16, bfloat16, float32, float64. */
SAL_API bool sal_dtype_is_float(sal_dtype dtype);

/* Shared storage of tensors, counted. Opaque. */
typedef struct sal_buffer sal_buffer;

/* A dense row-major tensor. Plain struct: copy the fields freely, but only sal_tensor_ref() makes a
 * second owner. `buffer` is NULL when `data` is borrowed from the caller. */
typedef struct sal_tensor {
    sal_dtype dtype;
    int32_t rank;               /* 0..SAL_MAX_RANK */
    int64_t dims[SAL_MAX_RANK]; /* elements along each axis, each >= 0 */
    void *data;                 /* NULL only when there are no elements */
    sal_buffer *buffer;
} sal_tensor;

#define SAL_TENSOR_INIT                                                                            \
    {                                                                                              \
        SAL_DT_NONE, 0, {0}, NULL, NULL                                                            \
    }

/* Allocate zeroed storage, 64-byte aligned. *out must be SAL_TENSOR_INIT or freed. Errors:
 * SAL_ENOMEM, SAL_EINVAL (rank, negative dim, size overflow). */
SAL_API SAL_MUST_USE sal_status sal_tensor_new(sal_tensor *out, sal_dtype dtype, int rank,
                                               const int64_t *dims, sal_error *err);
/* Describe the caller's memory as a tensor; nothing is copied or owned. */
SAL_API sal_tensor sal_tensor_borrow(sal_dtype dtype, int rank, const int64_t *dims, void *data);
/* Second owner of the same storage (a borrowed tensor stays borrowed). */
SAL_API sal_tensor sal_tensor_ref(const sal_tensor *t);
/* Drop this owner and reset to SAL_TENSOR_INIT. Accepts NULL. */
SAL_API void sal_tensor_free(sal_tensor *t);
/* Number of elements (1 for rank 0) and bytes. */
SAL_API int64_t sal_tensor_count(const sal_tensor *t);
SAL_API size_t sal_tensor_bytes(const sal_tensor *t);
/* New tensor of another element type: floats round to nearest even, float to integer truncates. */
SAL_API SAL_MUST_USE sal_status sal_tensor_cast(sal_tensor *out, const sal_tensor *in,
                                                sal_dtype dtype, sal_error *err);
/* Element i (row-major, any dtype) as double / set from double. */
SAL_API double sal_tensor_get(const sal_tensor *t, int64_t i);
SAL_API void sal_tensor_set(sal_tensor *t, int64_t i, double v);

/* .npy files, version 1 to 3, C or Fortran order, little or big endian on reading. bfloat16 is
 * written as uint16. */
SAL_API SAL_MUST_USE sal_status sal_npy_read(sal_tensor *out, const char *path, sal_error *err);
SAL_API SAL_MUST_USE sal_status sal_npy_write(const sal_tensor *t, const char *path,
                                              sal_error *err);

#ifdef __cplusplus
}
#endif
#endif
