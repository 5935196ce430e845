/* NIfTI-1: a header of 348 bytes, then voxels, x fastest; the whole perhaps as gzip. */
#include "format/nifti.h"

#include <math.h>
#include <zlib.h>

enum { NIFTI_HEADER = 348, NIFTI_VOXELS = 352 };

typedef struct nifti_type {
    int code;
    sal_dtype dtype;
} nifti_type;

static const nifti_type nifti_types[] = {
    {2, SAL_U8},   {4, SAL_I16},   {8, SAL_I32},   {16, SAL_F32},   {64, SAL_F64},
    {256, SAL_I8}, {512, SAL_U16}, {768, SAL_U32}, {1024, SAL_I64}, {1280, SAL_U64}};

typedef struct nifti_header {
    bool swap;
    int64_t dims[4]; /* C, D, H, W */
    size_t count, bytes, offset;
    sal_nifti info;
} nifti_header;

/* ---- numbers in the header ---- */

/* `size` bytes in the host's order. */
static void nifti_take(uint8_t *to, const uint8_t *from, size_t size, bool swap)
{
    for (size_t i = 0; i < size; i++)
        to[i] = from[swap ? size - 1 - i : i];
}

static int nifti_i16(const uint8_t *at, bool swap)
{
    int16_t v;
    uint8_t b[2];

    nifti_take(b, at, 2, swap);
    memcpy(&v, b, 2);
    return v;
}

static int32_t nifti_i32(const uint8_t *at, bool swap)
{
    int32_t v;
    uint8_t b[4];

    nifti_take(b, at, 4, swap);
    memcpy(&v, b, 4);
    return v;
}

static double nifti_f32(const uint8_t *at, bool swap)
{
    float v;
    uint8_t b[4];

    nifti_take(b, at, 4, swap);
    memcpy(&v, b, 4);
    return (double)v;
}

/* ---- gzip ---- */

static void *nifti_zalloc(void *ctx, uInt items, uInt size)
{
    (void)ctx;
    return sal_calloc(items, size);
}

static void nifti_zfree(void *ctx, void *p)
{
    (void)ctx;
    sal_free(p);
}

/* The first `want` bytes of what gzip members one after the other hold. When `whole`, the end is
 * looked at too, for the checksum. */
static sal_status nifti_inflate(const uint8_t *data, size_t size, uint8_t *to, size_t want,
                                bool whole, const char *name, sal_error *err)
{
    z_stream z = {.zalloc = nifti_zalloc, .zfree = nifti_zfree};
    size_t used = 0, got = 0;
    uint8_t beyond[64];
    sal_status st = SAL_OK;
    int code = inflateInit2(&z, 15 + 16);

    if (code != Z_OK)
        return sal_fail_nomem(err);
    while (got < want || (whole && code == Z_OK)) {
        size_t in = SAL_MIN(size - used, (size_t)1 << 30);
        size_t out = got < want ? SAL_MIN(want - got, (size_t)1 << 30) : sizeof beyond;

        if (code == Z_STREAM_END && (in == 0 || inflateReset(&z) != Z_OK))
            break;
        z.next_in = (Bytef *)(uintptr_t)(data + used);
        z.avail_in = (uInt)in;
        z.next_out = got < want ? to + got : beyond;
        z.avail_out = (uInt)out;
        code = inflate(&z, Z_NO_FLUSH);
        used += in - z.avail_in;
        if (got < want)
            got += out - z.avail_out;
        else if (z.avail_out < out)
            break; /* more than the header announces: nothing of ours */
        if (code == Z_BUF_ERROR || (code != Z_OK && code != Z_STREAM_END))
            break;
    }
    if (code == Z_MEM_ERROR)
        st = sal_fail_nomem(err);
    else if (got < want || code == Z_DATA_ERROR || code == Z_NEED_DICT || code == Z_BUF_ERROR)
        st = sal_fail_at(err, SAL_EFORMAT, used,
                         "%s: the compressed data %s; it is damaged or cut off", name,
                         code == Z_DATA_ERROR ? "make no sense" : "end too early");
    (void)inflateEnd(&z);
    return st;
}

/* ---- where the voxels lie ---- */

/* The quaternion (b, c, d) and the signs of pixdim as a matrix, as the header's documentation
 * gives it. */
static void nifti_qform(double m[3][4], const uint8_t *h, bool swap)
{
    double b = nifti_f32(h + 256, swap), c = nifti_f32(h + 260, swap), d = nifti_f32(h + 264, swap);
    double a = sqrt(fmax(0.0, 1.0 - b * b - c * c - d * d));
    double flip = nifti_f32(h + 76, swap) < 0.0 ? -1.0 : 1.0;
    const double r[3][3] = {
        {a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)},
        {2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)},
        {2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c}};

    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 3; k++)
            m[i][k] = r[i][k] * nifti_f32(h + 80 + (size_t)k * 4, swap) * (k == 2 ? flip : 1.0);
        m[i][3] = nifti_f32(h + 268 + (size_t)i * 4, swap);
    }
}

/* The letter of the direction to which each axis grows most; none when two axes share one. */
static void nifti_letters(char out[4], double m[3][4])
{
    static const char letters[3][2] = {{'R', 'L'}, {'A', 'P'}, {'S', 'I'}};
    bool taken[3] = {false, false, false};

    for (int k = 0; k < 3; k++) {
        int most = 0;

        for (int i = 1; i < 3; i++)
            most = fabs(m[i][k]) > fabs(m[most][k]) ? i : most;
        if (taken[most] || !(fabs(m[most][k]) > 0.0)) {
            out[0] = '\0';
            return;
        }
        taken[most] = true;
        out[k] = letters[most][m[most][k] < 0.0];
    }
    out[3] = '\0';
}

static void nifti_place(sal_nifti *info, const uint8_t *h, bool swap)
{
    int qform = nifti_i16(h + 252, swap), sform = nifti_i16(h + 254, swap);
    bool finite = true;

    for (size_t k = 0; k < 3; k++) {
        double s = fabs(nifti_f32(h + 80 + k * 4, swap));

        info->spacing[k] = isfinite(s) && s > 0.0 ? s : 1.0;
    }
    if (sform > 0) {
        for (size_t i = 0; i < 12; i++)
            info->affine[i / 4][i % 4] = nifti_f32(h + 280 + i * 4, swap);
    } else if (qform > 0) {
        nifti_qform(info->affine, h, swap);
    }
    for (int i = 0; i < 12; i++)
        finite = finite && isfinite(info->affine[i / 4][i % 4]);
    if ((sform > 0 || qform > 0) && finite) {
        nifti_letters(info->orientation, info->affine);
        return;
    }
    for (int i = 0; i < 12; i++)
        info->affine[i / 4][i % 4] = i % 5 == 0 ? info->spacing[i / 4] : 0.0;
}

/* ---- reading ---- */

static sal_status nifti_dims(nifti_header *out, const uint8_t *h, const char *name, sal_error *err)
{
    int rank = nifti_i16(h + 40, out->swap);
    bool fits = true;

    if (rank < 1 || rank > 7)
        return sal_fail_at(err, SAL_EFORMAT, 40, "%s: the NIfTI header tells of %d dimensions",
                           name, rank);
    out->count = 1;
    for (int k = 1; k <= 7; k++) {
        int n = k <= rank ? nifti_i16(h + 40 + (size_t)k * 2, out->swap) : 1;

        if (n < 1)
            return sal_fail_at(err, SAL_EFORMAT, 40 + (uint64_t)k * 2,
                               "%s: dimension %d of the NIfTI header is %d", name, k, n);
        if (k > 4 && n > 1)
            return sal_fail(err, SAL_EUNSUPPORTED,
                            "%s: has %d elements along dimension %d; up to four dimensions are "
                            "read",
                            name, n, k);
        if (k <= 4)
            out->dims[4 - k] = n;
        fits = fits && sal_mul_ok(out->count, (size_t)n, &out->count);
    }
    fits = fits && sal_mul_ok(out->count, sal_dtype_size(out->info.stored), &out->bytes);
    if (!fits)
        return sal_fail_at(err, SAL_EFORMAT, 40, "%s: the NIfTI header announces too much", name);
    return SAL_OK;
}

static sal_status nifti_parse(nifti_header *out, const uint8_t *h, const char *name, sal_error *err)
{
    int32_t same = nifti_i32(h, false), other = nifti_i32(h, true);
    double offset;
    int code;

    *out = (nifti_header){.swap = other == NIFTI_HEADER};
    if (same == 540 || other == 540)
        return sal_fail(err, SAL_EUNSUPPORTED, "%s: is NIfTI-2; convert it to NIfTI-1", name);
    if (same != NIFTI_HEADER && other != NIFTI_HEADER)
        return sal_fail_at(err, SAL_EFORMAT, 0, "%s: is no NIfTI file", name);
    if (memcmp(h + 344, "ni1", 4) == 0)
        return sal_fail(err, SAL_EUNSUPPORTED,
                        "%s: keeps its voxels in a second file; convert it to one .nii", name);
    if (memcmp(h + 344, "n+1", 4) != 0)
        return sal_fail_at(err, SAL_EFORMAT, 344, "%s: is no NIfTI-1 file", name);
    code = nifti_i16(h + 70, out->swap);
    for (size_t i = 0; i < SAL_COUNTOF(nifti_types); i++) {
        if (nifti_types[i].code == code)
            out->info.stored = nifti_types[i].dtype;
    }
    if (out->info.stored == SAL_DT_NONE)
        return sal_fail(err, SAL_EUNSUPPORTED,
                        "%s: holds elements of NIfTI type %d; real numbers are read", name, code);
    sal_status st = nifti_dims(out, h, name, err);
    if (st != SAL_OK)
        return st;
    offset = nifti_f32(h + 108, out->swap);
    if (!(offset >= NIFTI_VOXELS && offset <= 1e9) || offset != floor(offset))
        return sal_fail_at(err, SAL_EFORMAT, 108, "%s: the voxels cannot begin at byte %g", name,
                           offset);
    out->offset = (size_t)offset;
    out->info.slope = nifti_f32(h + 112, out->swap);
    out->info.inter = nifti_f32(h + 116, out->swap);
    /* A slope of 0 says that there is no scale, and so do files that put NaN there. */
    if (!isfinite(out->info.slope) || out->info.slope == 0.0 || !isfinite(out->info.inter)) {
        out->info.slope = 1.0;
        out->info.inter = 0.0;
    }
    nifti_place(&out->info, h, out->swap);
    return SAL_OK;
}

static void nifti_voxels(sal_tensor *t, const nifti_header *h, const uint8_t *from)
{
    size_t size = sal_dtype_size(h->info.stored);
    uint64_t room = 0;
    sal_tensor one = sal_tensor_borrow(h->info.stored, 0, NULL, &room);
    bool scaled = h->info.slope != 1.0 || h->info.inter != 0.0;
    float *to = t->data;

    for (size_t i = 0; i < h->count; i++) {
        nifti_take((uint8_t *)&room, from + i * size, size, h->swap);
        to[i] = (float)(scaled ? sal_tensor_get(&one, 0) * h->info.slope + h->info.inter
                               : sal_tensor_get(&one, 0));
    }
}

sal_status sal_nifti_decode(sal_tensor *out, sal_nifti *info, const uint8_t *data, size_t size,
                            const char *name, sal_error *err)
{
    /* Deflate makes at most 1032 bytes of one. */
    enum { DENSEST = 1032 };
    bool packed = size >= 2 && data[0] == 0x1f && data[1] == 0x8b;
    uint8_t head[NIFTI_HEADER], *unpacked = NULL;
    const uint8_t *voxels;
    nifti_header h;
    size_t end = 0, have = size;
    sal_status st = SAL_OK;

    if (packed) {
        SAL_TRY(nifti_inflate(data, size, head, sizeof head, false, name, err));
        if (!sal_mul_ok(size, DENSEST, &have))
            have = SIZE_MAX;
    } else if (size < sizeof head) {
        return sal_fail(err, SAL_EFORMAT, "%s: is too short for a NIfTI file", name);
    } else {
        memcpy(head, data, sizeof head);
    }
    SAL_TRY(nifti_parse(&h, head, name, err));
    if (!sal_add_ok(h.offset, h.bytes, &end) || end > have) {
        st = sal_fail_at(err, SAL_EFORMAT, h.offset,
                         "%s: the NIfTI header announces %zu bytes of voxels, the file cannot hold "
                         "them; it is damaged or cut off",
                         name, h.bytes);
        goto done;
    }
    voxels = data;
    if (packed) {
        unpacked = sal_malloc(end);
        if (unpacked == NULL)
            SAL_TRY(sal_fail_nomem(err));
        SAL_TRY(nifti_inflate(data, size, unpacked, end, true, name, err));
        voxels = unpacked;
    }
    const int64_t dims[5] = {1, h.dims[0], h.dims[1], h.dims[2], h.dims[3]};
    SAL_TRY(sal_tensor_new(out, SAL_F32, 5, dims, err));
    nifti_voxels(out, &h, voxels + h.offset);
    if (info != NULL)
        *info = h.info;
done:
    sal_free(unpacked);
    return st;
}

sal_status sal_nifti_read(sal_tensor *out, sal_nifti *info, const char *path, sal_error *err)
{
    sal_file file = {NULL, 0, false};
    sal_status st = sal_file_open(&file, path, err);

    if (st != SAL_OK)
        return st;
    st = sal_nifti_decode(out, info, file.data, file.size, path, err);
    sal_file_close(&file);
    return st;
}

/* ---- writing ---- */

static void nifti_put_i16(uint8_t *at, int v)
{
    int16_t x = (int16_t)v;

    memcpy(at, &x, sizeof x);
}

static void nifti_put_f32(uint8_t *at, double v)
{
    float x = (float)v;

    memcpy(at, &x, sizeof x);
}

static sal_status nifti_compose(uint8_t head[NIFTI_VOXELS], const sal_tensor *t,
                                const sal_nifti *info, sal_error *err)
{
    const int32_t size = NIFTI_HEADER;
    int extra = t->rank - 4; /* axes before C */
    bool many = t->rank >= 4 && t->dims[t->rank - 4] > 1;

    for (int i = 0; i < t->rank; i++) {
        if (t->dims[i] < 1 || t->dims[i] > INT16_MAX || (i < extra && t->dims[i] != 1))
            return sal_fail(err, SAL_EINVAL, "a NIfTI-1 file cannot hold axis %d of %lld elements",
                            i, (long long)t->dims[i]);
    }
    if (t->rank < 3)
        return sal_fail(err, SAL_EINVAL, "a NIfTI file needs three axes, here are %d",
                        (int)t->rank);
    memset(head, 0, NIFTI_VOXELS);
    memcpy(head, &size, sizeof size);
    nifti_put_i16(head + 40, many ? 4 : 3);
    for (int k = 1; k <= 7; k++)
        nifti_put_i16(head + 40 + k * 2, k <= 4 && k <= t->rank ? (int)t->dims[t->rank - k] : 1);
    nifti_put_i16(head + 70, 16);
    nifti_put_i16(head + 72, 32);
    nifti_put_f32(head + 76, 1.0);
    for (int k = 0; k < 4; k++)
        nifti_put_f32(head + 80 + k * 4, info == NULL || k == 3 ? 1.0 : info->spacing[k]);
    nifti_put_f32(head + 108, NIFTI_VOXELS);
    nifti_put_f32(head + 112, 1.0);
    head[123] = 2; /* millimetres */
    if (info != NULL && info->orientation[0] != '\0') {
        nifti_put_i16(head + 254, 2); /* aligned to another file */
        for (int i = 0; i < 12; i++)
            nifti_put_f32(head + 280 + i * 4, info->affine[i / 4][i % 4]);
    }
    memcpy(head + 344, "n+1", 4);
    return SAL_OK;
}

static sal_status nifti_deflate(sal_bytes *out, const sal_bytes *plain, sal_error *err)
{
    z_stream z = {.zalloc = nifti_zalloc, .zfree = nifti_zfree};
    size_t used = 0;
    uint8_t chunk[1 << 14];
    sal_status st = SAL_OK;
    int code = deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);

    if (code != Z_OK)
        return sal_fail_nomem(err);
    while (st == SAL_OK && code == Z_OK) {
        size_t in = SAL_MIN(plain->len - used, (size_t)1 << 30);

        z.next_in = (Bytef *)plain->data + used;
        z.avail_in = (uInt)in;
        z.next_out = chunk;
        z.avail_out = sizeof chunk;
        code = deflate(&z, used + in == plain->len ? Z_FINISH : Z_NO_FLUSH);
        used += in - z.avail_in;
        st = sal_bytes_add(out, chunk, sizeof chunk - z.avail_out, err);
    }
    (void)deflateEnd(&z);
    return st;
}

sal_status sal_nifti_encode(sal_bytes *out, const sal_tensor *t, const sal_nifti *info, bool gzip,
                            sal_error *err)
{
    uint8_t head[NIFTI_VOXELS];
    sal_bytes plain = {NULL, 0, 0};
    sal_tensor f32 = SAL_TENSOR_INIT;
    sal_status st;

    SAL_TRY(nifti_compose(head, t, info, err));
    SAL_TRY(sal_tensor_cast(&f32, t, SAL_F32, err));
    SAL_TRY(sal_bytes_add(gzip ? &plain : out, head, sizeof head, err));
    SAL_TRY(sal_bytes_add(gzip ? &plain : out, f32.data, sal_tensor_bytes(&f32), err));
    if (gzip)
        SAL_TRY(nifti_deflate(out, &plain, err));
done:
    sal_tensor_free(&f32);
    sal_bytes_free(&plain);
    return st;
}

sal_status sal_nifti_write(const sal_tensor *t, const sal_nifti *info, const char *path,
                           sal_error *err)
{
    size_t n = strlen(path);
    sal_bytes bytes = {NULL, 0, 0};
    sal_status st =
        sal_nifti_encode(&bytes, t, info, n > 3 && strcmp(path + n - 3, ".gz") == 0, err);

    if (st == SAL_OK)
        st = sal_file_write(path, bytes.data, bytes.len, err);
    sal_bytes_free(&bytes);
    return st;
}
