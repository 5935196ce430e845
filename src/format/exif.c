/* The one thing wanted from EXIF: tag 0x0112 (orientation) in the first directory of a TIFF
 * structure. */
#include "format/image_codec.h"

typedef struct exif_bytes {
    const uint8_t *d;
    size_t n;
    bool big;
} exif_bytes;

static bool exif_u16(const exif_bytes *b, size_t at, uint32_t *out)
{
    if (at > b->n || b->n - at < 2)
        return false;
    const uint8_t *p = b->d + at;
    *out = b->big ? (uint32_t)p[0] << 8 | p[1] : (uint32_t)p[1] << 8 | p[0];
    return true;
}

static bool exif_u32(const exif_bytes *b, size_t at, uint32_t *out)
{
    uint32_t lo, hi;
    if (!exif_u16(b, at, &hi) || !exif_u16(b, at + 2, &lo))
        return false;
    *out = b->big ? hi << 16 | lo : lo << 16 | hi;
    return true;
}

int sal_exif_orientation(const uint8_t *data, size_t size)
{
    if (size >= 6 && memcmp(data, "Exif\0\0", 6) == 0) {
        data += 6;
        size -= 6;
    }
    if (size < 8 || (memcmp(data, "II*\0", 4) != 0 && memcmp(data, "MM\0*", 4) != 0))
        return 1;
    exif_bytes b = {data, size, data[0] == 'M'};
    uint32_t ifd, count, tag, type, items, value;
    if (!exif_u32(&b, 4, &ifd) || !exif_u16(&b, ifd, &count))
        return 1;
    for (uint32_t i = 0; i < count; i++) {
        size_t at = (size_t)ifd + 2 + (size_t)i * 12;
        if (!exif_u16(&b, at, &tag) || !exif_u16(&b, at + 2, &type) ||
            !exif_u32(&b, at + 4, &items))
            return 1;
        if (tag != 0x0112)
            continue;
        bool ok = type == 4 ? exif_u32(&b, at + 8, &value) : exif_u16(&b, at + 8, &value);
        return ok && (type == 3 || type == 4) && items == 1 && value >= 1 && value <= 8 ? (int)value
                                                                                        : 1;
    }
    return 1;
}
