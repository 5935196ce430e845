/* Any bytes after the signature of a JPEG file: an error or a picture, never more. */
#include "image_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return image_fuzz(sal_jpeg_decode, data, size);
}
