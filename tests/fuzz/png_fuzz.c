/* Any bytes after the signature of a PNG file: an error or a picture, never more. Each input is
 * tried as it is and, since random changes rarely hit upon right checksums, with all checksums
 * corrected. */
#include "image_fuzz.h"

/* The CRC of PNG, bit by bit. */
static uint32_t png_fuzz_crc(const uint8_t *p, size_t n)
{
    uint32_t crc = 0xffffffffU;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int b = 0; b < 8; b++)
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320U : 0);
    }
    return ~crc;
}

static void png_fuzz_correct(uint8_t *data, size_t size)
{
    size_t at = 8;
    while (size - at >= 12) {
        uint8_t *p = data + at;
        size_t n = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
        if (n > size - at - 12)
            break;
        uint32_t crc = png_fuzz_crc(p + 4, n + 4);
        for (int i = 0; i < 4; i++)
            p[8 + n + (size_t)i] = (uint8_t)(crc >> (24 - 8 * i));
        at += 12 + n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    (void)image_fuzz(sal_png_decode, data, size);
    if (size < 8)
        return 0;
    uint8_t *copy = malloc(size);
    if (copy == NULL)
        return 0;
    memcpy(copy, data, size);
    png_fuzz_correct(copy, size);
    (void)image_fuzz(sal_png_decode, copy, size);
    free(copy);
    return 0;
}
