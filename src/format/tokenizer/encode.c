/* From text to ids: added tokens are cut out, what lies between is normalised, split and encoded,
 * and the template is put around. */
#include "format/tokenizer/tokenizer.h"

#include <string.h>

#define ENCODE_MAX ((size_t)1 << 30)

/* ---- words that were seen before ---- */

enum {
    ENCODE_SEEN = 4096,
    ENCODE_SEEN_CHARS = 48,
    ENCODE_SEEN_TEXT = 1 << 20,
    ENCODE_SEEN_FROM = 1024
};

/* A word, its first letter at `at` of seen_text, and what it was encoded as. */
typedef struct encode_seen {
    uint64_t hash; /* 0: free */
    size_t at, ids;
    uint32_t n, n_ids;
} encode_seen;

typedef struct encode_job {
    const sal_tokenizer *t;
    bool plain;
    tok_ids out;
    bool first[129]; /* characters with which an added token begins, below 128; [128]: any other */
    tok_work work;
    encode_seen *seen; /* NULL: the text is too short for it */
    tok_text seen_text;
    tok_ids seen_ids;
} encode_job;

/* Letters and where they lie in the caller's text, both from the word's begin. */
static bool encode_same(const tok_char *a, const tok_char *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (a[i].c != b[i].c || a[i].begin - a->begin != b[i].begin - b->begin ||
            a[i].end - a->begin != b[i].end - b->begin)
            return false;
    }
    return true;
}

static sal_status encode_remember(encode_job *j, encode_seen *s, uint64_t hash, const tok_char *v,
                                  size_t n, size_t first, sal_error *err)
{
    sal_status st = SAL_OK;

    if (j->seen_text.n > ENCODE_SEEN_TEXT) {
        memset(j->seen, 0, ENCODE_SEEN * sizeof(*j->seen));
        j->seen_text.n = j->seen_ids.n = 0;
    }
    *s = (encode_seen){0, j->seen_text.n, j->seen_ids.n, (uint32_t)n, (uint32_t)(j->out.n - first)};
    SAL_TRY(tok_text_append(&j->seen_text, v, n, err));
    for (size_t i = first; i < j->out.n; i++)
        SAL_TRY(tok_ids_add(&j->seen_ids, j->out.v[i].id, j->out.v[i].begin - v->begin,
                            j->out.v[i].end - v->begin, err));
    s->hash = hash;
done:
    return st;
}

static sal_status encode_word(encode_job *j, const tok_char *v, size_t n, sal_error *err)
{
    uint64_t hash = 0x9E3779B97F4A7C15ULL;
    size_t first = j->out.n;
    encode_seen *s;
    sal_status st = SAL_OK;

    if (j->seen == NULL || n > ENCODE_SEEN_CHARS)
        return j->t->model->encode(j->t, v, n, &j->work, &j->out, err);
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ v[i].c) * 0x9E3779B97F4A7C15ULL;
    hash |= 1;
    s = &j->seen[(hash >> 40) % ENCODE_SEEN];
    if (s->hash == hash && s->n == n && encode_same(j->seen_text.v + s->at, v, n)) {
        for (size_t i = 0; i < s->n_ids; i++) {
            const struct tok_id *k = &j->seen_ids.v[s->ids + i];

            SAL_TRY(tok_ids_add(&j->out, k->id, k->begin + v->begin, k->end + v->begin, err));
        }
        return SAL_OK;
    }
    SAL_TRY(j->t->model->encode(j->t, v, n, &j->work, &j->out, err));
    st = encode_remember(j, s, hash, v, n, first, err);
done:
    return st;
}

static sal_status encode_words(encode_job *j, const tok_char *v, size_t n, sal_error *err)
{
    tok_pieces a = {{NULL, 0, 0}, NULL, 0, 0}, b = {{NULL, 0, 0}, NULL, 0, 0};
    sal_status st = SAL_OK;

    SAL_TRY(tok_text_append(&a.text, v, n, err));
    SAL_TRY(tok_pieces_close(&a, 0, err));
    for (size_t i = 0; i < j->t->n_splitters; i++) {
        SAL_TRY(j->t->splitters[i].type->split(&j->t->splitters[i], &a, &b, err));
        tok_pieces_free(&a);
        a = b;
        b = (tok_pieces){{NULL, 0, 0}, NULL, 0, 0};
    }
    for (size_t i = 0; i < a.n; i++)
        SAL_TRY(encode_word(j, a.text.v + a.v[i].begin, a.v[i].end - a.v[i].begin, err));
done:
    tok_pieces_free(&a);
    tok_pieces_free(&b);
    return st;
}

/* ---- added tokens of a tokenizer.json ---- */

static bool encode_word_at(const tok_text *t, size_t i)
{
    return i < t->n && tok_is_word(t->v[i].c);
}

/* The longest added token at character i; NULL when there is none. */
static const tok_added *encode_added_at(const encode_job *j, const tok_text *text, size_t i,
                                        bool normalised)
{
    const tok_trie *trie = &j->t->tries[normalised ? 1 : 0];
    const tok_added *best = NULL;
    uint32_t node = 0;

    for (size_t k = i; k < text->n; k++) {
        const tok_added *a;

        node = tok_trie_next(trie, node, text->v[k].c);
        if (node == 0)
            break;
        if (trie->values[node] < 0)
            continue;
        a = &j->t->added[trie->values[node]];
        if ((a->special && j->plain) ||
            (a->single_word &&
             ((i > 0 && encode_word_at(text, i - 1)) || encode_word_at(text, k + 1))))
            continue;
        best = a;
    }
    return best;
}

/* Call `between` for what lies between the added tokens, and put these out. */
static sal_status encode_cut(encode_job *j, const tok_text *text, bool normalised,
                             sal_status (*between)(encode_job *j, const tok_char *v, size_t n,
                                                   sal_error *err),
                             sal_error *err)
{
    size_t from = 0, i = 0;
    sal_status st = SAL_OK;

    while (i < text->n) {
        uint32_t c = text->v[i].c;
        const tok_added *a =
            !j->first[c < 128 ? c : 128] ? NULL : encode_added_at(j, text, i, normalised);
        size_t begin = i, end;

        if (a == NULL) {
            i++;
            continue;
        }
        end = i + a->n;
        while (a->lstrip && begin > from && tok_is_space(text->v[begin - 1].c))
            begin--;
        while (a->rstrip && end < text->n && tok_is_space(text->v[end].c))
            end++;
        if (begin > from)
            SAL_TRY(between(j, text->v + from, begin - from, err));
        SAL_TRY(tok_ids_add(&j->out, a->id, text->v[begin].begin, text->v[end - 1].end, err));
        from = i = end;
    }
    if (from < text->n)
        st = between(j, text->v + from, text->n - from, err);
done:
    return st;
}

static sal_status encode_raw(encode_job *j, const tok_char *v, size_t n, sal_error *err)
{
    tok_text text = {NULL, 0, 0};
    sal_status st = SAL_OK;

    SAL_TRY(tok_text_append(&text, v, n, err));
    SAL_TRY(tok_normalise(j->t->normalisers, j->t->n_normalisers, &text, err));
    st = encode_cut(j, &text, true, encode_words, err);
done:
    tok_text_free(&text);
    return st;
}

/* ---- fragments of a GGUF vocabulary ---- */

/* Spaces as marks, for SentencePiece's BPE: with one before the text when a special token or
 * nothing stands there. */
static sal_status encode_marks(const sal_tokenizer *t, const tok_text *in, bool prefix,
                               tok_text *out, sal_error *err)
{
    sal_status st = SAL_OK;

    SAL_TRY(sal_grow(&out->v, in->n + 1, &out->cap, sizeof(*out->v), err));
    if (prefix && t->space_prefix)
        out->v[out->n++] = (tok_char){TOK_MARK, in->v->begin, in->v->begin};
    for (size_t i = 0; i < in->n; i++) {
        out->v[out->n] = in->v[i];
        if (in->v[i].c == ' ')
            out->v[out->n].c = TOK_MARK;
        out->n++;
    }
done:
    return st;
}

/* The same for Unigram: the space that a text begins with stands before its first word, or before
 * each when runs of spaces are one. */
static sal_status encode_unigram_marks(const sal_tokenizer *t, const tok_text *in, tok_text *out,
                                       sal_error *err)
{
    bool inside = false, begun = !t->space_prefix;
    sal_status st = SAL_OK;

    SAL_TRY(sal_grow(&out->v, 2 * in->n + 1, &out->cap, sizeof(*out->v), err));
    for (size_t i = 0; i < in->n; i++) {
        const tok_char *k = &in->v[i];

        if (k->c == ' ') {
            inside = false;
            if (!t->merge_spaces)
                out->v[out->n++] = (tok_char){TOK_MARK, k->begin, k->end};
            continue;
        }
        if (!inside && (!begun || t->merge_spaces)) {
            out->v[out->n++] = (tok_char){TOK_MARK, k->begin, k->begin};
            begun = true;
        }
        inside = true;
        out->v[out->n++] = *k;
    }
done:
    return st;
}

static sal_status encode_fragment(encode_job *j, const tok_char *v, size_t n, bool prefix,
                                  sal_error *err)
{
    const sal_tokenizer *t = j->t;
    tok_text text = {NULL, 0, 0}, marked = {NULL, 0, 0};
    sal_status st = SAL_OK;

    if (t->byte_level)
        return encode_words(j, v, n, err);
    SAL_TRY(tok_text_append(&text, v, n, err));
    SAL_TRY(tok_normalise(t->normalisers, t->n_normalisers, &text, err));
    if (t->model == &tok_spm && text.n > 0)
        SAL_TRY(encode_marks(t, &text, prefix, &marked, err));
    if (t->model == &tok_unigram)
        SAL_TRY(encode_unigram_marks(t, &text, &marked, err));
    if (t->model == &tok_wordpiece) {
        marked = text;
        text = (tok_text){NULL, 0, 0};
    }
    if (marked.n > 0)
        st = encode_words(j, marked.v, marked.n, err);
done:
    tok_text_free(&text);
    tok_text_free(&marked);
    return st;
}

static sal_status encode_fragments(encode_job *j, const tok_text *text, sal_error *err)
{
    tok_fragment *list = NULL;
    size_t n = 0;
    bool prefix = true;
    sal_status st = tok_fragments(j->t, text, j->plain, &list, &n, err);

    for (size_t i = 0; i < n && st == SAL_OK; i++) {
        const tok_fragment *f = &list[i];

        st = f->added < 0 ? encode_fragment(j, text->v + f->begin, f->end - f->begin, prefix, err)
                          : tok_ids_add(&j->out, j->t->added[f->added].id, text->v[f->begin].begin,
                                        text->v[f->end - 1].end, err);
        prefix = f->added >= 0;
    }
    sal_free(list);
    return st;
}

/* ---- the template ---- */

static sal_status encode_template(const sal_tokenizer *t, const tok_ids *ids, bool special,
                                  sal_tokens *out, sal_error *err)
{
    size_t n = 0, at = 0;

    for (size_t i = 0; i < t->n_places; i++)
        n += t->places[i].id < 0 ? ids->n : special ? 1 : 0;
    out->ids = sal_calloc(n + 1, sizeof(*out->ids));
    out->types = sal_calloc(n + 1, sizeof(*out->types));
    out->begin = sal_calloc(n + 1, sizeof(*out->begin));
    out->end = sal_calloc(n + 1, sizeof(*out->end));
    out->added = sal_calloc(n + 1, sizeof(*out->added));
    if (out->ids == NULL || out->types == NULL || out->begin == NULL || out->end == NULL ||
        out->added == NULL)
        return sal_fail_nomem(err);
    for (size_t i = 0; i < t->n_places; i++) {
        const tok_place *p = &t->places[i];

        for (size_t k = 0; p->id < 0 && k < ids->n; k++, at++) {
            out->ids[at] = ids->v[k].id;
            out->begin[at] = ids->v[k].begin;
            out->end[at] = ids->v[k].end;
            out->types[at] = p->type;
        }
        if (p->id >= 0 && special) {
            out->ids[at] = p->id;
            out->types[at] = p->type;
            out->begin[at] = out->end[at] = at == 0 ? 0 : out->end[at - 1];
            out->added[at++] = true;
        }
    }
    out->n = at;
    return SAL_OK;
}

sal_status sal_tokenizer_encode_as(const sal_tokenizer *t, const char *text, size_t n,
                                   const sal_encode_opts *opts, sal_tokens *out, sal_error *err)
{
    encode_job j = {.t = t, .plain = opts != NULL && opts->plain};
    tok_text points = {NULL, 0, 0};
    sal_status st = SAL_OK;

    *out = (sal_tokens)SAL_TOKENS_INIT;
    if (n > ENCODE_MAX)
        return sal_fail(err, SAL_EINVAL, "a text of more than 1 GiB cannot be encoded at once");
    for (size_t i = 0; i < t->n_added; i++) {
        if (t->added[i].n > 0)
            j.first[t->added[i].code[0] < 128 ? t->added[i].code[0] : 128] = true;
    }
    if (n >= ENCODE_SEEN_FROM) {
        j.seen = sal_calloc(ENCODE_SEEN, sizeof(*j.seen));
        if (j.seen == NULL)
            SAL_TRY(sal_fail_nomem(err));
    }
    SAL_TRY(tok_text_read(&points, text, n, err));
    if (t->types != NULL)
        SAL_TRY(encode_fragments(&j, &points, err));
    else
        SAL_TRY(encode_cut(&j, &points, false, encode_raw, err));
    st = encode_template(t, &j.out, opts == NULL || opts->special, out, err);
done:
    tok_text_free(&points);
    sal_free(j.out.v);
    sal_free(j.seen);
    sal_free(j.seen_ids.v);
    tok_text_free(&j.seen_text);
    tok_work_free(&j.work);
    if (st != SAL_OK)
        sal_tokens_free(out);
    return st;
}

sal_status sal_tokenizer_encode(const sal_tokenizer *t, const char *text, size_t n, bool special,
                                sal_tokens *out, sal_error *err)
{
    sal_encode_opts opts = SAL_ENCODE_OPTS_INIT;

    opts.special = special;
    return sal_tokenizer_encode_as(t, text, n, &opts, out, err);
}

void sal_tokens_free(sal_tokens *t)
{
    if (t == NULL)
        return;
    sal_free(t->ids);
    sal_free(t->types);
    sal_free(t->begin);
    sal_free(t->end);
    sal_free(t->added);
    *t = (sal_tokens)SAL_TOKENS_INIT;
}
