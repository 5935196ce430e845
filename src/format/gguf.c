/* Reading GGUF. Everything is checked once, on opening. */
#include "format/gguf.h"

#include <stdatomic.h>

enum {
    GGUF_TENSORS =
        1 << 20, /* more than any file has; bounds memory together with the file's size */
    GGUF_PAIRS = 1 << 20
};

struct sal_gguf {
    atomic_int refs; /* the owner and every tensor that was handed out */
    sal_file file;
    uint8_t *copy; /* in place of a file */
    const uint8_t *data;
    size_t size;
    char *path;
    uint32_t version;
    sal_gguf_pair *pairs;
    size_t n_pairs;
    sal_gguf_tensor *tensors;
    size_t n_tensors;
    int32_t *slots; /* hash of tensor names: index + 1 */
    size_t n_slots; /* power of two */
    sal_buffer *buffer;
};

typedef struct gguf_reader {
    sal_gguf *g;
    size_t at;
    sal_error *err;
} gguf_reader;

static sal_status gguf_bad(gguf_reader *r, size_t at, const char *what)
{
    sal_status st = sal_fail(r->err, SAL_EFORMAT, "%s: byte %zu: %s", r->g->path, at, what);

    if (r->err != NULL)
        r->err->offset = at;
    return st;
}

/* ---- numbers ---- */

static uint64_t gguf_number(const uint8_t *p, int bytes)
{
    uint64_t v = 0;

    for (int i = 0; i < bytes; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static sal_status gguf_take(gguf_reader *r, int bytes, uint64_t *out)
{
    *out = 0;
    if (r->g->size - r->at < (size_t)bytes)
        return gguf_bad(r, r->at, "the file ends inside a number");
    *out = gguf_number(r->g->data + r->at, bytes);
    r->at += (size_t)bytes;
    return SAL_OK;
}

static sal_status gguf_take_text(gguf_reader *r, sal_gguf_text *out)
{
    size_t begun = r->at;
    uint64_t n;
    sal_status st = gguf_take(r, 8, &n);

    if (st != SAL_OK)
        return st;
    if (n > r->g->size - r->at)
        return gguf_bad(r, begun, "a string is longer than the file");
    *out = (sal_gguf_text){(const char *)r->g->data + r->at, (size_t)n};
    r->at += (size_t)n;
    return SAL_OK;
}

static int gguf_type_bytes(uint64_t type)
{
    static const int bytes[SAL_GGUF_TYPES] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

    return type < SAL_GGUF_TYPES ? bytes[type] : 0;
}

/* ---- metadata ---- */

/* Over the `count` values of a type. */
static sal_status gguf_skip(gguf_reader *r, uint64_t type, uint64_t count)
{
    size_t left = r->g->size - r->at;
    sal_status st = SAL_OK;

    if (type == SAL_GGUF_STRING) {
        if (count > left / 8)
            return gguf_bad(r, r->at, "an array is longer than the file");
        for (uint64_t i = 0; i < count && st == SAL_OK; i++) {
            sal_gguf_text text;

            st = gguf_take_text(r, &text);
        }
        return st;
    }
    if (count > left / (size_t)gguf_type_bytes(type))
        return gguf_bad(r, r->at, "a value is longer than the file");
    r->at += (size_t)count * (size_t)gguf_type_bytes(type);
    return SAL_OK;
}

static sal_status gguf_read_pair(gguf_reader *r, sal_gguf_pair *p)
{
    uint64_t type, count = 1;
    size_t begun;
    sal_status st = SAL_OK;

    SAL_TRY(gguf_take_text(r, &p->key));
    begun = r->at;
    SAL_TRY(gguf_take(r, 4, &type));
    p->array = type == SAL_GGUF_ARRAY;
    if (p->array) {
        SAL_TRY(gguf_take(r, 4, &type));
        SAL_TRY(gguf_take(r, 8, &count));
    }
    if (type >= SAL_GGUF_TYPES || type == SAL_GGUF_ARRAY)
        SAL_TRY(gguf_bad(r, begun,
                         type == SAL_GGUF_ARRAY ? "arrays of arrays are not read"
                                                : "an unknown type of metadata"));
    p->type = (sal_gguf_type)type;
    p->count = count;
    p->data = r->g->data + r->at;
    begun = r->at;
    SAL_TRY(gguf_skip(r, type, count));
    p->bytes = r->at - begun;
done:
    return st;
}

static bool gguf_same(sal_gguf_text a, const char *b)
{
    return strlen(b) == a.n && memcmp(a.data, b, a.n) == 0;
}

const sal_gguf_pair *sal_gguf_find(const sal_gguf *g, const char *key)
{
    for (size_t i = 0; i < g->n_pairs; i++) {
        if (gguf_same(g->pairs[i].key, key))
            return &g->pairs[i];
    }
    return NULL;
}

/* ---- tensors ---- */

static sal_status gguf_read_tensor(gguf_reader *r, sal_gguf_tensor *t, uint64_t *offset)
{
    uint64_t rank, n, type, dims[4] = {1, 1, 1, 1};
    size_t begun = r->at, total = 1;
    sal_status st = SAL_OK;

    SAL_TRY(gguf_take_text(r, &t->name));
    SAL_TRY(gguf_take(r, 4, &rank));
    if (rank < 1 || rank > 4)
        SAL_TRY(gguf_bad(r, begun, "a tensor must have 1 to 4 dimensions"));
    for (uint64_t i = 0; i < rank; i++) {
        SAL_TRY(gguf_take(r, 8, &n));
        if (n < 1 || n > INT32_MAX || !sal_mul_ok(total, (size_t)n, &total) ||
            total > (size_t)1 << 46)
            SAL_TRY(gguf_bad(r, begun, "a tensor is larger than any that could be stored"));
        dims[i] = n;
    }
    SAL_TRY(gguf_take(r, 4, &type));
    SAL_TRY(gguf_take(r, 8, offset));
    t->rank = (int32_t)rank;
    t->rows = 1;
    for (uint64_t i = 0; i < rank; i++) {
        t->dims[i] = (int64_t)dims[rank - 1 - i];
        t->rows *= i + 1 < rank ? t->dims[i] : 1;
    }
    t->ggml = (uint32_t)type;
    t->type = sal_block_type_of_ggml(t->ggml);
    if (t->type != NULL && !sal_block_row_bytes(t->type, t->dims[rank - 1], &t->row_bytes))
        SAL_TRY(gguf_bad(r, begun, "a row of a tensor does not fill whole blocks of its type"));
done:
    return st;
}

static uint64_t gguf_hash(const char *s, size_t n)
{
    return sal_hash(s, n, 0);
}

/* Where the name is or would be. */
static size_t gguf_slot(const sal_gguf *g, const char *name, size_t n)
{
    size_t i = (size_t)gguf_hash(name, n) & (g->n_slots - 1);

    for (;; i = (i + 1) & (g->n_slots - 1)) {
        const sal_gguf_tensor *t;

        if (g->slots[i] == 0)
            return i;
        t = &g->tensors[g->slots[i] - 1];
        if (t->name.n == n && memcmp(t->name.data, name, n) == 0)
            return i;
    }
}

static sal_status gguf_place(gguf_reader *r, const uint64_t *offsets)
{
    sal_gguf *g = r->g;
    int64_t align = sal_gguf_int(g, "general.alignment", 32);
    size_t base;
    sal_status st = SAL_OK;

    if (align < 1 || align > 1 << 20 || (align & (align - 1)) != 0)
        SAL_TRY(gguf_bad(r, r->at, "general.alignment is no power of two up to 1 MiB"));
    base = r->at + (size_t)align - 1;
    base -= base % (size_t)align;
    for (g->n_slots = 16; g->n_slots < 2 * g->n_tensors + 2;)
        g->n_slots *= 2;
    g->slots = sal_calloc(g->n_slots, sizeof(*g->slots));
    if (g->slots == NULL)
        SAL_TRY(sal_fail_nomem(r->err));
    for (size_t i = 0; i < g->n_tensors; i++) {
        sal_gguf_tensor *t = &g->tensors[i];
        size_t bytes, slot = gguf_slot(g, t->name.data, t->name.n);

        if (g->slots[slot] != 0)
            SAL_TRY(sal_fail(r->err, SAL_EFORMAT, "%s: two tensors are named %.*s", g->path,
                             (int)SAL_MIN(t->name.n, 80), t->name.data));
        g->slots[slot] = (int32_t)i + 1;
        if (t->type == NULL)
            continue;
        if (!sal_mul_ok((size_t)t->rows, t->row_bytes, &bytes) || base > g->size ||
            offsets[i] > g->size - base || bytes > g->size - base - (size_t)offsets[i])
            SAL_TRY(
                sal_fail(r->err, SAL_EFORMAT,
                         "%s: tensor %.*s (%s, %lld rows) lies beyond the end of the file: is it "
                         "cut off?",
                         g->path, (int)SAL_MIN(t->name.n, 80), t->name.data, t->type->name,
                         (long long)t->rows));
        t->data = g->data + base + (size_t)offsets[i];
    }
done:
    return st;
}

/* ---- opening ---- */

static sal_status gguf_parse(sal_gguf *g, sal_error *err)
{
    gguf_reader r = {g, 4, err};
    uint64_t version, n_tensors, n_pairs;
    uint64_t *offsets = NULL;
    sal_status st = SAL_OK;

    if (!sal_gguf_is(g->data, g->size))
        SAL_TRY(gguf_bad(&r, 0, "no GGUF file"));
    SAL_TRY(gguf_take(&r, 4, &version));
    if (version != 2 && version != 3)
        SAL_TRY(sal_fail(err, SAL_EUNSUPPORTED,
                         "%s: GGUF version %lu%s: 2 and 3 are read, little-endian", g->path,
                         (unsigned long)version,
                         version == 0x03000000 || version == 0x02000000 ? " (big-endian)" : ""));
    g->version = (uint32_t)version;
    SAL_TRY(gguf_take(&r, 8, &n_tensors));
    SAL_TRY(gguf_take(&r, 8, &n_pairs));
    /* The shortest tensor takes 32 bytes of the file, the shortest pair 13. */
    if (n_tensors > SAL_MIN(GGUF_TENSORS, g->size / 32) ||
        n_pairs > SAL_MIN(GGUF_PAIRS, g->size / 13))
        SAL_TRY(gguf_bad(&r, 8, "more tensors or metadata than the file has room for"));
    g->pairs = sal_calloc((size_t)n_pairs + 1, sizeof(*g->pairs));
    g->tensors = sal_calloc((size_t)n_tensors + 1, sizeof(*g->tensors));
    offsets = sal_calloc((size_t)n_tensors + 1, sizeof(*offsets));
    if (g->pairs == NULL || g->tensors == NULL || offsets == NULL)
        SAL_TRY(sal_fail_nomem(err));
    for (uint64_t i = 0; i < n_pairs; i++, g->n_pairs++)
        SAL_TRY(gguf_read_pair(&r, &g->pairs[i]));
    if (sal_gguf_int(g, "split.count", 1) > 1)
        SAL_TRY(sal_fail(err, SAL_EUNSUPPORTED,
                         "%s: a part of a split file; gguf-split --merge makes it one", g->path));
    for (uint64_t i = 0; i < n_tensors; i++, g->n_tensors++)
        SAL_TRY(gguf_read_tensor(&r, &g->tensors[i], &offsets[i]));
    st = gguf_place(&r, offsets);
done:
    sal_free(offsets);
    return st;
}

/* Takes file and copy over, also on failure. */
static sal_status gguf_new(sal_gguf **out, sal_file file, uint8_t *copy, size_t n, const char *path,
                           sal_error *err)
{
    sal_gguf *g = sal_calloc(1, sizeof(*g));
    sal_status st = SAL_OK;

    *out = NULL;
    if (g == NULL) {
        sal_file_close(&file);
        sal_free(copy);
        return sal_fail_nomem(err);
    }
    atomic_init(&g->refs, 1);
    g->file = file;
    g->copy = copy;
    g->data = copy != NULL ? copy : file.data;
    g->size = n;
    g->path = sal_strdup(path);
    if (g->path == NULL)
        SAL_TRY(sal_fail_nomem(err));
    SAL_TRY(gguf_parse(g, err));
    *out = g;
    g = NULL;
done:
    sal_gguf_close(g);
    return st;
}

sal_status sal_gguf_open(sal_gguf **out, const char *path, sal_error *err)
{
    sal_file file = {NULL, 0, false};
    sal_status st;

    *out = NULL;
    st = sal_file_open(&file, path, err);
    return st != SAL_OK ? st : gguf_new(out, file, NULL, file.size, path, err);
}

sal_status sal_gguf_open_memory(sal_gguf **out, const void *bytes, size_t n, const char *name,
                                sal_error *err)
{
    uint8_t *copy = sal_aligned(n + 1);

    *out = NULL;
    if (copy == NULL)
        return sal_fail_nomem(err);
    if (n > 0)
        memcpy(copy, bytes, n);
    return gguf_new(out, (sal_file){NULL, 0, false}, copy, n, name, err);
}

static void gguf_release(void *ctx)
{
    sal_gguf *g = ctx;

    if (atomic_fetch_sub(&g->refs, 1) > 1)
        return;
    sal_file_close(&g->file);
    sal_free(g->copy);
    sal_free(g->path);
    sal_free(g->pairs);
    sal_free(g->tensors);
    sal_free(g->slots);
    sal_free(g);
}

void sal_gguf_close(sal_gguf *g)
{
    if (g == NULL)
        return;
    sal_buffer_unref(g->buffer);
    g->buffer = NULL;
    gguf_release(g);
}

bool sal_gguf_is(const void *bytes, size_t n)
{
    return n >= 4 && memcmp(bytes, "GGUF", 4) == 0;
}

/* ---- looking ---- */

const char *sal_gguf_path(const sal_gguf *g)
{
    return g->path;
}

uint32_t sal_gguf_version(const sal_gguf *g)
{
    return g->version;
}

size_t sal_gguf_pair_count(const sal_gguf *g)
{
    return g->n_pairs;
}

const sal_gguf_pair *sal_gguf_pair_at(const sal_gguf *g, size_t i)
{
    return i < g->n_pairs ? &g->pairs[i] : NULL;
}

size_t sal_gguf_tensor_count(const sal_gguf *g)
{
    return g->n_tensors;
}

const sal_gguf_tensor *sal_gguf_tensor_at(const sal_gguf *g, size_t i)
{
    return i < g->n_tensors ? &g->tensors[i] : NULL;
}

const sal_gguf_tensor *sal_gguf_tensor_find(const sal_gguf *g, const char *name)
{
    int32_t i = g->slots[gguf_slot(g, name, strlen(name))];

    return i == 0 ? NULL : &g->tensors[i - 1];
}

int64_t sal_gguf_array_int(const sal_gguf_pair *p, uint64_t i)
{
    int bytes = gguf_type_bytes(p->type);
    uint64_t v;

    if (i >= p->count || bytes == 0 || p->type == SAL_GGUF_F32 || p->type == SAL_GGUF_F64)
        return 0;
    v = gguf_number(p->data + i * (uint64_t)bytes, bytes);
    switch (p->type) {
    case SAL_GGUF_I8:
        return (int8_t)v;
    case SAL_GGUF_I16:
        return (int16_t)v;
    case SAL_GGUF_I32:
        return (int32_t)v;
    case SAL_GGUF_U64:
        return v > INT64_MAX ? INT64_MAX : (int64_t)v;
    default:
        return (int64_t)v;
    }
}

double sal_gguf_array_float(const sal_gguf_pair *p, uint64_t i)
{
    if (i >= p->count)
        return 0.0;
    if (p->type == SAL_GGUF_F32) {
        uint32_t bits = (uint32_t)gguf_number(p->data + 4 * i, 4);
        float f;

        memcpy(&f, &bits, sizeof(f));
        return (double)f;
    }
    if (p->type == SAL_GGUF_F64) {
        uint64_t bits = gguf_number(p->data + 8 * i, 8);
        double f;

        memcpy(&f, &bits, sizeof(f));
        return f;
    }
    return (double)sal_gguf_array_int(p, i);
}

bool sal_gguf_array_next(const sal_gguf_pair *p, const uint8_t **at, sal_gguf_text *out)
{
    uint64_t n;

    if (!p->array || p->type != SAL_GGUF_STRING || *at >= p->data + p->bytes)
        return false;
    n = gguf_number(*at, 8);
    *out = (sal_gguf_text){(const char *)*at + 8, (size_t)n};
    *at += 8 + (size_t)n;
    return true;
}

int64_t sal_gguf_int(const sal_gguf *g, const char *key, int64_t fallback)
{
    const sal_gguf_pair *p = sal_gguf_find(g, key);

    if (p == NULL || p->array || p->type == SAL_GGUF_STRING || p->type == SAL_GGUF_F32 ||
        p->type == SAL_GGUF_F64)
        return fallback;
    return sal_gguf_array_int(p, 0);
}

double sal_gguf_float(const sal_gguf *g, const char *key, double fallback)
{
    const sal_gguf_pair *p = sal_gguf_find(g, key);

    if (p == NULL || p->array || p->type == SAL_GGUF_STRING)
        return fallback;
    return sal_gguf_array_float(p, 0);
}

bool sal_gguf_bool(const sal_gguf *g, const char *key, bool fallback)
{
    const sal_gguf_pair *p = sal_gguf_find(g, key);

    return p == NULL || p->array || p->type != SAL_GGUF_BOOL ? fallback : p->data[0] != 0;
}

sal_gguf_text sal_gguf_string(const sal_gguf *g, const char *key)
{
    const sal_gguf_pair *p = sal_gguf_find(g, key);

    if (p == NULL || p->array || p->type != SAL_GGUF_STRING)
        return (sal_gguf_text){NULL, 0};
    return (sal_gguf_text){(const char *)p->data + 8, (size_t)p->bytes - 8};
}

sal_status sal_gguf_bytes(sal_gguf *g, const sal_gguf_tensor *t, sal_tensor *out, sal_error *err)
{
    const int64_t dims[2] = {t->rows, (int64_t)t->row_bytes};
    sal_status st = SAL_OK;

    if (t->type == NULL)
        return sal_fail(err, SAL_EUNSUPPORTED, "%s: tensor %.*s has the unknown type %u", g->path,
                        (int)SAL_MIN(t->name.n, 80), t->name.data, (unsigned)t->ggml);
    if (g->buffer == NULL) {
        SAL_TRY(
            sal_buffer_wrap(&g->buffer, (void *)(uintptr_t)g->data, g->size, gguf_release, g, err));
        atomic_fetch_add(&g->refs, 1);
    }
    *out = sal_tensor_borrow(SAL_U8, 2, dims, (void *)(uintptr_t)t->data);
    out->buffer = sal_buffer_ref(g->buffer);
done:
    return st;
}
