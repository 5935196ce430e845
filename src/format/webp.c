/* WebP by libwebp. The container is walked here: for the EXIF orientation, and because of an
 * animation only the first frame is wanted. */
#include "format/image_codec.h"
#include <webp/decode.h>

typedef struct webp_chunk {
    char id[4];
    const uint8_t *data;
    size_t size;
} webp_chunk;

static uint32_t webp_u24(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
}

/* Next chunk at *pos: four letters, a 32-bit size, data padded to even length. */
static bool webp_next(webp_chunk *out, const uint8_t *data, size_t size, size_t *pos)
{
    if (*pos > size || size - *pos < 8)
        return false;
    const uint8_t *p = data + *pos;
    size_t n = (size_t)webp_u24(p + 4) | (size_t)p[7] << 24;
    if (n > size - *pos - 8)
        return false;
    memcpy(out->id, p, 4);
    out->data = p + 8;
    out->size = n;
    *pos += 8 + n + (n & 1);
    return true;
}

static bool webp_find(webp_chunk *out, const char *id, const uint8_t *data, size_t size, size_t pos)
{
    while (webp_next(out, data, size, &pos)) {
        if (memcmp(out->id, id, 4) == 0)
            return true;
    }
    return false;
}

/* Decode a bitstream of exactly width x height into a corner of the picture. */
static sal_status webp_decode_into(sal_image *image, int32_t x, int32_t y, int32_t width,
                                   int32_t height, const uint8_t *data, size_t size, sal_error *err)
{
    WebPDecoderConfig config;
    if (WebPInitDecoderConfig(&config) == 0)
        return sal_fail(err, SAL_EUNSUPPORTED,
                        "the installed libwebp does not fit the one built against");
    size_t stride = (size_t)image->width * 3;
    if (stride > INT32_MAX)
        return sal_fail(err, SAL_EUNSUPPORTED, "the picture is too wide");
    config.output.colorspace = MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = image->data + (size_t)y * stride + (size_t)x * 3;
    config.output.u.RGBA.stride = (int)stride;
    config.output.u.RGBA.size = stride * (size_t)(height - 1) + (size_t)width * 3;
    VP8StatusCode code = WebPDecode(data, size, &config);
    bool fits = config.output.width == width && config.output.height == height;
    WebPFreeDecBuffer(&config.output);
    if (code == VP8_STATUS_OUT_OF_MEMORY)
        return sal_fail_nomem(err);
    if (code != VP8_STATUS_OK || !fits)
        return sal_fail(err, SAL_EFORMAT,
                        "the picture data are damaged or cut off (libwebp code %d)", (int)code);
    return SAL_OK;
}

/* The first ANMF chunk: position and size in steps given by the format, then (ALPH and) VP8 or
 * VP8L. */
static sal_status webp_first_frame(sal_image *image, const uint8_t *data, size_t size,
                                   sal_error *err)
{
    webp_chunk frame, bits;
    if (!webp_find(&frame, "ANMF", data, size, 12) || frame.size < 16)
        return sal_fail(err, SAL_EFORMAT, "the animation has no complete first frame");
    uint32_t x = webp_u24(frame.data) * 2, y = webp_u24(frame.data + 3) * 2;
    uint32_t w = webp_u24(frame.data + 6) + 1, h = webp_u24(frame.data + 9) + 1;
    if ((uint64_t)x + w > (uint64_t)image->width || (uint64_t)y + h > (uint64_t)image->height)
        return sal_fail(err, SAL_EFORMAT, "the first frame reaches over the edge of the picture");
    if (!webp_find(&bits, "VP8 ", frame.data, frame.size, 16) &&
        !webp_find(&bits, "VP8L", frame.data, frame.size, 16)) {
        return sal_fail(err, SAL_EFORMAT, "the first frame holds no picture data");
    }
    WebPBitstreamFeatures f;
    if (WebPGetFeatures(bits.data, bits.size, &f) != VP8_STATUS_OK || (uint32_t)f.width != w ||
        (uint32_t)f.height != h) {
        return sal_fail(err, SAL_EFORMAT, "the first frame contradicts its own size");
    }
    return webp_decode_into(image, (int32_t)x, (int32_t)y, (int32_t)w, (int32_t)h, bits.data,
                            bits.size, err);
}

sal_status sal_webp_decode(sal_image *out, const uint8_t *data, size_t size, sal_error *err)
{
    sal_status st;
    sal_image image = SAL_IMAGE_INIT;
    webp_chunk exif;
    WebPBitstreamFeatures f;
    if (WebPGetFeatures(data, size, &f) != VP8_STATUS_OK)
        return sal_fail(err, SAL_EFORMAT, "the header is damaged or cut off");
    if (f.width < 1 || f.height < 1)
        return sal_fail(err, SAL_EFORMAT, "the picture has no pixels");
    SAL_TRY(sal_image_check_size((uint64_t)f.width, (uint64_t)f.height, size, err));
    SAL_TRY(sal_image_new(&image, f.width, f.height, err));
    if (f.has_animation != 0)
        SAL_TRY(webp_first_frame(&image, data, size, err));
    else
        SAL_TRY(webp_decode_into(&image, 0, 0, f.width, f.height, data, size, err));
    if (webp_find(&exif, "EXIF", data, size, 12))
        SAL_TRY(sal_image_orient(&image, sal_exif_orientation(exif.data, exif.size), err));
    *out = image;
    image = (sal_image)SAL_IMAGE_INIT;
done:
    sal_image_free(&image);
    return st;
}
