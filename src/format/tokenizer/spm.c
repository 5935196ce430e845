/* SentencePiece's byte-pair encoding: neighbours are merged when what they spell together is a
 * token, the one with the highest score first, the leftmost of equal ones. There is no list of
 * merges. What is no token in the end is spelt in bytes. */
#include "format/tokenizer/tokenizer.h"

/* ---- where a text can be cut ---- */

static size_t pairs_class(uint32_t c)
{
    return c < 128 ? c : c == TOK_MARK ? 128 : SIZE_MAX;
}

static uint64_t *pairs_slot(const tok_pairs *p, uint32_t a, uint32_t b)
{
    uint64_t key = ((uint64_t)a << 32 | b) + 1;
    size_t i = (size_t)((key * 0x9E3779B97F4A7C15ULL) >> 20) & (p->size - 1);

    while (p->slots[i] != 0 && p->slots[i] != key)
        i = (i + 1) & (p->size - 1);
    return &p->slots[i];
}

static bool pairs_have(const tok_pairs *p, uint32_t a, uint32_t b)
{
    size_t x = pairs_class(a), y = pairs_class(b);

    return x != SIZE_MAX && y != SIZE_MAX ? p->ascii[x][y] != 0 : *pairs_slot(p, a, b) != 0;
}

static sal_status pairs_grow(tok_pairs *p, sal_error *err)
{
    uint64_t *old = p->slots;
    size_t n = p->size;

    if (2 * (p->used + 1) <= p->size)
        return SAL_OK;
    p->slots = sal_calloc(n == 0 ? 1024 : 2 * n, sizeof(*p->slots));
    if (p->slots == NULL) {
        p->slots = old;
        return sal_fail_nomem(err);
    }
    p->size = n == 0 ? 1024 : 2 * n;
    for (size_t i = 0; i < n; i++) {
        if (old[i] != 0)
            *pairs_slot(p, (uint32_t)((old[i] - 1) >> 32), (uint32_t)(old[i] - 1)) = old[i];
    }
    sal_free(old);
    return SAL_OK;
}

static sal_status pairs_add(tok_pairs *p, const char *token, tok_text *text, sal_error *err)
{
    sal_status st = SAL_OK;

    text->n = 0;
    SAL_TRY(tok_text_read(text, token, strlen(token), err));
    for (size_t i = 1; i < text->n; i++) {
        uint32_t a = text->v[i - 1].c, b = text->v[i].c;
        size_t x = pairs_class(a), y = pairs_class(b);
        uint64_t *slot;

        if (x != SIZE_MAX && y != SIZE_MAX) {
            p->ascii[x][y] = 1;
            continue;
        }
        SAL_TRY(pairs_grow(p, err));
        slot = pairs_slot(p, a, b);
        p->used += *slot == 0 ? 1 : 0;
        *slot = ((uint64_t)a << 32 | b) + 1;
    }
done:
    return st;
}

sal_status tok_pairs_new(tok_pairs **out, const sal_tokenizer *t, sal_error *err)
{
    tok_pairs *p = sal_calloc(1, sizeof(*p));
    tok_text text = {NULL, 0, 0};
    sal_status st = SAL_OK;

    *out = NULL;
    if (p == NULL)
        return sal_fail_nomem(err);
    SAL_TRY(pairs_grow(p, err));
    for (size_t i = 0; i < t->n_tokens; i++) {
        if (t->tokens[i] != NULL)
            SAL_TRY(pairs_add(p, t->tokens[i], &text, err));
    }
    *out = p;
    p = NULL;
done:
    tok_text_free(&text);
    tok_pairs_free(p);
    return st;
}

void tok_pairs_free(tok_pairs *p)
{
    if (p == NULL)
        return;
    sal_free(p->slots);
    sal_free(p);
}

/* No merge crosses a cut, so the parts are encoded as the whole would be. */
static sal_status pairs_split(const tok_step *s, const tok_pieces *in, tok_pieces *out,
                              sal_error *err)
{
    sal_status st = SAL_OK;

    for (size_t i = 0; i < in->n; i++) {
        const tok_char *v = in->text.v + in->v[i].begin;
        size_t n = in->v[i].end - in->v[i].begin, open = out->text.n, base = open;

        SAL_TRY(tok_text_append(&out->text, v, n, err));
        out->text.n = base;
        for (size_t k = 0; k < n; k++) {
            if (k > 0 && !pairs_have(s->pairs, v[k - 1].c, v[k].c)) {
                SAL_TRY(tok_pieces_close(out, open, err));
                open = out->text.n;
            }
            out->text.n++;
        }
        SAL_TRY(tok_pieces_close(out, open, err));
    }
done:
    return st;
}

const tok_step_type tok_pairs_split = {"pairs", NULL, NULL, pairs_split, NULL};

/* ---- merging ---- */

static sal_status spm_push(const sal_tokenizer *t, tok_work *w, int32_t at, sal_error *err)
{
    const tok_symbol *a = &w->symbols[at], *b = a->next < 0 ? NULL : &w->symbols[a->next];
    int32_t id;

    if (b == NULL || (size_t)a->n + b->n > t->longest)
        return SAL_OK;
    id = tok_map_get(&t->vocab, w->bytes.data + a->at, (size_t)a->n + b->n);
    if (id < 0)
        return SAL_OK;
    return tok_work_push(w, &(tok_candidate){-t->scores[id], at, id, 0, 0, a->n + b->n}, err);
}

static sal_status spm_out(const sal_tokenizer *t, const tok_work *w, const tok_symbol *s,
                          tok_ids *out, sal_error *err)
{
    sal_status st = SAL_OK;

    if (s->id >= 0)
        return tok_ids_add(out, s->id, s->begin, s->end, err);
    for (uint32_t i = 0; i < s->n; i++) {
        int32_t id = t->bytes[(uint8_t)w->bytes.data[s->at + i]];

        if (id < 0) {
            st = t->unk < 0 ? SAL_OK : tok_ids_add(out, t->unk, s->begin, s->end, err);
            break;
        }
        SAL_TRY(tok_ids_add(out, id, s->begin, s->end, err));
    }
done:
    return st;
}

static sal_status spm_encode(const sal_tokenizer *t, const tok_char *word, size_t n, tok_work *w,
                             tok_ids *out, sal_error *err)
{
    sal_status st = SAL_OK;

    w->n = w->n_heap = w->bytes.len = 0;
    for (size_t i = 0; i < n; i++) {
        char buf[4] = {(char)(word[i].c & 0xFF)};
        size_t k = word[i].c < 0x80 || word[i].c >= TOK_BYTE ? 1 : tok_utf8(word[i].c, buf);
        tok_symbol *s;

        SAL_TRY(
            tok_work_symbol(w, tok_map_get(&t->vocab, buf, k), word[i].begin, word[i].end, err));
        s = &w->symbols[w->n - 1];
        s->at = (uint32_t)w->bytes.len;
        s->n = (uint32_t)k;
        SAL_TRY(sal_bytes_add(&w->bytes, buf, k, err));
    }
    w->symbols[w->n - 1].next = -1;
    for (size_t i = 0; i + 1 < w->n; i++)
        SAL_TRY(spm_push(t, w, (int32_t)i, err));
    while (w->n_heap > 0) {
        tok_candidate c = tok_work_pop(w);
        const tok_symbol *a = &w->symbols[c.at];

        if (a->n == 0 || a->next < 0 || a->n + w->symbols[a->next].n != c.n)
            continue; /* merged in another way meanwhile */
        tok_work_merge(w, c.at, c.into);
        if (a->prev >= 0)
            SAL_TRY(spm_push(t, w, a->prev, err));
        SAL_TRY(spm_push(t, w, c.at, err));
    }
    for (int32_t i = 0; i >= 0; i = w->symbols[i].next)
        SAL_TRY(spm_out(t, w, &w->symbols[i], out, err));
done:
    return st;
}

const tok_model_type tok_spm = {"SentencePiece", NULL, spm_encode};
