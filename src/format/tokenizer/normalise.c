/* Normalisers, as the field "normalizer" of a tokenizer.json names them. */
#include "format/tokenizer/tokenizer.h"

#include <string.h>
#include <utf8proc.h>

/* ---- Unicode's normal forms ---- */

enum { NORMALISE_COMPOSE, NORMALISE_COMPATIBLE };

/* Starters that compose with the starter before them (Unicode's composition pairs). */
static bool normalise_joins(uint32_t c)
{
    static const uint32_t second[] = {0x09BE,  0x09D7,  0x0B3E,  0x0B56,  0x0B57,  0x0BBE,
                                      0x0BD7,  0x0CC2,  0x0CD5,  0x0CD6,  0x0D3E,  0x0D57,
                                      0x0DCF,  0x0DDF,  0x102E,  0x1B35,  0x11127, 0x1133E,
                                      0x11357, 0x114B0, 0x114BA, 0x114BD, 0x115AF, 0x11930};

    if (c < 0x09BE)
        return false;
    if ((c >= 0x1160 && c <= 0x11FF) || (c >= 0xD7B0 && c <= 0xD7FB) ||
        (c >= 0xFF9E && c <= 0xFFDC))
        return true;
    for (size_t i = 0; i < SAL_COUNTOF(second); i++) {
        if (second[i] == c)
            return true;
    }
    return false;
}

static bool normalise_starter(uint32_t c)
{
    return c >= TOK_BYTE || (utf8proc_get_property((utf8proc_int32_t)c)->combining_class == 0 &&
                             !normalise_joins(c));
}

/* One starter and what composes with it. */
static sal_status normalise_run(const tok_char *v, size_t n, utf8proc_option_t how, tok_text *out,
                                sal_error *err)
{
    utf8proc_ssize_t room = (utf8proc_ssize_t)(n * 18 + 8), made = 0;
    utf8proc_int32_t *buf;
    int last = 0;
    sal_status st = SAL_OK;

    if (n == 1 && (v->c < 0x80 || v->c >= TOK_BYTE))
        return tok_text_add(out, v->c, v->begin, v->end, err);
    buf = sal_calloc((size_t)room, sizeof(*buf));
    if (buf == NULL)
        return sal_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        utf8proc_ssize_t k =
            utf8proc_decompose_char((utf8proc_int32_t)v[i].c, buf + made, room - made, how, &last);

        if (k < 0 || made + k > room)
            SAL_TRY(sal_fail(err, SAL_EINVAL, "U+%04X cannot be normalised", (unsigned)v[i].c));
        made += k;
    }
    /* The canonical order of marks, stable. */
    for (utf8proc_ssize_t i = 1; i < made; i++) {
        for (utf8proc_ssize_t k = i; k > 0; k--) {
            int a = utf8proc_get_property(buf[k - 1])->combining_class;
            int b = utf8proc_get_property(buf[k])->combining_class;
            utf8proc_int32_t swap = buf[k];

            if (b == 0 || a <= b)
                break;
            buf[k] = buf[k - 1];
            buf[k - 1] = swap;
        }
    }
    if ((how & UTF8PROC_COMPOSE) != 0)
        made = utf8proc_normalize_utf32(buf, made, how | UTF8PROC_STABLE);
    for (utf8proc_ssize_t i = 0; i < made; i++) {
        bool single = made == (utf8proc_ssize_t)n;
        uint32_t begin = single ? v[i].begin : v[0].begin, end = single ? v[i].end : v[n - 1].end;

        SAL_TRY(tok_text_add(out, (uint32_t)buf[i], begin, end, err));
    }
done:
    sal_free(buf);
    return st;
}

static sal_status normalise_form(tok_text *t, bool compose, bool compatible, sal_error *err)
{
    int how = UTF8PROC_STABLE | (compose ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE) |
              (compatible ? UTF8PROC_COMPAT : 0);
    tok_text out = {NULL, 0, 0};
    sal_status st = SAL_OK;

    for (size_t i = 0, end; i < t->n; i = end) {
        end = i + 1;
        /* An endless run of marks would be endless work: 64 is more than any script needs. */
        while (end < t->n && end - i < 64 && !normalise_starter(t->v[end].c))
            end++;
        SAL_TRY(normalise_run(t->v + i, end - i, (utf8proc_option_t)how, &out, err));
    }
done:
    tok_text_free(t);
    *t = out;
    return st;
}

static sal_status normalise_nfc(const tok_step *s, tok_text *t, sal_error *err)
{
    (void)s;
    return normalise_form(t, true, false, err);
}

static sal_status normalise_nfd(const tok_step *s, tok_text *t, sal_error *err)
{
    (void)s;
    return normalise_form(t, false, false, err);
}

static sal_status normalise_nfkc(const tok_step *s, tok_text *t, sal_error *err)
{
    (void)s;
    return normalise_form(t, true, true, err);
}

static sal_status normalise_nfkd(const tok_step *s, tok_text *t, sal_error *err)
{
    (void)s;
    return normalise_form(t, false, true, err);
}

/* ---- case, accents ---- */

static sal_status normalise_lowercase(const tok_step *s, tok_text *t, sal_error *err)
{
    size_t n = t->n;
    bool dotted = false;

    (void)s;
    for (size_t i = 0; i < n; i++) {
        dotted = dotted || t->v[i].c == 0x130;
        if (t->v[i].c < TOK_BYTE && t->v[i].c != 0x130) {
            t->v[i].c = (uint32_t)utf8proc_tolower((utf8proc_int32_t)t->v[i].c);
        }
    }
    if (dotted) { /* the only letter whose small form has two code points */
        tok_text out = {NULL, 0, 0};
        sal_status st = SAL_OK;

        for (size_t i = 0; i < n; i++) {
            const tok_char *k = &t->v[i];

            if (k->c == 0x130) {
                SAL_TRY(tok_text_add(&out, 'i', k->begin, k->end, err));
                SAL_TRY(tok_text_add(&out, 0x307, k->begin, k->end, err));
            } else {
                SAL_TRY(tok_text_add(&out, k->c, k->begin, k->end, err));
            }
        }
    done:
        tok_text_free(t);
        *t = out;
        return st;
    }
    return SAL_OK;
}

static void normalise_keep(tok_text *t, bool (*keep)(uint32_t c))
{
    size_t kept = 0;

    for (size_t i = 0; i < t->n; i++) {
        if (keep(t->v[i].c))
            t->v[kept++] = t->v[i];
    }
    t->n = kept;
}

/* Five characters have changed their category since Unicode 8. */
static bool normalise_no_accent(uint32_t c)
{
    return c >= TOK_BYTE || tok_is_late(c) || c == 0x1885 || c == 0x1886 || c == 0xA9BD ||
           c == 0x111C9 ||
           (c != 0x1734 && utf8proc_category((utf8proc_int32_t)c) != UTF8PROC_CATEGORY_MN);
}

/* Any mark, which is what the normaliser StripAccents takes away; BertNormalizer only non-spacing
 * ones. */
static bool normalise_no_mark(uint32_t c)
{
    utf8proc_category_t k;

    if (c >= TOK_BYTE)
        return true;
    k = utf8proc_category((utf8proc_int32_t)c);
    return k != UTF8PROC_CATEGORY_MN && k != UTF8PROC_CATEGORY_MC && k != UTF8PROC_CATEGORY_ME;
}

static sal_status normalise_strip_accents(const tok_step *s, tok_text *t, sal_error *err)
{
    (void)s;
    (void)err;
    normalise_keep(t, normalise_no_mark);
    return SAL_OK;
}

/* ---- BERT ---- */

enum { BERT_CLEAN, BERT_CHINESE, BERT_ACCENTS, BERT_LOWER };

static sal_status bert_read(tok_step *s, const json_t *json, sal_error *err)
{
    (void)err;
    s->flags[BERT_CLEAN] = tok_flag(json, "clean_text", true);
    s->flags[BERT_CHINESE] = tok_flag(json, "handle_chinese_chars", true);
    s->flags[BERT_LOWER] = tok_flag(json, "lowercase", true);
    s->flags[BERT_ACCENTS] = tok_flag(json, "strip_accents", s->flags[BERT_LOWER]);
    return SAL_OK;
}

static bool bert_keep(uint32_t c)
{
    utf8proc_category_t k;

    if (c == '\t' || c == '\n' || c == '\r')
        return true;
    if (c == 0 || c == 0xFFFD || c >= TOK_BYTE)
        return false;
    if (tok_is_late(c))
        return true;
    k = utf8proc_category((utf8proc_int32_t)c);
    return k != UTF8PROC_CATEGORY_CC && k != UTF8PROC_CATEGORY_CF && k != UTF8PROC_CATEGORY_CO &&
           k != UTF8PROC_CATEGORY_CS;
}

static bool bert_chinese(uint32_t c)
{
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
           (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
           (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
           (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

static sal_status bert_spread(tok_text *t, sal_error *err)
{
    tok_text out = {NULL, 0, 0};
    sal_status st = SAL_OK;

    for (size_t i = 0; i < t->n; i++) {
        const tok_char *k = &t->v[i];
        bool chinese = bert_chinese(k->c);

        if (chinese)
            SAL_TRY(tok_text_add(&out, ' ', k->begin, k->begin, err));
        SAL_TRY(tok_text_add(&out, k->c, k->begin, k->end, err));
        if (chinese)
            SAL_TRY(tok_text_add(&out, ' ', k->end, k->end, err));
    }
done:
    tok_text_free(t);
    *t = out;
    return st;
}

static sal_status normalise_bert(const tok_step *s, tok_text *t, sal_error *err)
{
    sal_status st = SAL_OK;

    if (s->flags[BERT_CLEAN]) {
        normalise_keep(t, bert_keep);
        for (size_t i = 0; i < t->n; i++)
            t->v[i].c = tok_is_space(t->v[i].c) ? ' ' : t->v[i].c;
    }
    if (s->flags[BERT_CHINESE])
        SAL_TRY(bert_spread(t, err));
    if (s->flags[BERT_ACCENTS]) {
        SAL_TRY(normalise_form(t, false, false, err));
        normalise_keep(t, normalise_no_accent);
    }
    if (s->flags[BERT_LOWER])
        SAL_TRY(normalise_lowercase(s, t, err));
done:
    return st;
}

/* ---- strip, prepend, replace ---- */

enum { STRIP_LEFT, STRIP_RIGHT };

static sal_status strip_read(tok_step *s, const json_t *json, sal_error *err)
{
    (void)err;
    s->flags[STRIP_LEFT] = tok_flag(json, "strip_left", true);
    s->flags[STRIP_RIGHT] = tok_flag(json, "strip_right", true);
    return SAL_OK;
}

static sal_status normalise_strip(const tok_step *s, tok_text *t, sal_error *err)
{
    size_t first = 0;

    (void)err;
    while (s->flags[STRIP_RIGHT] && t->n > 0 && tok_is_space(t->v[t->n - 1].c))
        t->n--;
    while (s->flags[STRIP_LEFT] && first < t->n && tok_is_space(t->v[first].c))
        first++;
    if (first > 0) {
        memmove(t->v, t->v + first, (t->n - first) * sizeof(*t->v));
        t->n -= first;
    }
    return SAL_OK;
}

static sal_status prepend_read(tok_step *s, const json_t *json, sal_error *err)
{
    return tok_string(json, "prepend", &s->text, err);
}

static sal_status normalise_prepend(const tok_step *s, tok_text *t, sal_error *err)
{
    tok_text out = {NULL, 0, 0};
    sal_status st = SAL_OK;

    if (t->n == 0)
        return SAL_OK;
    SAL_TRY(tok_text_read(&out, s->text, strlen(s->text), err));
    for (size_t i = 0; i < out.n; i++)
        out.v[i].begin = out.v[i].end = t->v[0].begin;
    SAL_TRY(tok_text_append(&out, t->v, t->n, err));
done:
    tok_text_free(t);
    *t = out;
    return st;
}

static sal_status replace_read(tok_step *s, const json_t *json, sal_error *err)
{
    sal_status st = tok_string(json, "content", &s->text, err);

    return st == SAL_OK ? tok_pattern_read(&s->pattern, json_object_get(json, "pattern"), err) : st;
}

static sal_status normalise_replace(const tok_step *s, tok_text *t, sal_error *err)
{
    tok_text out = {NULL, 0, 0}, content = {NULL, 0, 0};
    tok_matcher m = {.p = NULL};
    size_t from = 0;
    bool found = true;
    sal_status st = SAL_OK;

    SAL_TRY(tok_text_read(&content, s->text, strlen(s->text), err));
    SAL_TRY(tok_matcher_new(&m, &s->pattern, t->v, t->n, err));
    while (found) {
        tok_range r;

        SAL_TRY(tok_matcher_next(&m, from, &found, &r, err));
        SAL_TRY(tok_text_append(&out, t->v + from, (found ? r.begin : t->n) - from, err));
        if (!found)
            break;
        for (size_t i = 0; i < content.n; i++)
            SAL_TRY(
                tok_text_add(&out, content.v[i].c, t->v[r.begin].begin, t->v[r.end - 1].end, err));
        from = r.end;
    }
done:
    tok_matcher_free(&m);
    tok_text_free(&content);
    tok_text_free(t);
    *t = out;
    return st;
}

/* ---- SentencePiece's precompiled map: a double-array trie of UTF-8 strings, then the results ----
 */

static sal_status precompiled_check(tok_step *s, sal_error *err)
{
    size_t units = s->blob_n < 4 ? 0
                                 : (size_t)s->blob[0] | (size_t)s->blob[1] << 8 |
                                       (size_t)s->blob[2] << 16 | (size_t)s->blob[3] << 24;

    if (units % 4 != 0 || units == 0 || units > s->blob_n - 4 || s->blob[s->blob_n - 1] != 0)
        return sal_fail(err, SAL_EFORMAT, "a precompiled map is damaged");
    s->numbers[0] = (int64_t)(units / 4);
    return SAL_OK;
}

static sal_status precompiled_read(tok_step *s, const json_t *json, sal_error *err)
{
    const char *text = json_string_value(json_object_get(json, "precompiled_charsmap"));
    size_t n = text == NULL ? 0 : strlen(text), bits = 0;
    uint32_t word = 0;

    if (n < 8)
        return sal_fail(err, SAL_EFORMAT, "a precompiled map is missing");
    s->blob = sal_calloc(n, 1);
    if (s->blob == NULL)
        return sal_fail_nomem(err);
    for (size_t i = 0; i < n && text[i] != '='; i++) {
        static const char digits[] =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        const char *d = strchr(digits, text[i]);

        if (d == NULL || *d == '\0')
            return sal_fail(err, SAL_EFORMAT, "a precompiled map is no base64 text");
        word = word << 6 | (uint32_t)(d - digits);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            s->blob[s->blob_n++] = (uint8_t)(word >> bits);
        }
    }
    return precompiled_check(s, err);
}

sal_status tok_precompiled_set(tok_step *s, const uint8_t *bytes, size_t n, sal_error *err)
{
    s->blob = sal_malloc(n + 1);
    if (s->blob == NULL)
        return sal_fail_nomem(err);
    memcpy(s->blob, bytes, n);
    s->blob_n = n;
    return precompiled_check(s, err);
}

static uint32_t precompiled_unit(const tok_step *s, size_t i)
{
    const uint8_t *p = s->blob + 4 + 4 * i;

    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* The result for the first prefix of the key that has one; NULL when none has. */
static const char *precompiled_find(const tok_step *s, const char *key, size_t n)
{
    size_t units = (size_t)s->numbers[0], at = 0, results = 4 + 4 * units;
    uint32_t unit = precompiled_unit(s, 0);

    at ^= (size_t)(unit >> 10) << ((unit & 1U << 9) >> 6);
    for (size_t i = 0; i < n; i++) {
        uint8_t b = (uint8_t)key[i];

        if (b == 0)
            return NULL;
        at ^= b;
        if (at >= units)
            return NULL;
        unit = precompiled_unit(s, at);
        if ((unit & (1U << 31 | 0xFF)) != b)
            return NULL;
        at ^= (size_t)(unit >> 10) << ((unit & 1U << 9) >> 6);
        if ((unit >> 8 & 1) != 0) {
            size_t offset;

            if (at >= units)
                return NULL;
            offset = precompiled_unit(s, at) & ((1U << 31) - 1);
            return offset < s->blob_n - results ? (const char *)s->blob + results + offset : NULL;
        }
    }
    return NULL;
}

static sal_status precompiled_put(tok_text *out, const char *result, const tok_char *from, size_t n,
                                  sal_error *err)
{
    size_t first = out->n;
    sal_status st = tok_text_read(out, result, strlen(result), err);

    for (size_t i = first; st == SAL_OK && i < out->n; i++) {
        out->v[i].begin = from[0].begin;
        out->v[i].end = from[n - 1].end;
    }
    return st;
}

/* A whole grapheme if it is short and has a result, else its characters one by one. */
static sal_status normalise_precompiled(const tok_step *s, tok_text *t, sal_error *err)
{
    tok_text out = {NULL, 0, 0};
    utf8proc_int32_t state = 0;
    sal_status st = SAL_OK;

    for (size_t i = 0, end; i < t->n; i = end) {
        char key[8];
        size_t bytes = 0;
        const char *result;

        for (end = i + 1; end < t->n && t->v[end].c < TOK_BYTE && t->v[end - 1].c < TOK_BYTE &&
                          !utf8proc_grapheme_break_stateful((utf8proc_int32_t)t->v[end - 1].c,
                                                            (utf8proc_int32_t)t->v[end].c, &state);)
            end++;
        state = 0;
        for (size_t k = i; k < end && bytes < 6; k++) {
            char one[4];
            size_t n = tok_utf8(t->v[k].c, one);

            if (bytes + n >= 6)
                bytes = 6;
            else
                memcpy(key + bytes, one, n);
            bytes += bytes < 6 ? n : 0;
        }
        result = bytes < 6 ? precompiled_find(s, key, bytes) : NULL;
        if (result != NULL) {
            SAL_TRY(precompiled_put(&out, result, t->v + i, end - i, err));
            continue;
        }
        for (size_t k = i; k < end; k++) {
            bytes = tok_utf8(t->v[k].c, key);
            result = precompiled_find(s, key, bytes);
            if (result != NULL)
                SAL_TRY(precompiled_put(&out, result, t->v + k, 1, err));
            else
                SAL_TRY(tok_text_append(&out, t->v + k, 1, err));
        }
    }
done:
    tok_text_free(t);
    *t = out;
    return st;
}

/* SentencePiece's older normaliser: control characters go, odd spaces become spaces. */
static bool nmt_keep(uint32_t c)
{
    return !((c >= 1 && c <= 8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F ||
             c == 0x9F);
}

static sal_status normalise_nmt(const tok_step *s, tok_text *t, sal_error *err)
{
    (void)s;
    (void)err;
    normalise_keep(t, nmt_keep);
    for (size_t i = 0; i < t->n; i++) {
        uint32_t c = t->v[i].c;

        if (c == 9 || c == 10 || c == 12 || c == 13 || c == 0x1680 ||
            (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
            c == 0xFEFF || c == 0xFFFD)
            t->v[i].c = ' ';
    }
    return SAL_OK;
}

/* ---- bytes as characters ---- */

static sal_status normalise_bytes(const tok_step *s, tok_text *t, sal_error *err)
{
    tok_text out = {NULL, 0, 0};
    sal_status st = SAL_OK;

    (void)s;
    for (size_t i = 0; i < t->n; i++) {
        char bytes[4] = {(char)(t->v[i].c & 0xFF)};
        size_t n = t->v[i].c >= TOK_BYTE ? 1 : tok_utf8(t->v[i].c, bytes);

        for (size_t k = 0; k < n; k++)
            SAL_TRY(tok_text_add(&out, tok_byte_char((uint8_t)bytes[k]), t->v[i].begin, t->v[i].end,
                                 err));
    }
done:
    tok_text_free(t);
    *t = out;
    return st;
}

const tok_step_type tok_normalisers[] = {
    {"BertNormalizer", bert_read, normalise_bert, NULL, NULL},
    {"Lowercase", NULL, normalise_lowercase, NULL, NULL},
    {"NFC", NULL, normalise_nfc, NULL, NULL},
    {"NFD", NULL, normalise_nfd, NULL, NULL},
    {"NFKC", NULL, normalise_nfkc, NULL, NULL},
    {"NFKD", NULL, normalise_nfkd, NULL, NULL},
    {"StripAccents", NULL, normalise_strip_accents, NULL, NULL},
    {"Strip", strip_read, normalise_strip, NULL, NULL},
    {"Prepend", prepend_read, normalise_prepend, NULL, NULL},
    {"Replace", replace_read, normalise_replace, NULL, NULL},
    {"Precompiled", precompiled_read, normalise_precompiled, NULL, NULL},
    {"Nmt", NULL, normalise_nmt, NULL, NULL},
    {"ByteLevel", NULL, normalise_bytes, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
