/* JPEG by libjpeg-turbo, with the decoder settings Pillow uses (accurate integer DCT, smooth
 * chroma). */
#include "format/image_codec.h"
#include <setjmp.h>
#include <stdio.h>

/* libjpeg's headers need this order, after stdio.h */
#include <jpeglib.h>

#include <jerror.h>

/* Everything that must survive a longjmp lives here, outside the function that calls setjmp. */
typedef struct jpeg_job {
    struct jpeg_error_mgr manager; /* first: libjpeg hands back a pointer to it */
    jmp_buf jump;
    struct jpeg_progress_mgr progress;
    char msg[JMSG_LENGTH_MAX];
    sal_status st;
    sal_image image;
    uint8_t *row;
    int orientation;
} jpeg_job;

static void jpeg_on_error(j_common_ptr c)
{
    jpeg_job *job = (jpeg_job *)c->err;
    c->err->format_message(c, job->msg);
    longjmp(job->jump, 1);
}

/* libjpeg paints over missing data with grey and goes on. An explanation of grey would be wrong
 * without anybody noticing, so whatever says that pixels are lost is an error; the rest (stray
 * bytes between markers, odd version numbers) is harmless. */
static void jpeg_on_message(j_common_ptr c, int level)
{
    if (level != -1)
        return;
    switch (c->err->msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
        jpeg_on_error(c);
        break;
    default:
        c->err->num_warnings++;
    }
}

static void jpeg_on_output(j_common_ptr c)
{
    (void)c;
}

/* Each further scan of a progressive file passes over the whole picture again: hundreds of empty
 * scans make a small file run for minutes. Real files have 3 to 30. */
static void jpeg_on_progress(j_common_ptr c)
{
    j_decompress_ptr d = (j_decompress_ptr)c;
    jpeg_job *job = (jpeg_job *)c->err;
    int64_t scans = d->input_scan_number;
    if (scans > 8 && (scans > 256 || scans * (int64_t)d->image_width * (int64_t)d->image_height >
                                         (int64_t)1 << 32)) {
        (void)snprintf(job->msg, sizeof job->msg,
                       "too many scans for its size; refused as a decompression bomb");
        longjmp(job->jump, 1);
    }
}

/* Adobe's convention, which every CMYK file in practice follows and Pillow assumes: inks are stored
 * inverted, so the bytes are C' = 255 - C. With K likewise, R = K' - (255 - C') * K' / 255. */
static void jpeg_cmyk_row(const uint8_t *s, uint8_t *d, int32_t width)
{
    for (int32_t x = 0; x < width; x++, s += 4, d += 3) {
        int k = s[3];
        for (int c = 0; c < 3; c++) {
            int t = (255 - s[c]) * k + 128;
            int v = k - (((t >> 8) + t) >> 8);
            d[c] = (uint8_t)SAL_MAX(v, 0);
        }
    }
}

static void jpeg_decode_body(j_decompress_ptr d, jpeg_job *job, const uint8_t *data, size_t size,
                             sal_error *err)
{
    jpeg_mem_src(d, data, (unsigned long)size);
    jpeg_save_markers(d, JPEG_APP0 + 1, 0xffff);
    jpeg_read_header(d, TRUE);
    job->st = sal_image_check_size(d->image_width, d->image_height, size, err);
    if (job->st != SAL_OK)
        return;
    for (jpeg_saved_marker_ptr m = d->marker_list; m != NULL && job->orientation == 1;
         m = m->next) {
        if (m->data_length >= 6 && memcmp(m->data, "Exif\0\0", 6) == 0)
            job->orientation = sal_exif_orientation(m->data, m->data_length);
    }
    bool cmyk = d->num_components == 4;
    if (d->num_components != 1 && d->num_components != 3 && !cmyk) {
        job->st = sal_fail(err, SAL_EUNSUPPORTED, "%d colour components; 1, 3 or 4 can be read",
                           d->num_components);
        return;
    }
    d->out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
    jpeg_start_decompress(d);
    int32_t width = (int32_t)d->output_width, height = (int32_t)d->output_height;
    job->st = sal_image_new(&job->image, width, height, err);
    if (job->st != SAL_OK)
        return;
    if (cmyk && (job->row = sal_malloc((size_t)width * 4)) == NULL) {
        job->st = sal_fail_nomem(err);
        return;
    }
    while (d->output_scanline < d->output_height) {
        uint8_t *to = job->image.data + (size_t)d->output_scanline * (size_t)width * 3;
        JSAMPROW row = cmyk ? job->row : to;
        jpeg_read_scanlines(d, &row, 1);
        if (cmyk)
            jpeg_cmyk_row(job->row, to, width);
    }
    jpeg_finish_decompress(d);
}

static void jpeg_decode_guarded(j_decompress_ptr d, jpeg_job *job, const uint8_t *data, size_t size,
                                sal_error *err)
{
    if (setjmp(job->jump) != 0) {
        size_t left = d->src != NULL ? d->src->bytes_in_buffer : size;
        size_t at = left <= size ? size - left : size;
        if (d->err->msg_code == JERR_OUT_OF_MEMORY)
            job->st = sal_fail_nomem(err);
        else
            job->st = sal_fail_at(err, SAL_EFORMAT, at, "%s (byte %zu)", job->msg, at);
        return;
    }
    jpeg_create_decompress(d);
    d->progress = &job->progress;
    jpeg_decode_body(d, job, data, size, err);
}

sal_status sal_jpeg_decode(sal_image *out, const uint8_t *data, size_t size, sal_error *err)
{
    struct jpeg_decompress_struct d;
    jpeg_job job;
    memset(&d, 0, sizeof d);
    memset(&job, 0, sizeof job);
    job.orientation = 1;
    d.err = jpeg_std_error(&job.manager);
    job.manager.error_exit = jpeg_on_error;
    job.manager.emit_message = jpeg_on_message;
    job.manager.output_message = jpeg_on_output;
    job.progress.progress_monitor = jpeg_on_progress;

    jpeg_decode_guarded(&d, &job, data, size, err);
    jpeg_destroy_decompress(&d);
    sal_free(job.row);
    if (job.st == SAL_OK)
        job.st = sal_image_orient(&job.image, job.orientation, err);
    if (job.st == SAL_OK)
        *out = job.image;
    else
        sal_image_free(&job.image);
    return job.st;
}
