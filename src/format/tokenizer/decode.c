/* From ids back to text, and the decoders that the field "decoder" of a tokenizer.json names. */
#include "format/tokenizer/tokenizer.h"

#include <string.h>

/* ---- steps: each changes the string of a token; what it needs to know of the others is in the
 * flow
 * ---- */

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
    if (n > 0)
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

static sal_status decode_wordpiece(const tok_step *s, tok_flow *f, sal_bytes *token, sal_error *err)
{
    sal_status st = SAL_OK;

    if (f->end)
        return SAL_OK;
    if (f->index > 0 && decode_begins(token, s->text))
        decode_drop(token, strlen(s->text));
    else if (f->index > 0)
        SAL_TRY(decode_prefix(token, " ", err));
    if (s->flags[0])
        st = wordpiece_clean(token, err);
done:
    return st;
}

/* Characters of byte-level text back to bytes; a token that is none of such stays. */
static sal_status decode_bytes(const tok_step *s, tok_flow *f, sal_bytes *token, sal_error *err)
{
    (void)s;
    (void)f;
    return tok_bytes_back(token, err);
}

sal_status tok_bytes_back(sal_bytes *token, sal_error *err)
{
    tok_text t = {NULL, 0, 0};
    sal_status st = tok_text_read(&t, token->data, token->len, err);
    bool all = t.n > 0;

    for (size_t k = 0; st == SAL_OK && k < t.n; k++)
        all = all && tok_byte_of(t.v[k].c) >= 0;
    if (st == SAL_OK && all) {
        token->len = 0;
        for (size_t k = 0; k < t.n && st == SAL_OK; k++) {
            char byte = (char)tok_byte_of(t.v[k].c);

            st = sal_bytes_add(token, &byte, 1, err);
        }
    }
    tok_text_free(&t);
    return st;
}

static sal_status meta_read(tok_step *s, const json_t *json, sal_error *err)
{
    const char *scheme = json_string_value(json_object_get(json, "prepend_scheme"));

    s->flags[0] =
        scheme == NULL ? tok_flag(json, "add_prefix_space", true) : strcmp(scheme, "never") != 0;
    return tok_string(json, "replacement", &s->text, err);
}

static sal_status decode_meta(const tok_step *s, tok_flow *f, sal_bytes *token, sal_error *err)
{
    sal_status st = decode_replaced(token, s->text, " ", err);

    if (st == SAL_OK && f->index == 0 && s->flags[0] && decode_begins(token, " "))
        decode_drop(token, 1);
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

static sal_status decode_replace(const tok_step *s, tok_flow *f, sal_bytes *token, sal_error *err)
{
    (void)f;
    return decode_replaced(token, (const char *)s->blob, (const char *)s->blob + s->blob_n, err);
}

static int decode_hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int tok_byte_named(const char *d, size_t n)
{
    if (n != 6 || memcmp(d, "<0x", 3) != 0 || d[5] != '>' || decode_hex(d[3]) < 0 ||
        decode_hex(d[4]) < 0)
        return -1;
    return decode_hex(d[3]) << 4 | decode_hex(d[4]);
}

static sal_status decode_fallback(const tok_step *s, tok_flow *f, sal_bytes *token, sal_error *err)
{
    int named = token->len == 6 ? tok_byte_named(token->data, token->len) : -1;
    char byte = (char)named;

    (void)s;
    (void)f;
    if (named < 0)
        return SAL_OK;
    token->len = 0;
    return sal_bytes_add(token, &byte, 1, err);
}

/* All tokens become one: for the steps behind this, only the text's ends are ends. */
static sal_status decode_fuse(const tok_step *s, tok_flow *f, sal_bytes *token, sal_error *err)
{
    (void)s;
    (void)token;
    (void)err;
    f->fused = true;
    return SAL_OK;
}

static sal_status strip_read(tok_step *s, const json_t *json, sal_error *err)
{
    s->numbers[0] = json_integer_value(json_object_get(json, "start"));
    s->numbers[1] = json_integer_value(json_object_get(json, "stop"));
    return tok_string(json, "content", &s->text, err);
}

static bool decode_ends(const sal_bytes *b, const char *text, size_t n)
{
    return b->len >= n && memcmp(b->data + b->len - n, text, n) == 0;
}

/* Of the fused text: what would be dropped at its end is held back until more comes. */
static sal_status strip_fused(const tok_step *s, tok_flow_step *f, bool end, sal_bytes *token,
                              sal_error *err)
{
    size_t len = strlen(s->text);
    sal_status st = SAL_OK;

    while (!f->begun && f->dropped < s->numbers[0] && decode_begins(token, s->text)) {
        decode_drop(token, len);
        f->dropped++;
    }
    f->begun = f->begun || token->len > 0 || f->dropped >= s->numbers[0];
    if (s->numbers[1] <= 0)
        return SAL_OK;
    for (; f->held > 0 && token->len > 0 && !decode_ends(token, s->text, token->len); f->held--)
        SAL_TRY(decode_prefix(token, s->text, err));
    for (; decode_ends(token, s->text, len); f->held++)
        token->len -= len;
    for (; end && f->held > s->numbers[1]; f->held--)
        SAL_TRY(decode_prefix(token, s->text, err));
done:
    return st;
}

static sal_status decode_strip(const tok_step *s, tok_flow *f, sal_bytes *token, sal_error *err)
{
    size_t len = strlen(s->text);

    if (len == 0)
        return SAL_OK;
    if (f->fused)
        return strip_fused(s, f->step, f->end, token, err);
    for (int64_t k = 0; k < s->numbers[0] && decode_begins(token, s->text); k++)
        decode_drop(token, len);
    for (int64_t k = 0; k < s->numbers[1] && decode_ends(token, s->text, len); k++)
        token->len -= len;
    return SAL_OK;
}

static sal_status suffix_read(tok_step *s, const json_t *json, sal_error *err)
{
    return tok_string(json, "suffix", &s->text, err);
}

/* The suffix of the last subword is the space behind the word; there is none at the end. */
static sal_status decode_suffix(const tok_step *s, tok_flow *f, sal_bytes *token, sal_error *err)
{
    bool space = f->step->held > 0 && !f->end;
    sal_status st = decode_replaced(token, s->text, " ", err);

    f->step->held = 0;
    if (st == SAL_OK && s->text[0] != '\0' && decode_ends(token, " ", 1)) {
        token->len--;
        f->step->held = 1;
    }
    if (st == SAL_OK && space)
        st = decode_prefix(token, " ", err);
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

/* ---- the flow of tokens ---- */

static sal_status flow_steps(const sal_tokenizer *t, tok_flow *f, sal_bytes *token, sal_error *err)
{
    sal_status st = SAL_OK;

    f->fused = false;
    for (size_t i = 0; i < t->n_decoders && st == SAL_OK; i++) {
        f->step = &f->steps[i];
        st = t->decoders[i].type->decode(&t->decoders[i], f, token, err);
    }
    return st;
}

/* What a token of a GGUF vocabulary says. */
static sal_status flow_piece(const sal_tokenizer *t, tok_flow *f, int32_t id, sal_bytes *piece,
                             sal_error *err)
{
    const char *token = t->tokens[id];
    int named = t->types[id] == TOK_TYPE_BYTE ? tok_byte_named(token, strlen(token)) : -1;
    char byte = (char)named;
    sal_status st = named >= 0 ? sal_bytes_add(piece, &byte, 1, err)
                               : sal_bytes_add(piece, token, strlen(token), err);

    if (st == SAL_OK && named < 0 && t->types[id] == TOK_TYPE_NORMAL)
        st = t->byte_level ? tok_bytes_back(piece, err)
                           : decode_replaced(piece, TOK_MARK_UTF8, " ", err);
    if (st == SAL_OK && f->index == 0 && t->space_prefix && decode_begins(piece, " "))
        decode_drop(piece, 1);
    return st;
}

sal_status tok_flow_add(const sal_tokenizer *t, tok_flow *f, int32_t id, bool skip_special,
                        sal_bytes *out, sal_error *err)
{
    sal_bytes piece = {NULL, 0, 0};
    const char *token = sal_tokenizer_token(t, id);
    sal_status st = SAL_OK;

    if (token == NULL)
        return sal_fail(err, SAL_EINVAL, "id %ld is not in the vocabulary", (long)id);
    if (skip_special && sal_tokenizer_special(t, id))
        return SAL_OK;
    if (t->types != NULL) {
        SAL_TRY(flow_piece(t, f, id, &piece, err));
    } else {
        SAL_TRY(sal_bytes_add(&piece, token, strlen(token), err));
        SAL_TRY(flow_steps(t, f, &piece, err));
        if (t->n_decoders == 0 && f->index > 0)
            SAL_TRY(sal_bytes_add(out, " ", 1, err));
    }
    f->index++;
    if (piece.len > 0)
        st = sal_bytes_add(out, piece.data, piece.len, err);
done:
    sal_bytes_free(&piece);
    return st;
}

sal_status tok_flow_end(const sal_tokenizer *t, tok_flow *f, sal_bytes *out, sal_error *err)
{
    sal_bytes piece = {NULL, 0, 0};
    sal_status st = sal_bytes_add(&piece, "", 0, err);

    f->end = true;
    if (st == SAL_OK && t->types == NULL && f->index > 0)
        st = flow_steps(t, f, &piece, err);
    if (st == SAL_OK && piece.len > 0)
        st = sal_bytes_add(out, piece.data, piece.len, err);
    sal_bytes_free(&piece);
    return st;
}

sal_status sal_tokenizer_decode(const sal_tokenizer *t, const int32_t *ids, size_t count,
                                bool skip_special, char **out, size_t *n, sal_error *err)
{
    sal_bytes text = {NULL, 0, 0};
    tok_flow f = {.index = 0};
    sal_status st = sal_bytes_add(&text, "", 0, err);

    *out = NULL;
    for (size_t i = 0; i < count && st == SAL_OK; i++)
        st = tok_flow_add(t, &f, ids[i], skip_special, &text, err);
    if (st == SAL_OK)
        st = tok_flow_end(t, &f, &text, err);
    if (st == SAL_OK) {
        *out = text.data;
        if (n != NULL)
            *n = text.len;
    } else {
        sal_bytes_free(&text);
    }
    return st;
}

/* ---- streams ---- */

struct sal_token_stream {
    const sal_tokenizer *t;
    bool skip_special;
    tok_flow flow;
    sal_bytes text;
    size_t given; /* bytes of the text that the caller has */
};

sal_status sal_token_stream_new(sal_token_stream **out, const sal_tokenizer *t, bool skip_special,
                                sal_error *err)
{
    *out = sal_calloc(1, sizeof(**out));
    if (*out == NULL)
        return sal_fail_nomem(err);
    (*out)->t = t;
    (*out)->skip_special = skip_special;
    return SAL_OK;
}

void sal_token_stream_free(sal_token_stream *s)
{
    if (s == NULL)
        return;
    sal_bytes_free(&s->text);
    sal_free(s);
}

/* Bytes at the end that begin a character and do not end it. */
static size_t stream_open(const char *text, size_t n)
{
    for (size_t k = 1; k <= 3 && k <= n; k++) {
        uint8_t c = (uint8_t)text[n - k];
        size_t need = c >= 0xF0 && c <= 0xF4  ? 4
                      : c >= 0xE0 && c < 0xF0 ? 3
                      : c >= 0xC2 && c < 0xE0 ? 2
                                              : 0;

        if ((c & 0xC0) != 0x80)
            return need > k ? k : 0;
    }
    return 0;
}

static void stream_take(sal_token_stream *s)
{
    decode_drop(&s->text, s->given);
    s->given = 0;
}

sal_status sal_token_stream_add(sal_token_stream *s, int32_t id, const char **text, size_t *n,
                                sal_error *err)
{
    sal_status st;

    stream_take(s);
    *text = "";
    *n = 0;
    st = tok_flow_add(s->t, &s->flow, id, s->skip_special, &s->text, err);
    if (st != SAL_OK || s->text.len == 0)
        return st;
    s->given = *n = s->text.len - stream_open(s->text.data, s->text.len);
    *text = s->text.data;
    return SAL_OK;
}

sal_status sal_token_stream_end(sal_token_stream *s, const char **text, size_t *n, sal_error *err)
{
    sal_status st;

    stream_take(s);
    *text = "";
    *n = 0;
    st = tok_flow_end(s->t, &s->flow, &s->text, err);
    if (st == SAL_OK && s->text.len > 0) {
        s->given = *n = s->text.len;
        *text = s->text.data;
    }
    s->flow = (tok_flow){.index = 0};
    return st;
}
