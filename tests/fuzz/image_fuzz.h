/* What the fuzz targets of the picture decoders share. */
#ifndef SAL_TESTS_IMAGE_FUZZ_H
#define SAL_TESTS_IMAGE_FUZZ_H

#include "format/image_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef sal_status image_fuzz_decode(sal_image *out, const uint8_t *data, size_t size,
                                     sal_error *err);

/* Touches every pixel; an error must be one line, and must leave the picture empty. */
static inline int image_fuzz(image_fuzz_decode *decode, const uint8_t *data, size_t size)
{
    sal_error err = {SAL_OK, 0, ""};
    sal_image image = SAL_IMAGE_INIT;
    sal_status st = decode(&image, data, size, &err);
    if (st == SAL_OK) {
        volatile uint64_t sum =
            sal_hash(image.data, (size_t)image.width * (size_t)image.height * 3, 0);
        (void)sum;
    } else if (image.data != NULL || err.msg[0] == '\0' || strchr(err.msg, '\n') != NULL) {
        abort();
    }
    sal_image_free(&image);
    return 0;
}

#endif
