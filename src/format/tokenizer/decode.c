/* From ids back to text, and the decoders that the field "decoder" of a tokenizer.json names. */
#include "format/tokenizer/tokenizer.h"

#include <string.h>

/* ---- steps: each changes the strings of the tokens ---- */

/* Replace every occurrence. */
static sal_status decode_replaced(sal_bytes *b, const char *what, const char *by, sal_error *err)
{
    sal_bytes out = {NULL, 0, 0};
    size_t n = strlen(what), i = 0;
    sal_status st = SAL_OK;

    while (n > 0 && i < b->len) {
        bool hit = b->len - i >= n && memcmp(b->data + i, what, n) == 0;

        if (hit)
            SAL_TRY(sal_bytes_add(&out, by, strlen(by), err));
        else
            SAL_TRY(sal_bytes_add(&out, b->data + i, 1, err));
        i += hit ? n : 1;
    }
done:
    sal_bytes_free(b);
    *b = out;
    return st;
}

static void decode_drop(sal_bytes *b, size_t n)
{
    n = SAL_MIN(n, b->len);
    memmove(b->data, b->data + n, b->len - n);
    b->len -= n;
}

static bool decode_begins(const sal_bytes *b, const char *text)
{
    size_t n = strlen(text);

    return b->len >= n && memcmp(b->data, text, n) == 0;
}

static sal_status decode_prefix(sal_bytes *b, const char *text, sal_error *err)
{
    sal_bytes out = {NULL, 0, 0};
    sal_status st = sal_bytes_add(&out, text, strlen(text), err);

    if (st == SAL_OK && b->len > 0)
        st = sal_bytes_add(&out, b->data, b->len, err);
    sal_bytes_free(b);
    *b = out;
    return st;
}

static sal_status wordpiece_read(tok_step *s, const json_t *json, sal_error *err)
{
    s->flags[0] = tok_flag(json, "cleanup", true);
    return tok_string(json, "prefix", &s->text, err);
}

/* What English writes without a space before it. */
static sal_status wordpiece_clean(sal_bytes *b, sal_error *err)
{
    static const char *const pairs[][2] = {
        {" .", "."},   {" ?", "?"},     {" !", "!"},     {" ,", ","},
        {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},   {" do not", " don't"},
        {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
    };
    sal_status st = SAL_OK;

    for (size_t i = 0; i < SAL_COUNTOF(pairs) && b->len > 0; i++)
        SAL_TRY(decode_replaced(b, pairs[i][0], pairs[i][1], err));
done:
    return st;
}

static sal_status decode_wordpiece(const tok_step *s, sal_bytes *tokens, size_t n, sal_error *err)
{
    sal_status st = SAL_OK;

    for (size_t i = 0; i < n; i++) {
        if (i > 0 && decode_begins(&tokens[i], s->text))
            decode_drop(&tokens[i], strlen(s->text));
        else if (i > 0)
            SAL_TRY(decode_prefix(&tokens[i], " ", err));
        if (s->flags[0])
            SAL_TRY(wordpiece_clean(&tokens[i], err));
    }
done:
    return st;
}

/* Characters of byte-level text back to bytes; a token that is none of such stays. */
static sal_status decode_bytes(const tok_step *s, sal_bytes *tokens, size_t n, sal_error *err)
{
    sal_status st = SAL_OK;

    (void)s;
    for (size_t i = 0; i < n; i++) {
        tok_text t = {NULL, 0, 0};
        bool all = true;

        st = tok_text_read(&t, tokens[i].data, tokens[i].len, err);
        for (size_t k = 0; st == SAL_OK && k < t.n; k++)
            all = all && tok_byte_of(t.v[k].c) >= 0;
        if (st == SAL_OK && all && t.n > 0) {
            tokens[i].len = 0;
            for (size_t k = 0; k < t.n && st == SAL_OK; k++) {
                char byte = (char)tok_byte_of(t.v[k].c);

                st = sal_bytes_add(&tokens[i], &byte, 1, err);
            }
        }
        tok_text_free(&t);
        SAL_TRY(st);
    }
done:
    return st;
}

static sal_status meta_read(tok_step *s, const json_t *json, sal_error *err)
{
    const char *scheme = json_string_value(json_object_get(json, "prepend_scheme"));

    s->flags[0] =
        scheme == NULL ? tok_flag(json, "add_prefix_space", true) : strcmp(scheme, "never") != 0;
    return tok_string(json, "replacement", &s->text, err);
}

static sal_status decode_meta(const tok_step *s, sal_bytes *tokens, size_t n, sal_error *err)
{
    sal_status st = SAL_OK;

    for (size_t i = 0; i < n; i++) {
        SAL_TRY(decode_replaced(&tokens[i], s->text, " ", err));
        if (i == 0 && s->flags[0] && decode_begins(&tokens[i], " "))
            decode_drop(&tokens[i], 1);
    }
done:
    return st;
}

static sal_status replace_read(tok_step *s, const json_t *json, sal_error *err)
{
    const char *what =
        json_string_value(json_object_get(json_object_get(json, "pattern"), "String"));
    char *content = NULL;
    sal_status st = tok_string(json, "content", &content, err);

    if (st == SAL_OK && what == NULL)
        st = sal_fail(err, SAL_EUNSUPPORTED, "a decoder that replaces a regular expression");
    if (st == SAL_OK) { /* "what\0by" */
        size_t n = strlen(what) + 1, m = strlen(content) + 1;

        s->blob = sal_calloc(n + m, 1);
        if (s->blob == NULL) {
            st = sal_fail_nomem(err);
        } else {
            memcpy(s->blob, what, n);
            memcpy(s->blob + n, content, m);
            s->blob_n = n;
        }
    }
    sal_free(content);
    return st;
}

static sal_status decode_replace(const tok_step *s, sal_bytes *tokens, size_t n, sal_error *err)
{
    sal_status st = SAL_OK;

    for (size_t i = 0; i < n; i++)
        SAL_TRY(decode_replaced(&tokens[i], (const char *)s->blob,
                                (const char *)s->blob + s->blob_n, err));
done:
    return st;
}

static int decode_hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "<0x41>" is the byte 0x41. */
static sal_status decode_fallback(const tok_step *s, sal_bytes *tokens, size_t n, sal_error *err)
{
    (void)s;
    for (size_t i = 0; i < n; i++) {
        const char *d = tokens[i].data;

        if (tokens[i].len != 6 || memcmp(d, "<0x", 3) != 0 || d[5] != '>' || decode_hex(d[3]) < 0 ||
            decode_hex(d[4]) < 0)
            continue;
        char byte = (char)(decode_hex(d[3]) << 4 | decode_hex(d[4]));

        tokens[i].len = 0;
        if (sal_bytes_add(&tokens[i], &byte, 1, err) != SAL_OK)
            return SAL_ENOMEM;
    }
    return SAL_OK;
}

/* All tokens become the first one. */
static sal_status decode_fuse(const tok_step *s, sal_bytes *tokens, size_t n, sal_error *err)
{
    sal_status st = SAL_OK;

    (void)s;
    for (size_t i = 1; i < n; i++) {
        if (tokens[i].len > 0)
            SAL_TRY(sal_bytes_add(&tokens[0], tokens[i].data, tokens[i].len, err));
        tokens[i].len = 0;
    }
done:
    return st;
}

static sal_status strip_read(tok_step *s, const json_t *json, sal_error *err)
{
    s->numbers[0] = json_integer_value(json_object_get(json, "start"));
    s->numbers[1] = json_integer_value(json_object_get(json, "stop"));
    return tok_string(json, "content", &s->text, err);
}

static sal_status decode_strip(const tok_step *s, sal_bytes *tokens, size_t n, sal_error *err)
{
    size_t len = strlen(s->text);

    (void)err;
    for (size_t i = 0; i < n && len > 0; i++) {
        for (int64_t k = 0; k < s->numbers[0] && decode_begins(&tokens[i], s->text); k++)
            decode_drop(&tokens[i], len);
        for (int64_t k = 0; k < s->numbers[1] && tokens[i].len >= len &&
                            memcmp(tokens[i].data + tokens[i].len - len, s->text, len) == 0;
             k++)
            tokens[i].len -= len;
    }
    return SAL_OK;
}

static sal_status suffix_read(tok_step *s, const json_t *json, sal_error *err)
{
    return tok_string(json, "suffix", &s->text, err);
}

/* The suffix of the last subword is the space behind the word. */
static sal_status decode_suffix(const tok_step *s, sal_bytes *tokens, size_t n, sal_error *err)
{
    sal_status st = SAL_OK;

    for (size_t i = 0; i < n; i++)
        SAL_TRY(decode_replaced(&tokens[i], s->text, i + 1 == n ? "" : " ", err));
done:
    return st;
}

const tok_step_type tok_decoders[] = {
    {"WordPiece", wordpiece_read, NULL, NULL, decode_wordpiece},
    {"ByteLevel", NULL, NULL, NULL, decode_bytes},
    {"Metaspace", meta_read, NULL, NULL, decode_meta},
    {"Replace", replace_read, NULL, NULL, decode_replace},
    {"ByteFallback", NULL, NULL, NULL, decode_fallback},
    {"Fuse", NULL, NULL, NULL, decode_fuse},
    {"Strip", strip_read, NULL, NULL, decode_strip},
    {"BPEDecoder", suffix_read, NULL, NULL, decode_suffix},
    {NULL, NULL, NULL, NULL, NULL},
};

/* ---- the whole ---- */

sal_status sal_tokenizer_decode(const sal_tokenizer *t, const int32_t *ids, size_t count,
                                bool skip_special, char **out, size_t *n, sal_error *err)
{
    sal_bytes *tokens = sal_calloc(count + 1, sizeof(*tokens)), text = {NULL, 0, 0};
    size_t used = 0;
    sal_status st = SAL_OK;

    *out = NULL;
    if (tokens == NULL)
        return sal_fail_nomem(err);
    for (size_t i = 0; i < count; i++) {
        const char *token = sal_tokenizer_token(t, ids[i]);

        if (token == NULL)
            SAL_TRY(sal_fail(err, SAL_EINVAL, "id %ld is not in the vocabulary", (long)ids[i]));
        if (!skip_special || !sal_tokenizer_special(t, ids[i]))
            SAL_TRY(sal_bytes_add(&tokens[used++], token, strlen(token), err));
    }
    for (size_t i = 0; i < t->n_decoders && used > 0; i++)
        SAL_TRY(t->decoders[i].type->decode(&t->decoders[i], tokens, used, err));
    SAL_TRY(sal_bytes_add(&text, "", 0, err));
    for (size_t i = 0; i < used; i++) {
        if (t->n_decoders == 0 && i > 0)
            SAL_TRY(sal_bytes_add(&text, " ", 1, err));
        if (tokens[i].len > 0)
            SAL_TRY(sal_bytes_add(&text, tokens[i].data, tokens[i].len, err));
    }
    if (text.data == NULL) {
        text.data = sal_strdup("");
        if (text.data == NULL)
            SAL_TRY(sal_fail_nomem(err));
    }
    *out = text.data;
    if (n != NULL)
        *n = text.len;
    text = (sal_bytes){NULL, 0, 0};
done:
    for (size_t i = 0; i < count; i++)
        sal_bytes_free(&tokens[i]);
    sal_free(tokens);
    sal_bytes_free(&text);
    return st;
}
