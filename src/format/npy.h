/* .npy from and to memory; sal_npy_read() and sal_npy_write() stand on these. */
#ifndef SAL_FORMAT_NPY_H
#define SAL_FORMAT_NPY_H

#include "base/base.h"

/* `name` begins the error messages. *out must be SAL_TENSOR_INIT. */
sal_status sal_npy_decode(sal_tensor *out, const uint8_t *data, size_t size, const char *name,
                          sal_error *err);
sal_status sal_npy_encode(sal_bytes *out, const sal_tensor *t, sal_error *err);

#endif
