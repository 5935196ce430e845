/* NIfTI-1 in memory (volume.h). */
#ifndef SAL_FORMAT_NIFTI_H
#define SAL_FORMAT_NIFTI_H

#include "base/base.h"
#include <salience/volume.h>

/* `name` begins the messages. Compressed or not, as the first bytes say. */
sal_status sal_nifti_decode(sal_tensor *out, sal_nifti *info, const uint8_t *data, size_t size,
                            const char *name, sal_error *err);
sal_status sal_nifti_encode(sal_bytes *out, const sal_tensor *t, const sal_nifti *info, bool gzip,
                            sal_error *err);

#endif
