/* NumPy's .npy: 6 bytes of magic, version, header length, a Python dict in ASCII, then the
 * elements.
 *
 *     {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
 *
 * The dict is read by a parser of just these literals: nothing is evaluated. */
#include "format/npy.h"
#include <inttypes.h>
#include <stdio.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define NPY_HOST_BIG true
#else
#define NPY_HOST_BIG false
#endif

/* NumPy has no bfloat16: it is written as its bits and never read. */
static const struct {
    char text[3];
    sal_dtype dtype;
} npy_types[] = {
    {"f4", SAL_F32}, {"f8", SAL_F64},  {"f2", SAL_F16},  {"u1", SAL_U8},  {"i1", SAL_I8},
    {"u2", SAL_U16}, {"i2", SAL_I16},  {"u4", SAL_U32},  {"i4", SAL_I32}, {"u8", SAL_U64},
    {"i8", SAL_I64}, {"b1", SAL_BOOL}, {"u2", SAL_BF16},
};

typedef struct npy_header {
    sal_dtype dtype;
    bool swap, fortran;
    int rank;
    int64_t dims[SAL_MAX_RANK];
    size_t data_at;
} npy_header;

typedef struct npy_text {
    const uint8_t *data;
    size_t at, end;
    const char *name;
    sal_error *err;
} npy_text;

static sal_status npy_bad(const npy_text *t, const char *what)
{
    return sal_fail_at(t->err, SAL_EFORMAT, t->at, "%s: .npy header: %s (byte %zu)", t->name, what,
                       t->at);
}

static void npy_space(npy_text *t)
{
    while (t->at < t->end &&
           (t->data[t->at] == ' ' || t->data[t->at] == '\n' || t->data[t->at] == '\t'))
        t->at++;
}

/* Skip blanks, then take the character if it comes next. */
static bool npy_take(npy_text *t, char c)
{
    npy_space(t);
    if (t->at >= t->end || t->data[t->at] != (uint8_t)c)
        return false;
    t->at++;
    return true;
}

static bool npy_word(npy_text *t, const char *word)
{
    size_t n = strlen(word);
    npy_space(t);
    if (t->end - t->at < n || memcmp(t->data + t->at, word, n) != 0)
        return false;
    t->at += n;
    return true;
}

/* A quoted string of printable ASCII without escapes. */
static bool npy_string(npy_text *t, char *buf, size_t size)
{
    char quote = '\0';
    if (npy_take(t, '\''))
        quote = '\'';
    else if (npy_take(t, '"'))
        quote = '"';
    size_t n = 0;
    if (quote == '\0')
        return false;
    while (t->at < t->end && t->data[t->at] != (uint8_t)quote) {
        uint8_t c = t->data[t->at++];
        if (c < 0x20 || c > 0x7e || c == '\\' || n + 1 >= size)
            return false;
        buf[n++] = (char)c;
    }
    buf[n] = '\0';
    return npy_take(t, quote);
}

static sal_status npy_descr(npy_text *t, npy_header *h)
{
    char text[64];
    npy_space(t);
    if (t->at < t->end && t->data[t->at] == '[') {
        return sal_fail_at(
            t->err, SAL_EUNSUPPORTED, t->at,
            "%s: .npy with several fields an element; save one array of plain numbers", t->name);
    }
    if (!npy_string(t, text, sizeof text))
        return npy_bad(t, "'descr' is no string");
    const char *code = text;
    char order = '|';
    if (*code == '<' || *code == '>' || *code == '|' || *code == '=')
        order = *code++;
    for (size_t i = 0; i < SAL_COUNTOF(npy_types) && h->dtype == SAL_DT_NONE; i++) {
        if (strcmp(code, npy_types[i].text) == 0)
            h->dtype = npy_types[i].dtype;
    }
    if (h->dtype == SAL_DT_NONE) {
        return sal_fail_at(t->err, SAL_EUNSUPPORTED, t->at,
                           "%s: .npy element type '%s'; convert to float, integer or bool first",
                           t->name, text);
    }
    bool big = order == '>' || (order == '=' && NPY_HOST_BIG);
    if (order == '|')
        big = NPY_HOST_BIG;
    h->swap = big != NPY_HOST_BIG && sal_dtype_size(h->dtype) > 1;
    return SAL_OK;
}

static sal_status npy_shape(npy_text *t, npy_header *h)
{
    if (!npy_take(t, '('))
        return npy_bad(t, "'shape' is no tuple");
    while (!npy_take(t, ')')) {
        npy_space(t);
        int64_t v = 0;
        size_t begin = t->at;
        while (t->at < t->end && t->data[t->at] >= '0' && t->data[t->at] <= '9') {
            int digit = t->data[t->at] - '0';
            if (v > (INT64_MAX - digit) / 10)
                return npy_bad(t, "a dimension is too large");
            v = v * 10 + digit;
            t->at++;
        }
        if (t->at == begin)
            return npy_bad(t, "a dimension is no number");
        if (h->rank == SAL_MAX_RANK)
            return npy_bad(t, "more than 8 dimensions");
        h->dims[h->rank++] = v;
        npy_word(t, "L"); /* Python 2 wrote long integers so */
        if (!npy_take(t, ',') && !npy_take(t, ')'))
            return npy_bad(t, "',' or ')' is missing in 'shape'");
        if (t->data[t->at - 1] == ')')
            break;
    }
    return SAL_OK;
}

static sal_status npy_dict(npy_text *t, npy_header *h)
{
    sal_status st;
    unsigned seen = 0;
    char key[32];
    if (!npy_take(t, '{'))
        return npy_bad(t, "no dictionary");
    while (!npy_take(t, '}')) {
        if (!npy_string(t, key, sizeof key) || !npy_take(t, ':'))
            return npy_bad(t, "a key is expected");
        unsigned bit;
        if (strcmp(key, "descr") == 0) {
            bit = 1;
            st = (seen & bit) != 0 ? npy_bad(t, "'descr' comes twice") : npy_descr(t, h);
        } else if (strcmp(key, "shape") == 0) {
            bit = 2;
            st = (seen & bit) != 0 ? npy_bad(t, "'shape' comes twice") : npy_shape(t, h);
        } else if (strcmp(key, "fortran_order") == 0) {
            bit = 4;
            h->fortran = npy_word(t, "True");
            st = h->fortran || npy_word(t, "False")
                     ? SAL_OK
                     : npy_bad(t, "'fortran_order' is neither True nor False");
        } else {
            return npy_bad(t, "unknown key");
        }
        if (st != SAL_OK)
            return st;
        seen |= bit;
        if (!npy_take(t, ',')) {
            if (!npy_take(t, '}'))
                return npy_bad(t, "',' or '}' is missing");
            break;
        }
    }
    return seen == 7 ? SAL_OK : npy_bad(t, "'descr', 'fortran_order' or 'shape' is missing");
}

static sal_status npy_parse(npy_header *h, const uint8_t *data, size_t size, const char *name,
                            sal_error *err)
{
    npy_text t = {data, 0, size, name, err};
    memset(h, 0, sizeof *h);
    if (size < 10 || memcmp(data, "\x93NUMPY", 6) != 0)
        return sal_fail(err, SAL_EFORMAT, "%s: no .npy file (it does not begin with \\x93NUMPY)",
                        name);
    size_t length = (size_t)data[8] | (size_t)data[9] << 8;
    t.at = 10;
    if (data[6] < 1 || data[6] > 3)
        return sal_fail_at(err, SAL_EUNSUPPORTED, 6, "%s: .npy version %d; 1 to 3 are known", name,
                           data[6]);
    if (data[6] > 1) {
        if (size < 12)
            return npy_bad(&t, "cut off");
        length |= (size_t)data[10] << 16 | (size_t)data[11] << 24;
        t.at = 12;
    }
    if (length > size - t.at)
        return npy_bad(&t, "longer than the file");
    h->data_at = t.at + length;
    t.end = h->data_at;
    return npy_dict(&t, h);
}

static void npy_copy_swapped(uint8_t *to, const uint8_t *from, size_t bytes, size_t element)
{
    for (size_t i = 0; i < bytes; i += element) {
        for (size_t b = 0; b < element; b++)
            to[i + b] = from[i + element - 1 - b];
    }
}

/* In Fortran order the first index runs fastest: element (i0, i1, ...) stands at i0 + d0 * (i1 + d1
 * * ...). Walk the output in row-major order and carry that position along. */
static void npy_copy_fortran(const sal_tensor *t, const uint8_t *from, size_t element, bool swap)
{
    int64_t index[SAL_MAX_RANK] = {0};
    size_t stride[SAL_MAX_RANK] = {0}, at = 0, step = element;
    uint8_t *to = t->data;
    for (int32_t a = 0; a < t->rank; a++) {
        stride[a] = step;
        step *= (size_t)t->dims[a];
    }
    for (int64_t n = sal_tensor_count(t); n > 0; n--, to += element) {
        if (swap)
            npy_copy_swapped(to, from + at, element, element);
        else
            memcpy(to, from + at, element);
        for (int32_t a = t->rank - 1; a >= 0; a--) {
            at += stride[a];
            if (++index[a] < t->dims[a])
                break;
            at -= stride[a] * (size_t)t->dims[a];
            index[a] = 0;
        }
    }
}

sal_status sal_npy_decode(sal_tensor *out, const uint8_t *data, size_t size, const char *name,
                          sal_error *err)
{
    npy_header h;
    sal_status st = npy_parse(&h, data, size, name, err);
    if (st != SAL_OK)
        return st;
    /* Sizes against the file before anything is allocated. */
    size_t element = sal_dtype_size(h.dtype), bytes = element, have = size - h.data_at;
    bool empty = false, fits = true;
    for (int a = 0; a < h.rank; a++)
        empty = empty || h.dims[a] == 0;
    for (int a = 0; a < h.rank && !empty; a++)
        fits =
            fits && (uint64_t)h.dims[a] <= SIZE_MAX && sal_mul_ok(bytes, (size_t)h.dims[a], &bytes);
    bytes = empty ? 0 : bytes;
    if (!fits || bytes != have) {
        return sal_fail_at(
            err, SAL_EFORMAT, h.data_at,
            "%s: the .npy header announces %s%zu bytes of elements, the file holds %zu; it is "
            "damaged or cut off",
            name, fits ? "" : "more than ", fits ? bytes : SIZE_MAX, have);
    }
    st = sal_tensor_new(out, h.dtype, h.rank, h.dims, err);
    if (st != SAL_OK)
        return st == SAL_EINVAL ? sal_fail_prefix(err, SAL_EFORMAT, "%s", name) : st;
    const uint8_t *from = data + h.data_at;
    if (bytes == 0)
        return SAL_OK;
    if (h.fortran && h.rank > 1)
        npy_copy_fortran(out, from, element, h.swap);
    else if (h.swap)
        npy_copy_swapped(out->data, from, bytes, element);
    else
        memcpy(out->data, from, bytes);
    if (h.dtype == SAL_BOOL) {
        uint8_t *b = out->data;
        for (size_t i = 0; i < bytes; i++)
            b[i] = b[i] != 0;
    }
    return SAL_OK;
}

sal_status sal_npy_read(sal_tensor *out, const char *path, sal_error *err)
{
    sal_file file = {NULL, 0, false};
    sal_status st = sal_file_open(&file, path, err);
    if (st != SAL_OK)
        return st;
    st = sal_npy_decode(out, file.data, file.size, path, err);
    sal_file_close(&file);
    return st;
}

static const char *npy_code(sal_dtype dtype)
{
    for (size_t i = 0; i < SAL_COUNTOF(npy_types); i++) {
        if (npy_types[i].dtype == dtype)
            return npy_types[i].text;
    }
    return NULL;
}

sal_status sal_npy_encode(sal_bytes *out, const sal_tensor *t, sal_error *err)
{
    sal_status st;
    const char *code = npy_code(t->dtype);
    char order = sal_dtype_size(t->dtype) == 1 ? '|' : NPY_HOST_BIG ? '>' : '<';
    char text[320];
    if (code == NULL)
        return sal_fail(err, SAL_EINVAL, "a tensor of type %s cannot be written as .npy",
                        sal_dtype_name(t->dtype));
    int n = snprintf(text, sizeof text, "{'descr': '%c%s', 'fortran_order': False, 'shape': (",
                     order, code);
    for (int32_t a = 0; a < t->rank; a++)
        n += snprintf(text + n, sizeof text - (size_t)n, "%" PRId64 ",%s", t->dims[a],
                      a + 1 < t->rank ? " " : "");
    if (t->rank > 1)
        n--; /* only a tuple of one keeps its comma */
    n += snprintf(text + n, sizeof text - (size_t)n, "), }");
    /* The elements begin at a multiple of 64, after a newline. */
    while ((10 + n + 1) % 64 != 0)
        text[n++] = ' ';
    text[n++] = '\n';
    const uint8_t lead[10] = {
        0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (uint8_t)(n & 0xff), (uint8_t)(n >> 8)};
    SAL_TRY(sal_bytes_add(out, lead, sizeof lead, err));
    SAL_TRY(sal_bytes_add(out, text, (size_t)n, err));
    if (sal_tensor_bytes(t) > 0)
        SAL_TRY(sal_bytes_add(out, t->data, sal_tensor_bytes(t), err));
done:
    return st;
}

sal_status sal_npy_write(const sal_tensor *t, const char *path, sal_error *err)
{
    sal_bytes bytes = {NULL, 0, 0};
    sal_status st = sal_npy_encode(&bytes, t, err);
    if (st == SAL_OK)
        st = sal_file_write(path, bytes.data, bytes.len, err);
    sal_bytes_free(&bytes);
    return st;
}
