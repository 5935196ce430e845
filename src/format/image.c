/* Picture storage, format sniffing, size limits, orientation. */
#include "format/image_codec.h"

sal_status sal_image_new(sal_image *out, int32_t width, int32_t height, sal_error *err)
{
    if (width < 1 || height < 1 || width > SAL_IMAGE_MAX_SIDE || height > SAL_IMAGE_MAX_SIDE ||
        (int64_t)width * height > SAL_IMAGE_MAX_PIXELS) {
        (void)sal_fail(
            err, SAL_EINVAL,
            "a picture of %ld x %ld pixels is outside the limits (1..%d a side, %ld in all)",
            (long)width, (long)height, SAL_IMAGE_MAX_SIDE, (long)SAL_IMAGE_MAX_PIXELS);
        return SAL_EINVAL;
    }
    uint8_t *data = sal_calloc((size_t)width * (size_t)height, 3);
    if (data == NULL) {
        (void)sal_fail_nomem(err);
        return SAL_ENOMEM;
    }
    out->width = width;
    out->height = height;
    out->data = data;
    return SAL_OK;
}

void sal_image_free(sal_image *image)
{
    if (image == NULL)
        return;
    sal_free(image->data);
    *image = (sal_image)SAL_IMAGE_INIT;
}

void sal_image_bytes_free(uint8_t *bytes)
{
    sal_free(bytes);
}

/* Up to 64 Mi pixels a file may claim for free (a plain white WebP of that size has a few dozen
 * bytes); beyond, each byte may stand for 2048 pixels, far more than photographs ever reach. */
sal_status sal_image_check_size(uint64_t width, uint64_t height, size_t bytes, sal_error *err)
{
    if (width == 0 || height == 0)
        return sal_fail(err, SAL_EFORMAT, "the picture has no pixels");
    if (width > SAL_IMAGE_MAX_SIDE || height > SAL_IMAGE_MAX_SIDE ||
        width * height > (uint64_t)SAL_IMAGE_MAX_PIXELS) {
        return sal_fail(err, SAL_EUNSUPPORTED,
                        "%llu x %llu pixels are more than the limit of %d a side and %lld in all; "
                        "scale the picture down first",
                        (unsigned long long)width, (unsigned long long)height, SAL_IMAGE_MAX_SIDE,
                        (long long)SAL_IMAGE_MAX_PIXELS);
    }
    uint64_t free_pixels = (uint64_t)1 << 26;
    if (width * height > free_pixels && (width * height - free_pixels) / 2048 > bytes) {
        return sal_fail(
            err, SAL_EFORMAT,
            "the header claims %llu x %llu pixels, which %zu bytes hardly hold; refused as a "
            "decompression bomb",
            (unsigned long long)width, (unsigned long long)height, bytes);
    }
    return SAL_OK;
}

typedef struct image_format {
    const char *name;
    bool (*sniff)(const uint8_t *d, size_t n);
    sal_status (*decode)(sal_image *out, const uint8_t *data, size_t size, sal_error *err);
} image_format;

static bool image_is_png(const uint8_t *d, size_t n)
{
    return n >= 8 && memcmp(d, "\x89PNG\r\n\x1a\n", 8) == 0;
}

static bool image_is_jpeg(const uint8_t *d, size_t n)
{
    return n >= 3 && d[0] == 0xff && d[1] == 0xd8 && d[2] == 0xff;
}

static bool image_is_webp(const uint8_t *d, size_t n)
{
    return n >= 12 && memcmp(d, "RIFF", 4) == 0 && memcmp(d + 8, "WEBP", 4) == 0;
}

static const image_format image_formats[] = {
    {"PNG", image_is_png, sal_png_decode},
    {"JPEG", image_is_jpeg, sal_jpeg_decode},
    {"WebP", image_is_webp, sal_webp_decode},
};

sal_status sal_image_read_memory(sal_image *out, const void *bytes, size_t size, const char *name,
                                 sal_error *err)
{
    if (name == NULL)
        name = "image";
    for (size_t i = 0; i < SAL_COUNTOF(image_formats); i++) {
        const image_format *f = &image_formats[i];
        if (!f->sniff(bytes, size))
            continue;
        sal_status st = f->decode(out, bytes, size, err);
        if (st == SAL_OK || st == SAL_ENOMEM)
            return st;
        return sal_fail_prefix(err, st, "%s: %s", name, f->name);
    }
    if (size == 0)
        return sal_fail(err, SAL_EFORMAT, "%s: the file is empty", name);
    return sal_fail(err, SAL_EUNSUPPORTED,
                    "%s: neither PNG nor JPEG nor WebP; convert the picture first", name);
}

sal_status sal_image_read(sal_image *out, const char *path, sal_error *err)
{
    sal_file file = {NULL, 0, false};
    sal_status st = sal_file_open(&file, path, err);
    if (st != SAL_OK)
        return st;
    st = sal_image_read_memory(out, file.data, file.size, path, err);
    sal_file_close(&file);
    return st;
}

sal_status sal_image_crop(sal_image *out, const sal_image *in, int32_t x, int32_t y, int32_t width,
                          int32_t height, sal_error *err)
{
    sal_image tmp = SAL_IMAGE_INIT;
    sal_status st = sal_image_new(&tmp, width, height, err);
    if (st != SAL_OK)
        return st;
    int64_t x0 = SAL_MAX((int64_t)x, 0), x1 = SAL_MIN((int64_t)x + width, (int64_t)in->width);
    int64_t y0 = SAL_MAX((int64_t)y, 0), y1 = SAL_MIN((int64_t)y + height, (int64_t)in->height);
    for (int64_t r = y0; r < y1 && x0 < x1; r++) {
        memcpy(tmp.data + ((r - y) * width + (x0 - x)) * 3, in->data + (r * in->width + x0) * 3,
               (size_t)(x1 - x0) * 3);
    }
    *out = tmp;
    return SAL_OK;
}

/* Orientation k tells where row 0 and column 0 of the stored picture lie on the upright one.
 * Writing (x, y) for the upright pixel, the stored one is found by mirroring and, for 5..8,
 * transposing: 2 (W-1-x, y)   3 (W-1-x, H-1-y)   4 (x, H-1-y) 5 (y, x)       6 (y, H-1-x)       7
 * (W-1-y, H-1-x)   8 (W-1-y, x)     with W, H of the stored picture. */
sal_status sal_image_orient(sal_image *image, int orientation, sal_error *err)
{
    if (orientation < 2 || orientation > 8)
        return SAL_OK;
    bool swap = orientation >= 5;
    bool flip_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    bool flip_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    int64_t w = image->width, h = image->height;
    sal_image tmp = SAL_IMAGE_INIT;
    sal_status st = sal_image_new(&tmp, (int32_t)(swap ? h : w), (int32_t)(swap ? w : h), err);
    if (st != SAL_OK)
        return st;
    uint8_t *d = tmp.data;
    for (int64_t y = 0; y < tmp.height; y++) {
        for (int64_t x = 0; x < tmp.width; x++, d += 3) {
            int64_t sx = swap ? y : x, sy = swap ? x : y;
            sx = flip_x ? w - 1 - sx : sx;
            sy = flip_y ? h - 1 - sy : sy;
            const uint8_t *s = image->data + (sy * w + sx) * 3;
            d[0] = s[0];
            d[1] = s[1];
            d[2] = s[2];
        }
    }
    sal_image_free(image);
    *image = tmp;
    return SAL_OK;
}
