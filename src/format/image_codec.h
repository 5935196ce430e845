/* The decoders behind sal_image_read_memory(). Each gets bytes that already begin with its
 * signature, and leaves *out untouched on failure. */
#ifndef SAL_FORMAT_IMAGE_CODEC_H
#define SAL_FORMAT_IMAGE_CODEC_H

#include "base/base.h"
#include <salience/image.h>

sal_status sal_png_decode(sal_image *out, const uint8_t *data, size_t size, sal_error *err);
sal_status sal_jpeg_decode(sal_image *out, const uint8_t *data, size_t size, sal_error *err);
sal_status sal_webp_decode(sal_image *out, const uint8_t *data, size_t size, sal_error *err);

/* Refuse, before anything is allocated, a size above the limits, or one that only a decompression
 * bomb of `bytes` bytes would claim. */
sal_status sal_image_check_size(uint64_t width, uint64_t height, size_t bytes, sal_error *err);

/* EXIF orientation 1..8 from a TIFF structure ("Exif\0\0" in front is skipped); 1 when absent or
 * damaged. */
int sal_exif_orientation(const uint8_t *data, size_t size);
/* Turn the picture upright in place (the storage may be replaced). */
sal_status sal_image_orient(sal_image *image, int orientation, sal_error *err);

#endif
