/* Status codes and the caller's error record. */
#ifndef SALIENCE_ERROR_H
#define SALIENCE_ERROR_H

#include <salience/export.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One row: code, value, text. Negative values are failures. */
#define SAL_STATUS_MAP(X)                                                                          \
    X(SAL_OK, 0, "success")                                                                        \
    X(SAL_ENOMEM, -1, "out of memory")                                                             \
    X(SAL_EINVAL, -2, "invalid argument")                                                          \
    X(SAL_EFORMAT, -3, "malformed file")                                                           \
    X(SAL_EIO, -4, "input or output failed")                                                       \
    X(SAL_EUNSUPPORTED, -5, "not supported")                                                       \
    X(SAL_ESHAPE, -6, "shapes do not fit")                                                         \
    X(SAL_ENOGRAD, -7, "no derivative")                                                            \
    X(SAL_ECANCELLED, -8, "interrupted")                                                           \
    X(SAL_EBACKEND, -9, "the compute library failed")

typedef enum sal_status {
#define X(id, value, text) id = value,
    SAL_STATUS_MAP(X)
#undef X
} sal_status;

/* Caller's storage, filled only on failure; every function takes NULL when the caller is not
 * interested. */
typedef struct sal_error {
    sal_status code;
    uint64_t offset; /* byte in the file at hand; 0 when it has no meaning */
    char msg[512];   /* one line, no trailing newline: what, where, what would help */
} sal_error;

/* Text of a status code; never NULL. The string is static. */
SAL_API const char *sal_status_text(sal_status code);

#ifdef __cplusplus
}
#endif
#endif
