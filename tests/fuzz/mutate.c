/* Edits of bytes, of .npy headers and of pictures' chunks and segments. */
#include "mutate.h"

bool mutate_format_of(const char *path, mutate_format *out)
{
    static const struct {
        const char *ending;
        mutate_format format;
    } known[] = {{".onnx", MUTATE_ONNX},
                 {".npy", MUTATE_NPY},
                 {".png", MUTATE_PNG},
                 {".jpg", MUTATE_JPEG},
                 {".webp", MUTATE_WEBP},
                 {".json", MUTATE_JSON},
                 {".txt", MUTATE_TEXT},
                 {".tsv", MUTATE_TEXT},
                 {".nii", MUTATE_NIFTI},
                 {".gguf", MUTATE_GGUF},
                 {".safetensors", MUTATE_SAFETENSORS}};
    size_t n = strlen(path);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        size_t m = strlen(known[i].ending);
        if (n > m && strcmp(path + n - m, known[i].ending) == 0) {
            *out = known[i].format;
            return true;
        }
    }
    return false;
}

uint64_t mutate_below(sal_rng *rng, uint64_t n)
{
    return n == 0 ? 0 : sal_rng_u64(rng) % n;
}

int64_t mutate_extreme(sal_rng *rng)
{
    static const int64_t values[] = {
        0,         1,         -1,        2,         -2,        3,         4,         7,
        8,         9,         16,        100,       127,       128,       255,       256,
        1000,      32767,     65535,     65536,     1 << 20,   1 << 24,   1 << 30,   INT32_MAX,
        INT32_MIN, 1LL << 31, 1LL << 32, 1LL << 40, 1LL << 61, 1LL << 62, INT64_MAX, INT64_MIN};
    return values[mutate_below(rng, sizeof values / sizeof values[0])];
}

sal_status mutate_splice(sal_bytes *b, size_t at, size_t n, const void *p, size_t m)
{
    sal_bytes out = {NULL, 0, 0};
    sal_status st = SAL_OK;
    SAL_TRY(sal_bytes_add(&out, b->data, at, NULL));
    SAL_TRY(sal_bytes_add(&out, p, m, NULL));
    SAL_TRY(sal_bytes_add(&out, b->data + at + n, b->len - at - n, NULL));
    sal_bytes_free(b);
    *b = out;
    return SAL_OK;
done:
    sal_bytes_free(&out);
    return st;
}

/* Little or big endian, 2, 4 or 8 bytes. */
static void mutate_store(sal_rng *rng, char *p, size_t room)
{
    uint64_t v = (uint64_t)mutate_extreme(rng);
    size_t n = (size_t)2 << mutate_below(rng, 3);
    bool big = mutate_below(rng, 2) == 0;
    n = n > room ? room : n;
    for (size_t i = 0; i < n; i++)
        p[big ? n - 1 - i : i] = (char)(uint8_t)(v >> (8 * i));
}

sal_status mutate_bytes(sal_rng *rng, const sal_bytes *other, sal_bytes *b)
{
    if (b->len == 0)
        return sal_bytes_add(b, other->data, other->len, NULL);
    size_t at = (size_t)mutate_below(rng, b->len);
    size_t n = (size_t)mutate_below(rng, (b->len - at < 64 ? b->len - at : 64) + 1);
    switch (mutate_below(rng, 8)) {
    case 0: /* one bit */
        b->data[at] = (char)(b->data[at] ^ (char)(1 << mutate_below(rng, 7)));
        return SAL_OK;
    case 1: /* one byte */
        b->data[at] = (char)(uint8_t)sal_rng_u64(rng);
        return SAL_OK;
    case 2: /* the end is missing */
        b->len = at;
        return SAL_OK;
    case 3: /* a span is missing */
        return mutate_splice(b, at, n, "", 0);
    case 4: /* a span twice */
        return mutate_splice(b, at, 0, b->data + at, n);
    case 5: /* an integer */
        mutate_store(rng, b->data + at, b->len - at);
        return SAL_OK;
    case 6: { /* a span of another file */
        size_t from = (size_t)mutate_below(rng, other->len);
        size_t m = (size_t)mutate_below(rng, (other->len - from < 64 ? other->len - from : 64) + 1);
        return mutate_splice(b, at, n, other->data + from, m);
    }
    default: /* one value over and over */
        memset(b->data + at, (int)mutate_below(rng, 2) * 255, n);
        return SAL_OK;
    }
}

/* ---- .npy: a text behind ten bytes ---- */

static sal_status mutate_npy_text(sal_rng *rng, sal_bytes *out)
{
    static const char *const types[] = {"<f4", ">f8", "<i8",  "|b1",  "<f2", "|u1", "<u8",    "<c8",
                                        "|O",  "<U9", "<f16", "|V99", "",    "=f4", "<M8[ns]"};
    static const char *const tails[] = {"",   ",",  "}",           "{",   "'a': (1,),",    ", )",
                                        "((", "\\", "'shape': ()", "#\n", "'descr': None", "  "};
    sal_bytes shape = {NULL, 0, 0};
    sal_status st = SAL_OK;
    int rank = (int)mutate_below(rng, mutate_below(rng, 8) == 0 ? 40 : 5);
    for (int i = 0; i < rank; i++) {
        if (mutate_below(rng, 4) == 0)
            SAL_TRY(sal_bytes_printf(&shape, NULL, "99999999999999999999999,"));
        else
            SAL_TRY(sal_bytes_printf(&shape, NULL, "%lld,",
                                     (long long)(mutate_below(rng, 2) == 0
                                                     ? mutate_extreme(rng)
                                                     : (int64_t)mutate_below(rng, 5))));
    }
    /* One draw a statement: the order of draws must not be the compiler's choice. */
    const char *type = types[mutate_below(rng, sizeof types / sizeof types[0])];
    const char *tail = tails[mutate_below(rng, sizeof tails / sizeof tails[0])];
    const char *fortran = mutate_below(rng, 2) == 0 ? "True" : "False";
    SAL_TRY(sal_bytes_printf(out, NULL, "{'descr': '%s', 'fortran_order': %s, 'shape': (%s), }%s",
                             type, fortran, shape.data == NULL ? "" : shape.data, tail));
done:
    sal_bytes_free(&shape);
    return st;
}

static sal_status mutate_npy(sal_rng *rng, sal_bytes *b)
{
    sal_bytes text = {NULL, 0, 0};
    sal_status st = SAL_OK;
    if (b->len < 12)
        return SAL_OK;
    size_t n = (size_t)(uint8_t)b->data[8] + 256 * (size_t)(uint8_t)b->data[9];
    if (n > b->len - 10)
        n = b->len - 10;
    switch (mutate_below(rng, 4)) {
    case 0: /* version, length */
        b->data[6 + mutate_below(rng, 6)] = (char)mutate_extreme(rng);
        return SAL_OK;
    case 1: /* one digit of the header */
        for (size_t i = 10 + (size_t)mutate_below(rng, n); i < 10 + n; i++) {
            if (b->data[i] >= '0' && b->data[i] <= '9') {
                b->data[i] = (char)('0' + mutate_below(rng, 10));
                return SAL_OK;
            }
        }
        return SAL_OK;
    default: /* a new header, with the right length */
        SAL_TRY(mutate_npy_text(rng, &text));
        while ((text.len + 11) % 64 != 0)
            SAL_TRY(sal_bytes_add(&text, " ", 1, NULL));
        SAL_TRY(sal_bytes_add(&text, "\n", 1, NULL));
        SAL_TRY(mutate_splice(b, 10, n, text.data, text.len));
        b->data[8] = (char)(uint8_t)text.len;
        b->data[9] = (char)(uint8_t)(text.len >> 8);
    }
done:
    sal_bytes_free(&text);
    return st;
}

/* ---- pictures: pieces with a length ---- */

typedef struct mutate_piece {
    size_t at, body, n, end; /* whole piece [at, end), its contents [body, body + n) */
} mutate_piece;

static size_t mutate_number(const sal_bytes *b, size_t at, size_t n, bool big)
{
    size_t v = 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | (uint8_t)b->data[at + (big ? i : n - 1 - i)];
    return v;
}

/* The piece at p->end; false at the end. */
static bool mutate_next(mutate_format format, const sal_bytes *b, mutate_piece *p)
{
    size_t at = p->end, left = b->len - at;
    if (format == MUTATE_JPEG) {
        if (left < 4 || (uint8_t)b->data[at] != 0xff)
            return false;
        size_t n = mutate_number(b, at + 2, 2, true);
        if (n < 2 || n > left - 2)
            return false;
        *p = (mutate_piece){at, at + 4, n - 2, at + 2 + n};
        return true;
    }
    size_t extra = format == MUTATE_PNG ? 12 : 8;
    if (left < extra)
        return false;
    size_t n = mutate_number(b, format == MUTATE_PNG ? at : at + 4, 4, format == MUTATE_PNG);
    if (n > left - extra)
        return false;
    size_t end = at + extra + n + (format == MUTATE_WEBP ? n & 1 : 0);
    *p = (mutate_piece){at, at + 8, n, end > b->len ? b->len : end};
    return true;
}

static void mutate_png_crc(sal_bytes *b)
{
    mutate_piece p = {0, 0, 0, 8};
    while (b->len >= 8 && mutate_next(MUTATE_PNG, b, &p)) {
        uint32_t crc = 0xffffffffU;
        for (size_t i = p.at + 4; i < p.body + p.n; i++) {
            crc ^= (uint8_t)b->data[i];
            for (int k = 0; k < 8; k++)
                crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320U : 0);
        }
        for (size_t i = 0; i < 4; i++)
            b->data[p.body + p.n + i] = (char)(uint8_t)(~crc >> (24 - 8 * i));
    }
}

static sal_status mutate_picture(mutate_format format, sal_rng *rng, sal_bytes *b)
{
    const size_t start = format == MUTATE_PNG ? 8 : format == MUTATE_JPEG ? 2 : 12;
    mutate_piece p = {0, 0, 0, start}, chosen = {0, 0, 0, 0};
    size_t count = 0;
    if (b->len <= start)
        return SAL_OK;
    while (mutate_next(format, b, &p)) { /* one of them, all equally likely */
        if (mutate_below(rng, ++count) == 0)
            chosen = p;
    }
    if (count == 0)
        return SAL_OK;
    switch (mutate_below(rng, 8)) {
    case 0:
        return mutate_splice(b, chosen.at, chosen.end - chosen.at, "", 0);
    case 1:
        return mutate_splice(b, chosen.at, 0, b->data + chosen.at, chosen.end - chosen.at);
    case 2: /* its kind or its length */
        mutate_store(rng, b->data + chosen.at, format == MUTATE_JPEG ? 4 : 8);
        return SAL_OK;
    case 3: /* to the end of the file */
    {
        sal_bytes copy = {NULL, 0, 0};
        sal_status st = sal_bytes_add(&copy, b->data + chosen.at, chosen.end - chosen.at, NULL);
        if (st == SAL_OK)
            st = mutate_splice(b, chosen.at, chosen.end - chosen.at, "", 0);
        if (st == SAL_OK)
            st = sal_bytes_add(b, copy.data, copy.len, NULL);
        sal_bytes_free(&copy);
        return st;
    }
    case 4:
    case 5:
        if (chosen.n > 0)
            b->data[chosen.body + mutate_below(rng, chosen.n)] = (char)(uint8_t)sal_rng_u64(rng);
        return SAL_OK;
    default: /* an integer, mostly near the start where sizes are */
        if (chosen.n > 0) {
            size_t at = (size_t)mutate_below(rng, chosen.n < 16 ? chosen.n : 16);
            mutate_store(rng, b->data + chosen.body + at, chosen.n - at);
        }
        return SAL_OK;
    }
}

sal_status mutate(mutate_format format, sal_rng *rng, const sal_bytes *data, const sal_bytes *other,
                  sal_bytes *out)
{
    sal_bytes b = {NULL, 0, 0};
    sal_status st = SAL_OK;
    int edits = 1 + (int)mutate_below(rng, mutate_below(rng, 3) == 0 ? 8 : 2);
    /* Mostly of one kind: one stray byte ends the reading of a message whose fields were edited. */
    uint64_t plain = mutate_below(rng, 8) < 2 ? 6 : 0;
    SAL_TRY(sal_bytes_add(&b, data->data, data->len, NULL));
    for (int i = 0; i < edits; i++) {
        if (mutate_below(rng, 8) < plain || format == MUTATE_TEXT || format == MUTATE_NIFTI)
            SAL_TRY(mutate_bytes(rng, other, &b));
        else if (format == MUTATE_ONNX)
            SAL_TRY(mutate_onnx(rng, other, &b));
        else if (format == MUTATE_NPY)
            SAL_TRY(mutate_npy(rng, &b));
        else if (format == MUTATE_GGUF)
            SAL_TRY(mutate_gguf(rng, other, &b));
        else if (format == MUTATE_SAFETENSORS)
            SAL_TRY(mutate_safetensors(rng, other, &b));
        else if (format == MUTATE_JSON)
            SAL_TRY(mutate_json(rng, other, &b));
        else
            SAL_TRY(mutate_picture(format, rng, &b));
    }
    if (format == MUTATE_PNG && mutate_below(rng, 8) != 0)
        mutate_png_crc(&b);
    if (b.len > 0)
        SAL_TRY(sal_bytes_add(out, b.data, b.len, NULL));
done:
    sal_bytes_free(&b);
    return st;
}
