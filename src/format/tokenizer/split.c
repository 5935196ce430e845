/* Pre-tokenisers, as the field "pre_tokenizer" of a tokenizer.json names them. */
#include "format/tokenizer/tokenizer.h"

#include <string.h>

/* ---- splitting by matches ---- */

typedef struct split_out {
    const tok_char *v;
    tok_pieces *out;
    tok_behaviour how;
    size_t open; /* where the piece being built began in the output; SIZE_MAX: none is open */
    bool open_match;
} split_out;

static sal_status split_end(split_out *s, sal_error *err)
{
    sal_status st = s->open == SIZE_MAX ? SAL_OK : tok_pieces_close(s->out, s->open, err);

    s->open = SIZE_MAX;
    return st;
}

/* The next stretch of the piece, a match or what lies between. */
static sal_status split_put(split_out *s, size_t begin, size_t end, bool match, sal_error *err)
{
    bool join = false;
    sal_status st = SAL_OK;

    if (begin == end)
        return SAL_OK;
    if (match && s->how == TOK_REMOVED)
        return split_end(s, err);
    switch (s->how) {
    case TOK_WITH_PREVIOUS:
        join = match && s->open != SIZE_MAX && !s->open_match;
        break;
    case TOK_WITH_NEXT:
        join = !match && s->open != SIZE_MAX && s->open_match;
        break;
    case TOK_CONTIGUOUS:
        join = s->open != SIZE_MAX && s->open_match == match;
        break;
    case TOK_REMOVED:
    case TOK_ISOLATED:
        break;
    }
    if (!join) {
        SAL_TRY(split_end(s, err));
        s->open = s->out->text.n;
    }
    s->open_match = match;
    st = tok_text_append(&s->out->text, s->v + begin, end - begin, err);
done:
    return st;
}

/* Cut every piece where `is` changes: each character that is one is a match of its own. */
static sal_status split_by(const tok_pieces *in, tok_pieces *out, bool (*is)(uint32_t c),
                           tok_behaviour how, sal_error *err)
{
    sal_status st = SAL_OK;

    for (size_t i = 0; i < in->n; i++) {
        split_out s = {in->text.v, out, how, SIZE_MAX, false};
        size_t from = in->v[i].begin;

        for (size_t k = in->v[i].begin; k < in->v[i].end; k++) {
            if (!is(in->text.v[k].c))
                continue;
            SAL_TRY(split_put(&s, from, k, false, err));
            SAL_TRY(split_put(&s, k, k + 1, true, err));
            from = k + 1;
        }
        SAL_TRY(split_put(&s, from, in->v[i].end, false, err));
        SAL_TRY(split_end(&s, err));
    }
done:
    return st;
}

static sal_status split_pattern(const tok_pattern *p, tok_behaviour how, bool invert,
                                const tok_pieces *in, tok_pieces *out, sal_error *err)
{
    tok_matcher m = {.p = NULL};
    sal_status st = SAL_OK;

    SAL_TRY(tok_matcher_new(&m, p, in->text.v, in->text.n, err));
    for (size_t i = 0; i < in->n; i++) {
        const tok_char *v = in->text.v + in->v[i].begin;
        size_t n = in->v[i].end - in->v[i].begin, from = 0;
        split_out s = {v, out, how, SIZE_MAX, false};
        bool found = true;

        tok_matcher_part(&m, in->v[i]);
        while (found) {
            tok_range r = {n, n};

            SAL_TRY(tok_matcher_next(&m, from, &found, &r, err));
            SAL_TRY(split_put(&s, from, found ? r.begin : n, invert, err));
            if (found)
                SAL_TRY(split_put(&s, r.begin, r.end, !invert, err));
            from = r.end;
        }
        SAL_TRY(split_end(&s, err));
    }
done:
    tok_matcher_free(&m);
    return st;
}

static sal_status behaviour_read(tok_step *s, const json_t *json, tok_behaviour fallback,
                                 sal_error *err)
{
    static const char *const names[] = {"Removed", "Isolated", "MergedWithPrevious",
                                        "MergedWithNext", "Contiguous"};
    const char *name = json_string_value(json_object_get(json, "behavior"));

    s->behaviour = fallback;
    for (size_t i = 0; name != NULL && i < SAL_COUNTOF(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            s->behaviour = (tok_behaviour)i;
            return SAL_OK;
        }
    }
    if (name != NULL)
        return sal_fail(err, SAL_EUNSUPPORTED, "the behaviour %s of a pre-tokeniser is not known",
                        name);
    return SAL_OK;
}

/* ---- Split, Punctuation, Digits, white space ---- */

static sal_status split_read(tok_step *s, const json_t *json, sal_error *err)
{
    sal_status st = behaviour_read(s, json, TOK_REMOVED, err);

    s->flags[0] = tok_flag(json, "invert", false);
    return st == SAL_OK ? tok_pattern_read(&s->pattern, json_object_get(json, "pattern"), err) : st;
}

static sal_status split_split(const tok_step *s, const tok_pieces *in, tok_pieces *out,
                              sal_error *err)
{
    return split_pattern(&s->pattern, s->behaviour, s->flags[0], in, out, err);
}

static sal_status punctuation_read(tok_step *s, const json_t *json, sal_error *err)
{
    return behaviour_read(s, json, TOK_ISOLATED, err);
}

static sal_status punctuation_split(const tok_step *s, const tok_pieces *in, tok_pieces *out,
                                    sal_error *err)
{
    return split_by(in, out, tok_is_punctuation, s->behaviour, err);
}

static sal_status digits_read(tok_step *s, const json_t *json, sal_error *err)
{
    (void)err;
    s->behaviour = tok_flag(json, "individual_digits", false) ? TOK_ISOLATED : TOK_CONTIGUOUS;
    return SAL_OK;
}

static sal_status digits_split(const tok_step *s, const tok_pieces *in, tok_pieces *out,
                               sal_error *err)
{
    return split_by(in, out, tok_is_numeric, s->behaviour, err);
}

static sal_status space_split(const tok_step *s, const tok_pieces *in, tok_pieces *out,
                              sal_error *err)
{
    (void)s;
    return split_by(in, out, tok_is_space, TOK_REMOVED, err);
}

static sal_status delimiter_read(tok_step *s, const json_t *json, sal_error *err)
{
    return tok_pattern_read(&s->pattern, json_object_get(json, "delimiter"), err);
}

static sal_status delimiter_split(const tok_step *s, const tok_pieces *in, tok_pieces *out,
                                  sal_error *err)
{
    return split_pattern(&s->pattern, TOK_REMOVED, false, in, out, err);
}

/* Words, and runs of what is neither word nor space. */
static sal_status words_split(const tok_step *s, const tok_pieces *in, tok_pieces *out,
                              sal_error *err)
{
    sal_status st = SAL_OK;

    (void)s;
    for (size_t i = 0; i < in->n; i++) {
        for (size_t k = in->v[i].begin, end; k < in->v[i].end; k = end) {
            const tok_char *v = in->text.v;
            size_t open = out->text.n;
            bool word = tok_is_word(v[k].c);

            end = k + 1;
            if (tok_is_space(v[k].c))
                continue;
            while (end < in->v[i].end && !tok_is_space(v[end].c) && tok_is_word(v[end].c) == word)
                end++;
            SAL_TRY(tok_text_append(&out->text, v + k, end - k, err));
            SAL_TRY(tok_pieces_close(out, open, err));
        }
    }
done:
    return st;
}

static sal_status bert_split(const tok_step *s, const tok_pieces *in, tok_pieces *out,
                             sal_error *err)
{
    tok_pieces words = {{NULL, 0, 0}, NULL, 0, 0};
    sal_status st = space_split(s, in, &words, err);

    if (st == SAL_OK)
        st = split_by(&words, out, tok_is_punctuation, TOK_ISOLATED, err);
    tok_pieces_free(&words);
    return st;
}

/* ---- ByteLevel: GPT-2's words, then bytes as characters ---- */

enum { BYTES_PREFIX, BYTES_REGEX };

static sal_status bytes_read(tok_step *s, const json_t *json, sal_error *err)
{
    s->flags[BYTES_PREFIX] = tok_flag(json, "add_prefix_space", true);
    s->flags[BYTES_REGEX] = tok_flag(json, "use_regex", true);
    return tok_pattern_compile(
        &s->pattern,
        "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", err);
}

static sal_status bytes_prefix(const tok_pieces *in, tok_pieces *out, sal_error *err)
{
    sal_status st = SAL_OK;

    for (size_t i = 0; i < in->n; i++) {
        const tok_char *v = in->text.v + in->v[i].begin;
        size_t open = out->text.n;

        if (v->c != ' ')
            SAL_TRY(tok_text_add(&out->text, ' ', v->begin, v->begin, err));
        SAL_TRY(tok_text_append(&out->text, v, in->v[i].end - in->v[i].begin, err));
        SAL_TRY(tok_pieces_close(out, open, err));
    }
done:
    return st;
}

static sal_status bytes_map(const tok_pieces *in, tok_pieces *out, sal_error *err)
{
    sal_status st = SAL_OK;

    for (size_t i = 0; i < in->n; i++) {
        size_t open = out->text.n;

        SAL_TRY(sal_grow(&out->text.v, open + 4 * (in->v[i].end - in->v[i].begin), &out->text.cap,
                         sizeof(*out->text.v), err));
        for (size_t k = in->v[i].begin; k < in->v[i].end; k++) {
            const tok_char *c = &in->text.v[k];
            char bytes[4] = {(char)(c->c & 0xFF)};
            size_t n = c->c < 0x80 || c->c >= TOK_BYTE ? 1 : tok_utf8(c->c, bytes);

            for (size_t b = 0; b < n; b++)
                out->text.v[out->text.n++] =
                    (tok_char){tok_byte_char((uint8_t)bytes[b]), c->begin, c->end};
        }
        SAL_TRY(tok_pieces_close(out, open, err));
    }
done:
    return st;
}

static sal_status bytes_split(const tok_step *s, const tok_pieces *in, tok_pieces *out,
                              sal_error *err)
{
    tok_pieces prefixed = {{NULL, 0, 0}, NULL, 0, 0}, words = {{NULL, 0, 0}, NULL, 0, 0};
    const tok_pieces *from = in;
    sal_status st = SAL_OK;

    if (s->flags[BYTES_PREFIX]) {
        SAL_TRY(bytes_prefix(from, &prefixed, err));
        from = &prefixed;
    }
    if (s->flags[BYTES_REGEX]) {
        SAL_TRY(split_pattern(&s->pattern, TOK_ISOLATED, false, from, &words, err));
        from = &words;
    }
    st = bytes_map(from, out, err);
done:
    tok_pieces_free(&prefixed);
    tok_pieces_free(&words);
    return st;
}

/* ---- Metaspace ---- */

enum { META_ALWAYS, META_FIRST, META_NEVER };
enum { META_SPLIT };

static sal_status meta_read(tok_step *s, const json_t *json, sal_error *err)
{
    const char *scheme = json_string_value(json_object_get(json, "prepend_scheme"));
    const char *mark = json_string_value(json_object_get(json, "replacement"));

    s->numbers[0] = tok_flag(json, "add_prefix_space", true) ? META_ALWAYS : META_NEVER;
    if (scheme != NULL)
        s->numbers[0] = strcmp(scheme, "first") == 0   ? META_FIRST
                        : strcmp(scheme, "never") == 0 ? META_NEVER
                                                       : META_ALWAYS;
    s->flags[META_SPLIT] = tok_flag(json, "split", true);
    if (mark == NULL || mark[0] == '\0')
        return sal_fail(err, SAL_EFORMAT, "Metaspace has no replacement");
    return tok_pattern_read(&s->pattern, json_object_get(json, "replacement"), err);
}

static sal_status meta_split(const tok_step *s, const tok_pieces *in, tok_pieces *out,
                             sal_error *err)
{
    uint32_t mark = s->pattern.literal[0];
    sal_status st = SAL_OK;

    for (size_t i = 0; i < in->n; i++) {
        const tok_char *v = in->text.v + in->v[i].begin;
        size_t n = in->v[i].end - in->v[i].begin, open = out->text.n;
        uint32_t first = v->c == ' ' ? mark : v->c;

        if (first != mark &&
            (s->numbers[0] == META_ALWAYS || (s->numbers[0] == META_FIRST && v->begin == 0)))
            SAL_TRY(tok_text_add(&out->text, mark, v->begin, v->begin, err));
        for (size_t k = 0; k < n; k++) {
            uint32_t c = v[k].c == ' ' ? mark : v[k].c;

            if (s->flags[META_SPLIT] && c == mark && k > 0) {
                SAL_TRY(tok_pieces_close(out, open, err));
                open = out->text.n;
            }
            SAL_TRY(tok_text_add(&out->text, c, v[k].begin, v[k].end, err));
        }
        SAL_TRY(tok_pieces_close(out, open, err));
    }
done:
    return st;
}

const tok_step_type tok_splitters[] = {
    {"BertPreTokenizer", NULL, NULL, bert_split, NULL},
    {"ByteLevel", bytes_read, NULL, bytes_split, NULL},
    {"Whitespace", NULL, NULL, words_split, NULL},
    {"WhitespaceSplit", NULL, NULL, space_split, NULL},
    {"Metaspace", meta_read, NULL, meta_split, NULL},
    {"Split", split_read, NULL, split_split, NULL},
    {"Punctuation", punctuation_read, NULL, punctuation_split, NULL},
    {"Digits", digits_read, NULL, digits_split, NULL},
    {"CharDelimiterSplit", delimiter_read, NULL, delimiter_split, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
