/* Reading safetensors. The header is read by a parser of just its own form, which allocates nothing
 * but the list of tensors. */
#include "format/safetensors.h"

#define SAFE_AXIS_MAX ((int64_t)1 << 46)

enum {
    SAFE_HEADER_MAX = 100 << 20, /* as the reference implementation has it */
    SAFE_TENSORS_MAX = 1 << 18   /* more than any file has; bounds memory */
};

static const struct {
    const char *name;
    size_t bytes;
    const sal_block_type *type;
} safe_types[] = {
    {"F32", 4, &sal_block_type_f32},
    {"F16", 2, &sal_block_type_f16},
    {"BF16", 2, &sal_block_type_bf16},
    {"F64", 8, NULL},
    {"I64", 8, NULL},
    {"U64", 8, NULL},
    {"I32", 4, NULL},
    {"U32", 4, NULL},
    {"I16", 2, NULL},
    {"U16", 2, NULL},
    {"I8", 1, NULL},
    {"U8", 1, NULL},
    {"BOOL", 1, NULL},
    {"F8_E4M3", 1, NULL},
    {"F8_E5M2", 1, NULL},
};

struct sal_safetensors {
    sal_buffer *buffer; /* owns the file or the copy */
    const uint8_t *data;
    size_t size, base; /* base: of the tensors' bytes */
    char *path;
    sal_safetensors_tensor *tensors;
    size_t n, cap;
    int32_t *slots; /* hash of names: index + 1 */
    size_t n_slots; /* power of two */
};

typedef struct safe_reader {
    sal_safetensors *s;
    size_t at, end;
    sal_error *err;
} safe_reader;

typedef struct safe_span {
    size_t at, n;
} safe_span;

static sal_status safe_bad(const safe_reader *r, size_t at, const char *what)
{
    return sal_fail_at(r->err, SAL_EFORMAT, at, "%s: byte %zu: %s", r->s->path, at, what);
}

/* ---- the JSON of the header ---- */

static void safe_blanks(safe_reader *r)
{
    const uint8_t *d = r->s->data;

    while (r->at < r->end &&
           (d[r->at] == ' ' || d[r->at] == '\t' || d[r->at] == '\r' || d[r->at] == '\n'))
        r->at++;
}

/* Over blanks, then over the character if it comes next. */
static bool safe_take(safe_reader *r, char c)
{
    safe_blanks(r);
    if (r->at >= r->end || r->s->data[r->at] != (uint8_t)c)
        return false;
    r->at++;
    return true;
}

static sal_status safe_want(safe_reader *r, char c, const char *what)
{
    return safe_take(r, c) ? SAL_OK : safe_bad(r, r->at, what);
}

/* What stands between the quotes. */
static sal_status safe_string(safe_reader *r, safe_span *out)
{
    if (!safe_take(r, '"'))
        return safe_bad(r, r->at, "a string is expected");
    out->at = r->at;
    while (r->at < r->end && r->s->data[r->at] != '"') {
        if (r->s->data[r->at] < 0x20)
            return safe_bad(r, r->at, "a control character in a string");
        r->at += r->s->data[r->at] == '\\' ? 2 : 1;
    }
    if (r->at >= r->end)
        return safe_bad(r, out->at, "a string does not end");
    out->n = r->at - out->at;
    r->at++;
    return SAL_OK;
}

static sal_status safe_number(safe_reader *r, int64_t *out)
{
    int64_t v = 0;
    size_t begun;

    safe_blanks(r);
    begun = r->at;
    while (r->at < r->end && r->s->data[r->at] >= '0' && r->s->data[r->at] <= '9') {
        int digit = r->s->data[r->at++] - '0';

        if (v > (INT64_MAX - digit) / 10)
            return safe_bad(r, begun, "a number is too large");
        v = v * 10 + digit;
    }
    *out = v;
    return r->at > begun ? SAL_OK : safe_bad(r, begun, "a whole number is expected");
}

/* [1, 2, 3], at most `most` of them. */
static sal_status safe_numbers(safe_reader *r, int64_t *out, int most, int *n)
{
    sal_status st = SAL_OK;

    *n = 0;
    SAL_TRY(safe_want(r, '[', "a list is expected"));
    if (safe_take(r, ']'))
        goto done;
    do {
        if (*n == most)
            SAL_TRY(safe_bad(r, r->at, "a list is too long"));
        SAL_TRY(safe_number(r, &out[(*n)++]));
    } while (safe_take(r, ','));
    st = safe_want(r, ']', "',' or ']' is expected");
done:
    return st;
}

static bool safe_same(const safe_reader *r, safe_span s, const char *text)
{
    return s.n == strlen(text) && memcmp(r->s->data + s.at, text, s.n) == 0;
}

/* {"key": "text", ..} */
static sal_status safe_metadata(safe_reader *r)
{
    safe_span key, text;
    sal_status st = SAL_OK;

    SAL_TRY(safe_want(r, '{', "an object is expected"));
    if (safe_take(r, '}'))
        goto done;
    do {
        SAL_TRY(safe_string(r, &key));
        SAL_TRY(safe_want(r, ':', "':' is expected"));
        SAL_TRY(safe_string(r, &text));
    } while (safe_take(r, ','));
    st = safe_want(r, '}', "',' or '}' is expected");
done:
    return st;
}

/* ---- tensors ---- */

/* Bytes of an element; 0: a type that is not known. */
static size_t safe_dtype(const safe_reader *r, safe_span text, sal_safetensors_tensor *t)
{
    t->dtype = "";
    for (size_t i = 0; i < SAL_COUNTOF(safe_types); i++) {
        if (!safe_same(r, text, safe_types[i].name))
            continue;
        t->dtype = safe_types[i].name;
        t->type = safe_types[i].type;
        return safe_types[i].bytes;
    }
    return 0;
}

static sal_status safe_place(const safe_reader *r, size_t at, sal_safetensors_tensor *t,
                             size_t unit, const int64_t *offsets)
{
    const sal_safetensors *s = r->s;
    size_t count = 1, rows = 1, need = 0, room = s->size - s->base;

    for (int32_t i = 0; i < t->rank; i++) {
        rows = count;
        if (t->dims[i] > SAFE_AXIS_MAX || !sal_mul_ok(count, (size_t)t->dims[i], &count) ||
            count > PTRDIFF_MAX)
            return safe_bad(r, at, "a tensor is larger than any that could be stored");
    }
    if (!sal_mul_ok(count, unit, &need))
        return safe_bad(r, at, "a tensor is larger than any that could be stored");
    t->rows = (int64_t)rows;
    t->columns = t->rank > 0 ? t->dims[t->rank - 1] : 1;
    if (offsets[0] > offsets[1] || (uint64_t)offsets[1] > room)
        return safe_bad(r, at, "a tensor lies beyond the end of the file: is it cut off?");
    t->bytes = (size_t)(offsets[1] - offsets[0]);
    if (unit > 0 && t->bytes != need)
        return safe_bad(r, at, "a tensor has not the bytes that its shape needs");
    t->data = s->data + s->base + offsets[0];
    return SAL_OK;
}

/* {"dtype": .., "shape": .., "data_offsets": ..} in any order. */
static sal_status safe_tensor(safe_reader *r, safe_span name)
{
    sal_safetensors_tensor t = {.name = (const char *)r->s->data + name.at, .name_n = name.n};
    int64_t offsets[2];
    unsigned seen = 0, bit;
    size_t begun = r->at, unit = 0;
    safe_span key, text;
    int n = 0;
    sal_status st = SAL_OK;

    SAL_TRY(safe_want(r, '{', "an object is expected"));
    do {
        SAL_TRY(safe_string(r, &key));
        SAL_TRY(safe_want(r, ':', "':' is expected"));
        if (safe_same(r, key, "dtype")) {
            bit = 1;
            SAL_TRY(safe_string(r, &text));
            unit = safe_dtype(r, text, &t);
        } else if (safe_same(r, key, "shape")) {
            bit = 2;
            SAL_TRY(safe_numbers(r, t.dims, SAL_MAX_RANK, &n));
            t.rank = n;
        } else if (safe_same(r, key, "data_offsets")) {
            bit = 4;
            SAL_TRY(safe_numbers(r, offsets, 2, &n));
            if (n != 2)
                SAL_TRY(safe_bad(r, r->at, "data_offsets must be two numbers"));
        } else {
            bit = seen;
        }
        if ((seen & bit) != 0)
            SAL_TRY(safe_bad(r, key.at, "only dtype, shape and data_offsets are known, once each"));
        seen |= bit;
    } while (safe_take(r, ','));
    SAL_TRY(safe_want(r, '}', "',' or '}' is expected"));
    if (seen != 7)
        SAL_TRY(safe_bad(r, begun, "dtype, shape or data_offsets is missing"));
    SAL_TRY(safe_place(r, begun, &t, unit, offsets));
    if (r->s->n == SAFE_TENSORS_MAX)
        SAL_TRY(safe_bad(r, begun, "more tensors than any model has"));
    SAL_TRY(sal_grow(&r->s->tensors, r->s->n + 1, &r->s->cap, sizeof(t), r->err));
    r->s->tensors[r->s->n++] = t;
done:
    return st;
}

/* Where the name is or would be. */
static size_t safe_slot(const sal_safetensors *s, const char *name, size_t n)
{
    size_t i = (size_t)sal_hash(name, n, 0) & (s->n_slots - 1);

    for (; s->slots[i] != 0; i = (i + 1) & (s->n_slots - 1)) {
        const sal_safetensors_tensor *t = &s->tensors[s->slots[i] - 1];

        if (t->name_n == n && memcmp(t->name, name, n) == 0)
            return i;
    }
    return i;
}

static sal_status safe_index(safe_reader *r)
{
    sal_safetensors *s = r->s;

    for (s->n_slots = 16; s->n_slots < 2 * s->n + 2;)
        s->n_slots *= 2;
    s->slots = sal_calloc(s->n_slots, sizeof(*s->slots));
    if (s->slots == NULL)
        return sal_fail_nomem(r->err);
    for (size_t i = 0; i < s->n; i++) {
        const sal_safetensors_tensor *t = &s->tensors[i];
        size_t slot = safe_slot(s, t->name, t->name_n);

        if (s->slots[slot] != 0)
            return safe_bad(r, (size_t)((const uint8_t *)t->name - s->data),
                            "two tensors have this name");
        s->slots[slot] = (int32_t)i + 1;
    }
    return SAL_OK;
}

static sal_status safe_parse(sal_safetensors *s, sal_error *err)
{
    safe_reader r = {s, 8, 0, err};
    uint64_t n = 0;
    safe_span name;
    sal_status st = SAL_OK;

    if (s->size < 8)
        SAL_TRY(safe_bad(&r, s->size, "the file ends inside the length of its header"));
    for (int i = 0; i < 8; i++)
        n |= (uint64_t)s->data[i] << (8 * i);
    if (n > s->size - 8 || n > SAFE_HEADER_MAX)
        SAL_TRY(safe_bad(&r, 0, "the header is longer than the file, or than 100 MiB"));
    r.end = s->base = 8 + (size_t)n;
    SAL_TRY(safe_want(&r, '{', "no header of a safetensors file"));
    if (!safe_take(&r, '}')) {
        do {
            SAL_TRY(safe_string(&r, &name));
            SAL_TRY(safe_want(&r, ':', "':' is expected"));
            SAL_TRY(safe_same(&r, name, "__metadata__") ? safe_metadata(&r)
                                                        : safe_tensor(&r, name));
        } while (safe_take(&r, ','));
        SAL_TRY(safe_want(&r, '}', "',' or '}' is expected"));
    }
    safe_blanks(&r); /* which align what follows */
    if (r.at != r.end)
        SAL_TRY(safe_bad(&r, r.at, "the header goes on behind its end"));
    st = safe_index(&r);
done:
    return st;
}

/* ---- opening ---- */

typedef struct safe_file {
    sal_file file;
    void *copy; /* in place of a file */
} safe_file;

static void safe_release(void *ctx)
{
    safe_file *f = ctx;

    sal_file_close(&f->file);
    sal_free(f->copy);
    sal_free(f);
}

/* Takes file and copy over, also on failure. */
static sal_status safe_new(sal_safetensors **out, sal_file file, void *copy, size_t n,
                           const char *path, sal_error *err)
{
    sal_safetensors *s = sal_calloc(1, sizeof(*s));
    safe_file *f = sal_calloc(1, sizeof(*f));
    const uint8_t *data = copy != NULL ? copy : file.data;
    sal_status st = SAL_OK;

    *out = NULL;
    if (s == NULL || f == NULL) {
        sal_file_close(&file);
        sal_free(copy);
        SAL_TRY(sal_fail_nomem(err));
    }
    *f = (safe_file){file, copy};
    st = sal_buffer_wrap(&s->buffer, (void *)(uintptr_t)data, n, safe_release, f, err);
    if (st != SAL_OK) {
        safe_release(f);
        f = NULL;
        goto done;
    }
    f = NULL;
    s->data = data;
    s->size = n;
    s->path = sal_strdup(path);
    if (s->path == NULL)
        SAL_TRY(sal_fail_nomem(err));
    SAL_TRY(safe_parse(s, err));
    *out = s;
    s = NULL;
done:
    sal_free(f);
    sal_safetensors_close(s);
    return st;
}

sal_status sal_safetensors_open(sal_safetensors **out, const char *path, sal_error *err)
{
    sal_file file = {NULL, 0, false};
    sal_status st;

    *out = NULL;
    st = sal_file_open(&file, path, err);
    return st != SAL_OK ? st : safe_new(out, file, NULL, file.size, path, err);
}

sal_status sal_safetensors_open_memory(sal_safetensors **out, const void *bytes, size_t n,
                                       const char *name, sal_error *err)
{
    void *copy = sal_aligned(n + 1);

    *out = NULL;
    if (copy == NULL)
        return sal_fail_nomem(err);
    if (n > 0)
        memcpy(copy, bytes, n);
    return safe_new(out, (sal_file){NULL, 0, false}, copy, n, name, err);
}

void sal_safetensors_close(sal_safetensors *s)
{
    if (s == NULL)
        return;
    sal_buffer_unref(s->buffer);
    sal_free(s->path);
    sal_free(s->tensors);
    sal_free(s->slots);
    sal_free(s);
}

/* ---- looking ---- */

const char *sal_safetensors_path(const sal_safetensors *s)
{
    return s->path;
}

size_t sal_safetensors_count(const sal_safetensors *s)
{
    return s->n;
}

const sal_safetensors_tensor *sal_safetensors_at(const sal_safetensors *s, size_t i)
{
    return i < s->n ? &s->tensors[i] : NULL;
}

const sal_safetensors_tensor *sal_safetensors_find(const sal_safetensors *s, const char *name)
{
    int32_t i = s->slots[safe_slot(s, name, strlen(name))];

    return i == 0 ? NULL : &s->tensors[i - 1];
}

sal_status sal_safetensors_bytes(const sal_safetensors *s, const sal_safetensors_tensor *t,
                                 sal_tensor *out, sal_error *err)
{
    int64_t dims[2];

    if (t->type == NULL)
        return sal_fail(err, SAL_EUNSUPPORTED,
                        "%s: tensor %.*s is of type %s; F32, F16 and BF16 are read", s->path,
                        (int)SAL_MIN(t->name_n, 120), t->name,
                        t->dtype[0] == '\0' ? "unknown" : t->dtype);
    dims[0] = t->rows;
    dims[1] = t->columns * t->type->bytes;
    *out = sal_tensor_borrow(SAL_U8, 2, dims, (void *)(uintptr_t)t->data);
    out->buffer = sal_buffer_ref(s->buffer);
    return SAL_OK;
}
