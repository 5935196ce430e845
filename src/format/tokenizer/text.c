/* Code points with their places in the caller's text. */
#include "format/tokenizer/tokenizer.h"

#include <string.h>
#include <utf8proc.h>

sal_status tok_text_add(tok_text *t, uint32_t c, uint32_t begin, uint32_t end, sal_error *err)
{
    sal_status st = sal_grow(&t->v, t->n + 1, &t->cap, sizeof(*t->v), err);

    if (st == SAL_OK)
        t->v[t->n++] = (tok_char){c, begin, end};
    return st;
}

sal_status tok_text_append(tok_text *t, const tok_char *v, size_t n, sal_error *err)
{
    sal_status st = n == 0 ? SAL_OK : sal_grow(&t->v, t->n + n, &t->cap, sizeof(*t->v), err);

    if (st == SAL_OK && n > 0) {
        memcpy(t->v + t->n, v, n * sizeof(*v));
        t->n += n;
    }
    return st;
}

void tok_text_free(tok_text *t)
{
    sal_free(t->v);
    *t = (tok_text){NULL, 0, 0};
}

sal_status tok_text_read(tok_text *t, const char *text, size_t n, sal_error *err)
{
    sal_status st = SAL_OK;

    for (size_t i = 0; i < n;) {
        utf8proc_int32_t c = -1;
        utf8proc_ssize_t used =
            utf8proc_iterate((const utf8proc_uint8_t *)text + i, (utf8proc_ssize_t)(n - i), &c);

        if (used < 1) {
            used = 1;
            c = (utf8proc_int32_t)(TOK_BYTE + (uint8_t)text[i]);
        }
        SAL_TRY(tok_text_add(t, (uint32_t)c, (uint32_t)i, (uint32_t)(i + (size_t)used), err));
        i += (size_t)used;
    }
done:
    return st;
}

size_t tok_utf8(uint32_t c, char *buf)
{
    utf8proc_uint8_t bytes[4];
    utf8proc_ssize_t n = utf8proc_encode_char(c >= TOK_BYTE ? 0xFFFD : (utf8proc_int32_t)c, bytes);

    if (n < 1)
        n = utf8proc_encode_char(0xFFFD, bytes);
    memcpy(buf, bytes, (size_t)n);
    return (size_t)n;
}

/* ---- characters ---- */

static utf8proc_category_t text_category(uint32_t c)
{
    return c > 0x10FFFF ? UTF8PROC_CATEGORY_SO : utf8proc_category((utf8proc_int32_t)c);
}

bool tok_is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || c == 32 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
           c == 0x205F || c == 0x3000;
}

/* Marks, punctuation and format characters that came after Unicode 8. */
bool tok_is_late(uint32_t c)
{
    static const uint32_t ranges[][2] = {
#include "format/tokenizer/unicode_eight.h"
    };
    size_t low = 0, high = SAL_COUNTOF(ranges);

    while (low < high) {
        size_t k = (low + high) / 2;

        if (c > ranges[k][1])
            low = k + 1;
        else if (c < ranges[k][0])
            high = k;
        else
            return true;
    }
    return false;
}

bool tok_is_punctuation(uint32_t c)
{
    utf8proc_category_t k = text_category(c);

    if (c >= 0x80 && tok_is_late(c))
        return false;
    return c == 0x166D || c == 0x111C9 || (c >= 33 && c <= 47) || (c >= 58 && c <= 64) ||
           (c >= 91 && c <= 96) || (c >= 123 && c <= 126) ||
           (k >= UTF8PROC_CATEGORY_PC && k <= UTF8PROC_CATEGORY_PO);
}

bool tok_is_numeric(uint32_t c)
{
    utf8proc_category_t k = text_category(c);

    return k == UTF8PROC_CATEGORY_ND || k == UTF8PROC_CATEGORY_NL || k == UTF8PROC_CATEGORY_NO;
}

/* Alphabetic, marks, decimal digits, connectors, joiners. */
bool tok_is_word(uint32_t c)
{
    utf8proc_category_t k = text_category(c);

    return (k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO) ||
           (k >= UTF8PROC_CATEGORY_MN && k <= UTF8PROC_CATEGORY_ME) || k == UTF8PROC_CATEGORY_ND ||
           k == UTF8PROC_CATEGORY_NL || k == UTF8PROC_CATEGORY_PC || c == 0x200C || c == 0x200D ||
           (c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) ||
           (c >= 0x1F150 && c <= 0x1F169) || (c >= 0x1F170 && c <= 0x1F189);
}

/* ---- pieces ---- */

sal_status tok_pieces_close(tok_pieces *p, size_t begin, sal_error *err)
{
    sal_status st;

    if (p->text.n == begin)
        return SAL_OK;
    st = sal_grow(&p->v, p->n + 1, &p->cap, sizeof(*p->v), err);
    if (st == SAL_OK)
        p->v[p->n++] = (tok_range){begin, p->text.n};
    return st;
}

void tok_pieces_free(tok_pieces *p)
{
    tok_text_free(&p->text);
    sal_free(p->v);
    *p = (tok_pieces){{NULL, 0, 0}, NULL, 0, 0};
}

/* ---- the map ---- */

sal_status tok_map_new(tok_map *m, size_t count, sal_error *err)
{
    size_t size = 16;

    while (size < 2 * count)
        size *= 2;
    m->slots = sal_calloc(size, sizeof(*m->slots));
    if (m->slots == NULL)
        return sal_fail_nomem(err);
    m->size = size;
    return SAL_OK;
}

uint64_t tok_map_hash(const char *key, size_t n, uint64_t hash)
{
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ (uint8_t)key[i]) * 0x100000001B3U;
    return hash;
}

static struct tok_slot *map_slot(const tok_map *m, const char *key, size_t n, uint64_t hash)
{
    size_t i = (size_t)(hash ^ hash >> 29) & (m->size - 1);

    while (m->slots[i].key != NULL && (m->slots[i].hash != (uint32_t)hash || m->slots[i].n != n ||
                                       memcmp(m->slots[i].key, key, n) != 0))
        i = (i + 1) & (m->size - 1);
    return &m->slots[i];
}

bool tok_map_put(tok_map *m, const char *key, size_t n, int32_t id)
{
    uint64_t hash = tok_map_hash(key, n, TOK_MAP_HASH);
    struct tok_slot *s = map_slot(m, key, n, hash);

    if (s->key != NULL)
        return false;
    *s = (struct tok_slot){key, (uint32_t)hash, (uint32_t)n, id};
    return true;
}

int32_t tok_map_find(const tok_map *m, const char *key, size_t n, uint64_t hash)
{
    const struct tok_slot *s = m->size == 0 ? NULL : map_slot(m, key, n, hash);

    return s == NULL || s->key == NULL ? -1 : s->id;
}

int32_t tok_map_get(const tok_map *m, const char *key, size_t n)
{
    return tok_map_find(m, key, n, tok_map_hash(key, n, TOK_MAP_HASH));
}

void tok_map_free(tok_map *m)
{
    sal_free(m->slots);
    *m = (tok_map){NULL, 0};
}

sal_status tok_ids_add(tok_ids *out, int32_t id, uint32_t begin, uint32_t end, sal_error *err)
{
    sal_status st = sal_grow(&out->v, out->n + 1, &out->cap, sizeof(*out->v), err);

    if (st == SAL_OK)
        out->v[out->n++] = (struct tok_id){id, begin, end};
    return st;
}

/* ---- byte-level characters: printable bytes stand for themselves, the others (0 to 32, 127 to
 * 160, 173) for the characters from U+0100 on ---- */

uint32_t tok_byte_char(uint8_t b)
{
    if (b <= 32)
        return 0x100U + b;
    if (b >= 127 && b <= 160)
        return 0x121U + (b - 127U);
    return b == 173 ? 0x143U : b;
}

int tok_byte_of(uint32_t c)
{
    if (c >= 0x100 && c <= 0x120)
        return (int)(c - 0x100);
    if (c >= 0x121 && c <= 0x142)
        return (int)(c - 0x121 + 127);
    if (c == 0x143)
        return 173;
    return c < 256 && tok_byte_char((uint8_t)c) == c ? (int)c : -1;
}
