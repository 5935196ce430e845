/* Pictures in and out, resizing that equals Pillow's, and what happens to a picture before a model
 * sees it. */
#ifndef SALIENCE_IMAGE_H
#define SALIENCE_IMAGE_H

#include <salience/error.h>
#include <salience/tensor.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- pictures ---- */

#define SAL_IMAGE_MAX_SIDE   65535
#define SAL_IMAGE_MAX_PIXELS ((int64_t)1 << 28)

/* 8-bit RGB, three bytes a pixel, rows from top to bottom without gaps. Plain struct: `data`
 * belongs to it and is released by sal_image_free(). */
typedef struct sal_image {
    int32_t width, height;
    uint8_t *data;
} sal_image;

#define SAL_IMAGE_INIT                                                                             \
    {                                                                                              \
        0, 0, NULL                                                                                 \
    }

/* Black picture. *out must be SAL_IMAGE_INIT or freed. Errors: SAL_EINVAL (size), SAL_ENOMEM. */
SAL_API SAL_MUST_USE sal_status sal_image_new(sal_image *out, int32_t width, int32_t height,
                                              sal_error *err);
/* Release and reset to SAL_IMAGE_INIT. Accepts NULL. */
SAL_API void sal_image_free(sal_image *image);

/* Read a PNG, JPEG or WebP file, told apart by its first bytes. The result is what Pillow's
 * ImageOps.exif_transpose(image).convert("RGB") gives: alpha is dropped, palettes are looked up,
 * CMYK is converted, the EXIF orientation is applied, of an animation the first frame is taken.
 * 16-bit samples keep their high byte. Errors: SAL_EIO, SAL_EFORMAT (damaged), SAL_EUNSUPPORTED (no
 * such format, or larger than the limits above). */
SAL_API SAL_MUST_USE sal_status sal_image_read(sal_image *out, const char *path, sal_error *err);
/* The same from memory; `name` (NULL: "image") begins the error messages. */
SAL_API SAL_MUST_USE sal_status sal_image_read_memory(sal_image *out, const void *bytes,
                                                      size_t size, const char *name,
                                                      sal_error *err);

/* Write an 8-bit RGB PNG: first to a temporary file, then renamed over `path`. */
SAL_API SAL_MUST_USE sal_status sal_image_write_png(const sal_image *image, const char *path,
                                                    sal_error *err);
/* The same into memory: *bytes is yours, sal_image_bytes_free(). */
SAL_API SAL_MUST_USE sal_status sal_image_encode_png(const sal_image *image, uint8_t **bytes,
                                                     size_t *size, sal_error *err);
SAL_API void sal_image_bytes_free(uint8_t *bytes);

/* ---- resizing ---- */

/* One row: id, Pillow's number (as `resample` in Hugging Face files), name. */
#define SAL_FILTER_MAP(X)                                                                          \
    X(SAL_FILTER_NEAREST, 0, "nearest")                                                            \
    X(SAL_FILTER_LANCZOS, 1, "lanczos")                                                            \
    X(SAL_FILTER_BILINEAR, 2, "bilinear")                                                          \
    X(SAL_FILTER_BICUBIC, 3, "bicubic")                                                            \
    X(SAL_FILTER_BOX, 4, "box")                                                                    \
    X(SAL_FILTER_HAMMING, 5, "hamming")

typedef enum sal_filter {
#define X(id, number, name) id = number,
    SAL_FILTER_MAP(X)
#undef X
} sal_filter;

/* Name such as "bicubic"; "unknown" for unknown numbers. Static. */
SAL_API const char *sal_filter_name(sal_filter filter);
/* Filter of that name; false when there is none. */
SAL_API bool sal_filter_find(const char *name, sal_filter *out);

/* A rectangle in pixels; the corner of the top left pixel is (0, 0). */
typedef struct sal_rect {
    double x, y, width, height;
} sal_rect;

/* Resize as Pillow's Image.resize does (antialiased, 8-bit fixed point between the passes). */
SAL_API SAL_MUST_USE sal_status sal_image_resize(sal_image *out, const sal_image *in, int32_t width,
                                                 int32_t height, sal_filter filter, sal_error *err);
/* The same from a rectangle inside the picture (the `box` of Pillow). */
SAL_API SAL_MUST_USE sal_status sal_image_resize_rect(sal_image *out, const sal_image *in,
                                                      const sal_rect *rect, int32_t width,
                                                      int32_t height, sal_filter filter,
                                                      sal_error *err);
/* Copy a rectangle; what lies outside the picture is black. */
SAL_API SAL_MUST_USE sal_status sal_image_crop(sal_image *out, const sal_image *in, int32_t x,
                                               int32_t y, int32_t width, int32_t height,
                                               sal_error *err);

/* ---- preprocessing ---- */

typedef enum sal_resize_mode {
    SAL_RESIZE_NONE,  /* the picture as it is */
    SAL_RESIZE_SHORT, /* shorter side to `resize_height`, aspect kept (the longer side truncated) */
    SAL_RESIZE_EXACT  /* to resize_height x resize_width */
} sal_resize_mode;

/* Picture -> tensor: resize, centre crop (0 = none; beyond the picture is black), then for each
 * channel (level * rescale - mean) / std. mean and std are in the order R, G, B whatever `bgr`
 * says. */
typedef struct sal_preprocess {
    uint32_t struct_size; /* set by SAL_PREPROCESS_INIT; fields are only appended */
    sal_resize_mode resize;
    int32_t resize_height, resize_width;
    sal_filter filter;
    int32_t crop_height, crop_width;
    bool crop_floor; /* odd remainder: floor (Pillow scripts, Hugging Face; the default), else round
                        half to even (torchvision, timm) */
    bool nhwc;       /* channels last */
    bool bgr;        /* channel order of the tensor */
    float rescale;   /* 1/255 unless the file says otherwise */
    float mean[3], std[3];
} sal_preprocess;

#define SAL_PREPROCESS_INIT                                                                        \
    {                                                                                              \
        (uint32_t)sizeof(sal_preprocess), SAL_RESIZE_NONE, 0, 0, SAL_FILTER_BILINEAR, 0, 0, true,  \
            false, false, 1.0F / 255.0F, {0.0F, 0.0F, 0.0F},                                       \
        {                                                                                          \
            1.0F, 1.0F, 1.0F                                                                       \
        }                                                                                          \
    }

/* The usual recipe for a classifier with that input size: shorter side to size / 0.875, bicubic,
 * centre crop, mean and deviation of ImageNet. Inputs below 64 pixels are resized exactly. */
SAL_API sal_preprocess sal_preprocess_default(int32_t height, int32_t width);
/* Nonsense (sizes, deviation 0, NaN) is refused with SAL_EINVAL. */
SAL_API SAL_MUST_USE sal_status sal_preprocess_check(const sal_preprocess *p, sal_error *err);
/* Read the description from JSON. Own keys: size (number: shorter side; [h, w]: exact), crop
 * (number or [h, w]), filter, mean, std, rescale, layout ("nchw", "nhwc"), order ("rgb", "bgr").
 * Also a preprocessor_config.json of Hugging Face or a config.json of timm. Other keys are ignored.
 * Errors: SAL_EFORMAT with the byte offset. */
SAL_API SAL_MUST_USE sal_status sal_preprocess_from_json(sal_preprocess *out, const char *text,
                                                         size_t size, sal_error *err);
/* One printable line; returns `buf`, cut off at `size` bytes. */
SAL_API const char *sal_preprocess_describe(const sal_preprocess *p, char *buf, size_t size);
/* Size of the tensor for a picture of the given size. */
SAL_API SAL_MUST_USE sal_status sal_preprocess_size(const sal_preprocess *p, int32_t image_height,
                                                    int32_t image_width, int32_t *height,
                                                    int32_t *width, sal_error *err);
/* The rectangle of the original picture that the tensor shows; it may reach over the edge where the
 * crop was larger than the resized picture. */
SAL_API SAL_MUST_USE sal_status sal_preprocess_rect(const sal_preprocess *p, int32_t image_height,
                                                    int32_t image_width, sal_rect *out,
                                                    sal_error *err);
/* Resize and crop only: the picture as the model sees it. */
SAL_API SAL_MUST_USE sal_status sal_preprocess_view(sal_image *out, const sal_image *in,
                                                    const sal_preprocess *p, sal_error *err);
/* The same part of the picture at `width` pixels across, sampled from the original: for drawing on.
 */
SAL_API SAL_MUST_USE sal_status sal_preprocess_backdrop(sal_image *out, const sal_image *in,
                                                        const sal_preprocess *p, int32_t width,
                                                        sal_error *err);
/* Everything: *out becomes float32 [1, 3, H, W] or [1, H, W, 3]. */
SAL_API SAL_MUST_USE sal_status sal_preprocess_apply(sal_tensor *out, const sal_image *in,
                                                     const sal_preprocess *p, sal_error *err);

/* The way back: a picture from a float32 tensor [1, C, H, W] or [C, H, W] (channels last where `p`
 * says so) with 1 or 3 channels, undoing mean, std and rescale. With p == NULL nothing is known of
 * the tensor: it counts as channels first and its values are stretched to the full range. */
SAL_API SAL_MUST_USE sal_status sal_image_from_tensor(sal_image *out, const sal_tensor *t,
                                                      const sal_preprocess *p, sal_error *err);

#ifdef __cplusplus
}
#endif
#endif
