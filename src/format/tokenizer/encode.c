/* From text to ids: added tokens are cut out, what lies between is normalised, split and encoded,
 * and the template is put around. */
#include "format/tokenizer/tokenizer.h"

#include <string.h>

#define ENCODE_MAX ((size_t)1 << 30)

/* ---- added tokens ---- */

static bool encode_word_at(const tok_text *t, size_t i)
{
    return i < t->n && tok_is_word(t->v[i].c);
}

/* The longest added token at character i; NULL when there is none. */
static const tok_added *encode_added_at(const sal_tokenizer *t, const tok_text *text, size_t i,
                                        bool normalised)
{
    for (size_t k = 0; k < t->n_added; k++) {
        const tok_added *a = &t->added[k];
        bool same = a->normalised == normalised && a->n > 0 && i + a->n <= text->n &&
                    a->code[0] == text->v[i].c;

        for (size_t c = 1; same && c < a->n; c++)
            same = a->code[c] == text->v[i + c].c;
        if (same && a->single_word &&
            ((i > 0 && encode_word_at(text, i - 1)) || encode_word_at(text, i + a->n)))
            same = false;
        if (same)
            return a;
    }
    return NULL;
}

typedef struct encode_job {
    const sal_tokenizer *t;
    tok_ids out;
    bool *first; /* characters with which an added token begins, below 128; [128]: any other */
} encode_job;

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
            !j->first[c < 128 ? c : 128] ? NULL : encode_added_at(j->t, text, i, normalised);
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

/* ---- between added tokens ---- */

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
        SAL_TRY(j->t->model->encode(j->t, a.text.v + a.v[i].begin, a.v[i].end - a.v[i].begin,
                                    &j->out, err));
done:
    tok_pieces_free(&a);
    tok_pieces_free(&b);
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

sal_status sal_tokenizer_encode(const sal_tokenizer *t, const char *text, size_t n, bool special,
                                sal_tokens *out, sal_error *err)
{
    bool first[129] = {false};
    encode_job j = {.t = t, .first = first};
    tok_text points = {NULL, 0, 0};
    sal_status st = SAL_OK;

    *out = (sal_tokens)SAL_TOKENS_INIT;
    if (n > ENCODE_MAX)
        return sal_fail(err, SAL_EINVAL, "a text of more than 1 GiB cannot be encoded at once");
    for (size_t i = 0; i < t->n_added; i++) {
        if (t->added[i].n > 0)
            first[t->added[i].code[0] < 128 ? t->added[i].code[0] : 128] = true;
    }
    SAL_TRY(tok_text_read(&points, text, n, err));
    SAL_TRY(encode_cut(&j, &points, false, encode_raw, err));
    st = encode_template(t, &j.out, special, out, err);
done:
    tok_text_free(&points);
    sal_free(j.out.v);
    if (st != SAL_OK)
        sal_tokens_free(out);
    return st;
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
