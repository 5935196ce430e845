/* Byte-pair encoding: the characters of a word are merged, the pair that was learnt first before
 * all others, the leftmost of equal ones. */
#include "format/tokenizer/tokenizer.h"

#include <string.h>

/* ---- merges: a hash table of pairs ---- */

static tok_merge *bpe_slot(const sal_tokenizer *t, int32_t left, int32_t right)
{
    uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    size_t i = (size_t)((pair * 0x9E3779B97F4A7C15ULL) >> 20) & (t->merges_size - 1);

    while (t->merges[i].left >= 0 && (t->merges[i].left != left || t->merges[i].right != right))
        i = (i + 1) & (t->merges_size - 1);
    return &t->merges[i];
}

static const tok_merge *bpe_find(const sal_tokenizer *t, int32_t left, int32_t right)
{
    const tok_merge *m;

    if (left < 0 || right < 0 || t->merges_size == 0)
        return NULL;
    m = bpe_slot(t, left, right);
    return m->left < 0 ? NULL : m;
}

bool tok_merges_halves(const char *text, size_t n, size_t *na, size_t *b)
{
    const char *space = n < 2 ? NULL : memchr(text + 1, ' ', n - 1);

    if (space == NULL)
        return false;
    *na = (size_t)(space - text);
    *b = *na + 1;
    return *b < n;
}

sal_status tok_merges_new(sal_tokenizer *t, size_t n, sal_error *err)
{
    for (t->merges_size = 16; t->merges_size < 2 * n;)
        t->merges_size *= 2;
    t->merges = sal_calloc(t->merges_size, sizeof(*t->merges));
    if (t->merges == NULL)
        return sal_fail_nomem(err);
    for (size_t i = 0; i < t->merges_size; i++)
        t->merges[i].left = -1;
    return SAL_OK;
}

sal_status tok_merges_add(sal_tokenizer *t, size_t i, const char *a, size_t na, const char *b,
                          size_t nb, sal_error *err)
{
    size_t prefix = strlen(t->prefix), cut = nb >= prefix ? prefix : 0;
    char some[256], *joined = na + nb <= sizeof(some) ? some : sal_malloc(na + nb);
    int32_t left = tok_map_get(&t->vocab, a, na), right = tok_map_get(&t->vocab, b, nb), into;
    tok_merge *m;

    if (joined == NULL)
        return sal_fail_nomem(err);
    memcpy(joined, a, na);
    memcpy(joined + na, b + cut, nb - cut);
    into = tok_map_get(&t->vocab, joined, na + nb - cut);
    if (joined != some)
        sal_free(joined);
    if (left < 0 || right < 0 || into < 0)
        return sal_fail(err, SAL_EFORMAT, "merge %zu names a token that is not in the vocabulary",
                        i);
    m = bpe_slot(t, left, right);
    if (m->left < 0)
        *m = (tok_merge){left, right, (int32_t)i, into};
    return SAL_OK;
}

/* ["a", "b"] or "a b". */
static sal_status bpe_merges(sal_tokenizer *t, const json_t *list, sal_error *err)
{
    size_t n = json_array_size(list);
    sal_status st = tok_merges_new(t, n, err);

    for (size_t i = 0; i < n && st == SAL_OK; i++) {
        const json_t *pair = json_array_get(list, i);
        const char *a = json_string_value(pair), *b = NULL;
        size_t na = 0, at = 0;

        if (json_is_array(pair) && json_array_size(pair) == 2) {
            a = json_string_value(json_array_get(pair, 0));
            b = json_string_value(json_array_get(pair, 1));
            na = a == NULL ? 0 : strlen(a);
        } else if (a != NULL && tok_merges_halves(a, strlen(a), &na, &at)) {
            b = strchr(a + at, ' ') == NULL ? a + at : NULL;
        }
        st = a == NULL || b == NULL
                 ? sal_fail(err, SAL_EFORMAT, "merge %zu is no pair of tokens", i)
                 : tok_merges_add(t, i, a, na, b, strlen(b), err);
    }
    return st;
}

static sal_status bpe_read(sal_tokenizer *t, const json_t *json, sal_error *err)
{
    const char *prefix = json_string_value(json_object_get(json, "continuing_subword_prefix"));
    const char *suffix = json_string_value(json_object_get(json, "end_of_word_suffix"));
    const char *unk = json_string_value(json_object_get(json, "unk_token"));
    const json_t *dropout = json_object_get(json, "dropout");

    t->prefix = prefix == NULL ? "" : prefix;
    t->suffix = suffix == NULL ? "" : suffix;
    t->unk = unk == NULL ? -1 : tok_map_get(&t->vocab, unk, strlen(unk));
    t->fuse_unk = tok_flag(json, "fuse_unk", false);
    t->byte_fallback = tok_flag(json, "byte_fallback", false);
    t->ignore_merges = tok_flag(json, "ignore_merges", false);
    if (json_number_value(dropout) > 0.0)
        return sal_fail(err, SAL_EUNSUPPORTED, "a tokeniser with dropout gives no fixed answer");
    if (strlen(t->prefix) > 64 || strlen(t->suffix) > 64)
        return sal_fail(err, SAL_EFORMAT, "the prefix or suffix of subwords is too long");
    return bpe_merges(t, json_object_get(json, "merges"), err);
}

/* ---- encoding ---- */

static sal_status bpe_push(const sal_tokenizer *t, tok_work *w, int32_t at, sal_error *err)
{
    const tok_symbol *s = &w->symbols[at];
    const tok_merge *m = s->next < 0 ? NULL : bpe_find(t, s->id, w->symbols[s->next].id);

    if (m == NULL)
        return SAL_OK;
    return tok_work_push(w, &(tok_candidate){(double)m->rank, at, m->into, m->left, m->right, 0},
                         err);
}

/* The token of character i with the affixes of its place; else its bytes; else the unknown one. */
static sal_status bpe_character(const sal_tokenizer *t, const tok_char *word, size_t n, size_t i,
                                tok_work *w, bool *unknown, sal_error *err)
{
    char key[160], bytes[4];
    size_t len = 0, k = tok_utf8(word[i].c, bytes);
    int32_t id;
    bool all = t->byte_fallback;
    sal_status st = SAL_OK;

    if (i > 0)
        memcpy(key, t->prefix, len = strlen(t->prefix));
    memcpy(key + len, bytes, k);
    len += k;
    if (i + 1 == n) {
        memcpy(key + len, t->suffix, strlen(t->suffix));
        len += strlen(t->suffix);
    }
    id = tok_map_get(&t->vocab, key, len);
    if (id >= 0) {
        *unknown = false;
        return tok_work_symbol(w, id, word[i].begin, word[i].end, err);
    }
    if (word[i].c >= TOK_BYTE) {
        bytes[0] = (char)(word[i].c & 0xFF);
        k = 1;
    }
    for (size_t b = 0; b < k; b++)
        all = all && t->bytes[(uint8_t)bytes[b]] >= 0;
    if (all) {
        *unknown = false;
        for (size_t b = 0; b < k; b++)
            SAL_TRY(
                tok_work_symbol(w, t->bytes[(uint8_t)bytes[b]], word[i].begin, word[i].end, err));
        return SAL_OK;
    }
    if (t->unk < 0) /* nothing stands for it; in a GGUF vocabulary it keeps its neighbours apart */
        return t->types == NULL ? SAL_OK : tok_work_symbol(w, -1, word[i].begin, word[i].end, err);
    if (*unknown && t->fuse_unk) {
        w->symbols[w->n - 1].end = word[i].end;
        return SAL_OK;
    }
    *unknown = true;
    st = tok_work_symbol(w, t->unk, word[i].begin, word[i].end, err);
done:
    return st;
}

static sal_status bpe_merge_all(const sal_tokenizer *t, tok_work *w, sal_error *err)
{
    sal_status st = SAL_OK;

    for (size_t i = 0; i + 1 < w->n; i++)
        SAL_TRY(bpe_push(t, w, (int32_t)i, err));
    while (w->n_heap > 0) {
        tok_candidate p = tok_work_pop(w);
        const tok_symbol *a = &w->symbols[p.at];

        if (a->id != p.left || a->next < 0 || w->symbols[a->next].id != p.right)
            continue; /* merged in another way meanwhile */
        tok_work_merge(w, p.at, p.into);
        if (a->prev >= 0)
            SAL_TRY(bpe_push(t, w, a->prev, err));
        SAL_TRY(bpe_push(t, w, p.at, err));
    }
done:
    return st;
}

static sal_status bpe_whole(const sal_tokenizer *t, const tok_char *word, size_t n, tok_work *w,
                            int32_t *id, sal_error *err)
{
    sal_status st = SAL_OK;

    w->bytes.len = 0;
    for (size_t i = 0; i < n; i++) {
        char buf[4];

        SAL_TRY(sal_bytes_add(&w->bytes, buf, tok_utf8(word[i].c, buf), err));
    }
    *id = tok_map_get(&t->vocab, w->bytes.data, w->bytes.len);
done:
    return st;
}

static sal_status bpe_encode(const sal_tokenizer *t, const tok_char *word, size_t n, tok_work *w,
                             tok_ids *out, sal_error *err)
{
    bool unknown = false;
    int32_t whole = -1;
    sal_status st = SAL_OK;

    w->n = w->n_heap = 0;
    if (t->ignore_merges)
        SAL_TRY(bpe_whole(t, word, n, w, &whole, err));
    if (whole >= 0)
        return tok_ids_add(out, whole, word[0].begin, word[n - 1].end, err);
    for (size_t i = 0; i < n; i++)
        SAL_TRY(bpe_character(t, word, n, i, w, &unknown, err));
    if (w->n > 0)
        w->symbols[w->n - 1].next = -1;
    SAL_TRY(bpe_merge_all(t, w, err));
    for (int32_t i = w->n > 0 ? 0 : -1; i >= 0; i = w->symbols[i].next) {
        const tok_symbol *k = &w->symbols[i];

        if (k->id >= 0)
            SAL_TRY(tok_ids_add(out, k->id, k->begin, k->end, err));
    }
done:
    return st;
}

const tok_model_type tok_bpe = {"BPE", bpe_read, bpe_encode};
