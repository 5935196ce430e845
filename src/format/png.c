/* PNG by libpng: every type becomes 8-bit RGB; writing of 8-bit RGB. Colour-space chunks are
 * ignored. */
#include "format/image_codec.h"
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <zlib.h>

/* Everything that must survive a longjmp lives here, outside the function that calls setjmp. */
typedef struct png_job {
    const uint8_t *data; /* reading */
    size_t size, pos;
    sal_bytes sink; /* writing */
    sal_status st;
    bool nomem;
    char msg[160];
    sal_image image;
    int orientation;
} png_job;

static void png_on_error(png_structp png, png_const_charp text)
{
    png_job *job = png_get_error_ptr(png);
    (void)snprintf(job->msg, sizeof job->msg, "%s", text != NULL ? text : "unknown error");
    png_longjmp(png, 1);
}

static void png_on_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

/* A row needs at most 512 KiB. libpng takes the length of an eXIf chunk for granted, up to 2 GiB:
 * such a chunk is passed over. */
static png_voidp png_on_malloc(png_structp png, png_alloc_size_t bytes)
{
    if (bytes > (png_alloc_size_t)8 << 20)
        return NULL;
    void *p = sal_malloc(bytes);
    if (p == NULL) {
        png_job *job = png_get_mem_ptr(png);
        job->nomem = true;
    }
    return p;
}

static void png_on_free(png_structp png, png_voidp p)
{
    (void)png;
    sal_free(p);
}

static void png_on_read(png_structp png, png_bytep out, size_t n)
{
    png_job *job = png_get_io_ptr(png);
    if (n > job->size - job->pos)
        png_error(png, "the file ends too early");
    memcpy(out, job->data + job->pos, n);
    job->pos += n;
}

/* Names of five bytes, the last being 0. */
static const png_byte png_ignored[] =
    "bKGD\0cHRM\0gAMA\0hIST\0iCCP\0iTXt\0oFFs\0pCAL\0pHYs\0sBIT\0sCAL\0sPLT\0sRGB\0tEXt\0tIME\0"
    "zTXt";

static void png_decode_body(png_structp png, png_infop info, png_job *job, sal_error *err)
{
    png_set_read_fn(png, job, png_on_read);
    png_set_user_limits(png, SAL_IMAGE_MAX_SIDE, SAL_IMAGE_MAX_SIDE);
    /* Nothing is wanted of texts and colour spaces; some are compressed, and cost time to unpack.
     */
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, png_ignored,
                                (int)sizeof png_ignored / 5);
    png_set_chunk_malloc_max(png, 8u << 20);
    png_set_chunk_cache_max(png, 64);
    png_read_info(png, info);

    png_uint_32 w = png_get_image_width(png, info), h = png_get_image_height(png, info);
    job->st = sal_image_check_size(w, h, job->size, err);
    if (job->st != SAL_OK)
        return;
    /* deflate packs at most 1032 bytes into one: what claims more cannot be complete */
    if ((uint64_t)png_get_rowbytes(png, info) * h / 1032 > job->size)
        png_error(png, "the header claims more pixels than the file can hold");
    int type = png_get_color_type(png, info), depth = png_get_bit_depth(png, info);
    if (depth == 16)
        png_set_strip_16(png);
    if (type == PNG_COLOR_TYPE_PALETTE)
        png_set_palette_to_rgb(png);
    if (type == PNG_COLOR_TYPE_GRAY || type == PNG_COLOR_TYPE_GRAY_ALPHA) {
        if (depth < 8)
            png_set_expand_gray_1_2_4_to_8(png);
        png_set_gray_to_rgb(png);
    }
    if (type == PNG_COLOR_TYPE_GRAY_ALPHA || type == PNG_COLOR_TYPE_RGB_ALPHA ||
        png_get_valid(png, info, PNG_INFO_tRNS) != 0) {
        png_set_strip_alpha(png);
    }
    int passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
    if (png_get_rowbytes(png, info) != (size_t)w * 3)
        png_error(png, "unexpected row layout");

    job->st = sal_image_new(&job->image, (int32_t)w, (int32_t)h, err);
    if (job->st != SAL_OK)
        return;
    for (int pass = 0; pass < passes; pass++) {
        for (png_uint_32 y = 0; y < h; y++)
            png_read_row(png, job->image.data + (size_t)y * w * 3, NULL);
    }
    png_read_end(png, info);

    png_uint_32 exif_size = 0;
    png_bytep exif = NULL;
    if (png_get_eXIf_1(png, info, &exif_size, &exif) != 0)
        job->orientation = sal_exif_orientation(exif, exif_size);
}

static void png_decode_guarded(png_structp png, png_infop info, png_job *job, sal_error *err)
{
    if (setjmp(png_jmpbuf(png)) != 0) {
        job->st = job->nomem ? sal_fail_nomem(err)
                             : sal_fail_at(err, SAL_EFORMAT, job->pos, "%s (byte %zu)", job->msg,
                                           job->pos);
        return;
    }
    png_decode_body(png, info, job, err);
}

sal_status sal_png_decode(sal_image *out, const uint8_t *data, size_t size, sal_error *err)
{
    png_job job = {.data = data, .size = size, .orientation = 1};
    png_structp png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &job, png_on_error,
                                               png_on_warning, &job, png_on_malloc, png_on_free);
    if (png == NULL)
        return sal_fail_nomem(err);
    png_infop info = png_create_info_struct(png);
    if (info == NULL)
        job.st = sal_fail_nomem(err);
    else
        png_decode_guarded(png, info, &job, err);
    png_destroy_read_struct(&png, &info, NULL);
    if (job.st == SAL_OK)
        job.st = sal_image_orient(&job.image, job.orientation, err);
    if (job.st == SAL_OK)
        *out = job.image;
    else
        sal_image_free(&job.image);
    return job.st;
}

static void png_on_write(png_structp png, png_bytep in, size_t n)
{
    png_job *job = png_get_io_ptr(png);
    if (sal_bytes_add(&job->sink, in, n, NULL) != SAL_OK) {
        job->nomem = true;
        png_error(png, "out of memory");
    }
}

static void png_on_flush(png_structp png)
{
    (void)png;
}

static void png_encode_guarded(png_structp png, png_infop info, const sal_image *image,
                               png_job *job, sal_error *err)
{
    if (setjmp(png_jmpbuf(png)) != 0) {
        job->st = job->nomem ? sal_fail_nomem(err) : sal_fail(err, SAL_EINVAL, "PNG: %s", job->msg);
        return;
    }
    png_set_write_fn(png, job, png_on_write, png_on_flush);
    png_set_IHDR(png, info, (png_uint_32)image->width, (png_uint_32)image->height, 8,
                 PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    /* Speed first: one cheap filter and a low level cost a few percent of size. */
    png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_FILTER_SUB);
    png_set_compression_level(png, 3);
    png_write_info(png, info);
    for (int32_t y = 0; y < image->height; y++)
        png_write_row(png, image->data + (size_t)y * (size_t)image->width * 3);
    png_write_end(png, info);
}

sal_status sal_image_encode_png(const sal_image *image, uint8_t **bytes, size_t *size,
                                sal_error *err)
{
    png_job job = {.orientation = 1};
    *bytes = NULL;
    *size = 0;
    if (image->data == NULL || image->width < 1 || image->height < 1)
        return sal_fail(err, SAL_EINVAL, "there is no picture to write");
    png_structp png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, &job, png_on_error,
                                                png_on_warning, &job, png_on_malloc, png_on_free);
    if (png == NULL)
        return sal_fail_nomem(err);
    png_infop info = png_create_info_struct(png);
    if (info == NULL)
        job.st = sal_fail_nomem(err);
    else
        png_encode_guarded(png, info, image, &job, err);
    png_destroy_write_struct(&png, &info);
    if (job.st == SAL_OK) {
        *bytes = (uint8_t *)job.sink.data;
        *size = job.sink.len;
    } else {
        sal_bytes_free(&job.sink);
    }
    return job.st;
}

sal_status sal_image_write_png(const sal_image *image, const char *path, sal_error *err)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    sal_status st = sal_image_encode_png(image, &bytes, &size, err);
    if (st == SAL_OK)
        st = sal_file_write(path, bytes, size, err);
    sal_free(bytes);
    return st;
}
