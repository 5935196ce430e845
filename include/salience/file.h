/* Files as a whole. */
#ifndef SALIENCE_FILE_H
#define SALIENCE_FILE_H

#include <salience/error.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Write to a temporary file beside `path`, then rename it over: the file appears whole or not at
 * all. */
SAL_API SAL_MUST_USE sal_status sal_file_save(const char *path, const void *data, size_t bytes,
                                              sal_error *err);
/* SHA-256 of a regular file as 64 hexadecimal digits and a NUL. */
SAL_API SAL_MUST_USE sal_status sal_file_sha256(const char *path, char hex[65], sal_error *err);
/* SHA-256 of memory. */
SAL_API void sal_sha256(const void *data, size_t bytes, char hex[65]);

#ifdef __cplusplus
}
#endif
#endif
