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

/* The two halves of a merge: ["a", "b"] or "a b". */
static bool bpe_halves(const json_t *json, const char **a, size_t *na, const char **b, size_t *nb)
{
    const char *text = json_string_value(json), *space;

    if (json_is_array(json) && json_array_size(json) == 2 &&
        json_is_string(json_array_get(json, 0)) && json_is_string(json_array_get(json, 1))) {
        *a = json_string_value(json_array_get(json, 0));
        *b = json_string_value(json_array_get(json, 1));
        *na = strlen(*a);
        *nb = strlen(*b);
        return true;
    }
    space = text == NULL ? NULL : strchr(text, ' ');
    if (space == NULL)
        return false;
    *a = text;
    *na = (size_t)(space - text);
    *b = space + 1;
    *nb = strlen(*b);
    return strchr(*b, ' ') == NULL;
}

static sal_status bpe_merges(sal_tokenizer *t, const json_t *list, sal_error *err)
{
    size_t n = json_array_size(list), prefix = strlen(t->prefix);
    sal_bytes joined = {NULL, 0, 0};
    sal_status st = SAL_OK;

    for (t->merges_size = 16; t->merges_size < 2 * n;)
        t->merges_size *= 2;
    t->merges = sal_calloc(t->merges_size, sizeof(*t->merges));
    if (t->merges == NULL)
        return sal_fail_nomem(err);
    for (size_t i = 0; i < t->merges_size; i++)
        t->merges[i].left = -1;
    for (size_t i = 0; i < n; i++) {
        const char *a = "", *b = "";
        size_t na = 0, nb = 0;
        int32_t left, right, into;
        tok_merge *m;

        if (!bpe_halves(json_array_get(list, i), &a, &na, &b, &nb))
            SAL_TRY(sal_fail(err, SAL_EFORMAT, "merge %zu is no pair of tokens", i));
        joined.len = 0;
        SAL_TRY(sal_bytes_add(&joined, a, na, err));
        SAL_TRY(sal_bytes_add(&joined, b + (nb >= prefix ? prefix : 0),
                              nb - (nb >= prefix ? prefix : 0), err));
        left = tok_map_get(&t->vocab, a, na);
        right = tok_map_get(&t->vocab, b, nb);
        into = tok_map_get(&t->vocab, joined.data, joined.len);
        if (left < 0 || right < 0 || into < 0)
            SAL_TRY(sal_fail(err, SAL_EFORMAT,
                             "merge %zu names a token that is not in the "
                             "vocabulary",
                             i));
        m = bpe_slot(t, left, right);
        if (m->left < 0)
            *m = (tok_merge){left, right, (int32_t)i, into};
    }
done:
    sal_bytes_free(&joined);
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

typedef struct bpe_symbol {
    int32_t id, prev, next; /* neighbours, -1 at the ends; id -1: merged away */
    uint32_t begin, end;
} bpe_symbol;

/* A pair that could be merged, in a heap by rank and place. */
typedef struct bpe_pair {
    int32_t rank, at, into, left, right;
} bpe_pair;

typedef struct bpe_work {
    bpe_symbol *symbols;
    size_t n, cap;
    bpe_pair *heap;
    size_t n_heap, cap_heap;
} bpe_work;

static bool bpe_before(const bpe_pair *a, const bpe_pair *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->at < b->at;
}

static sal_status bpe_push(const sal_tokenizer *t, bpe_work *w, int32_t at, sal_error *err)
{
    const bpe_symbol *s = &w->symbols[at];
    const tok_merge *m = s->next < 0 ? NULL : bpe_find(t, s->id, w->symbols[s->next].id);
    size_t i = w->n_heap;
    sal_status st;

    if (m == NULL)
        return SAL_OK;
    st = sal_grow(&w->heap, w->n_heap + 1, &w->cap_heap, sizeof(*w->heap), err);
    if (st != SAL_OK)
        return st;
    w->heap[w->n_heap++] = (bpe_pair){m->rank, at, m->into, m->left, m->right};
    while (i > 0 && bpe_before(&w->heap[i], &w->heap[(i - 1) / 2])) {
        bpe_pair swap = w->heap[i];

        w->heap[i] = w->heap[(i - 1) / 2];
        w->heap[(i - 1) / 2] = swap;
        i = (i - 1) / 2;
    }
    return SAL_OK;
}

static bpe_pair bpe_pop(bpe_work *w)
{
    bpe_pair top = w->heap[0];
    size_t i = 0;

    w->heap[0] = w->heap[--w->n_heap];
    while (true) {
        size_t least = i;

        for (size_t k = 2 * i + 1; k <= 2 * i + 2 && k < w->n_heap; k++)
            least = bpe_before(&w->heap[k], &w->heap[least]) ? k : least;
        if (least == i)
            return top;
        bpe_pair swap = w->heap[i];

        w->heap[i] = w->heap[least];
        w->heap[least] = swap;
        i = least;
    }
}

static sal_status bpe_symbol_add(bpe_work *w, int32_t id, uint32_t begin, uint32_t end,
                                 sal_error *err)
{
    sal_status st = sal_grow(&w->symbols, w->n + 1, &w->cap, sizeof(*w->symbols), err);

    if (st == SAL_OK) {
        w->symbols[w->n] = (bpe_symbol){id, (int32_t)w->n - 1, (int32_t)w->n + 1, begin, end};
        w->n++;
    }
    return st;
}

/* The token of character i with the affixes of its place; else its bytes; else the unknown one. */
static sal_status bpe_character(const sal_tokenizer *t, const tok_char *word, size_t n, size_t i,
                                bpe_work *w, bool *unknown, sal_error *err)
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
        return bpe_symbol_add(w, id, word[i].begin, word[i].end, err);
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
                bpe_symbol_add(w, t->bytes[(uint8_t)bytes[b]], word[i].begin, word[i].end, err));
        return SAL_OK;
    }
    if (t->unk < 0)
        return SAL_OK; /* nothing stands for it */
    if (*unknown && t->fuse_unk) {
        w->symbols[w->n - 1].end = word[i].end;
        return SAL_OK;
    }
    *unknown = true;
    st = bpe_symbol_add(w, t->unk, word[i].begin, word[i].end, err);
done:
    return st;
}

static sal_status bpe_merge_all(const sal_tokenizer *t, bpe_work *w, sal_error *err)
{
    sal_status st = SAL_OK;

    for (size_t i = 0; i + 1 < w->n; i++)
        SAL_TRY(bpe_push(t, w, (int32_t)i, err));
    while (w->n_heap > 0) {
        bpe_pair p = bpe_pop(w);
        bpe_symbol *a = &w->symbols[p.at], *b;

        if (a->id != p.left || a->next < 0 || w->symbols[a->next].id != p.right)
            continue; /* merged in another way meanwhile */
        b = &w->symbols[a->next];
        a->id = p.into;
        a->end = b->end;
        a->next = b->next;
        b->id = -1;
        if (b->next >= 0)
            w->symbols[b->next].prev = p.at;
        if (a->prev >= 0)
            SAL_TRY(bpe_push(t, w, a->prev, err));
        SAL_TRY(bpe_push(t, w, p.at, err));
    }
done:
    return st;
}

static sal_status bpe_whole(const sal_tokenizer *t, const tok_char *word, size_t n, int32_t *id,
                            sal_error *err)
{
    char *key = sal_calloc(4 * n + 1, 1);
    size_t bytes = 0;

    if (key == NULL)
        return sal_fail_nomem(err);
    for (size_t i = 0; i < n; i++)
        bytes += tok_utf8(word[i].c, key + bytes);
    *id = tok_map_get(&t->vocab, key, bytes);
    sal_free(key);
    return SAL_OK;
}

static sal_status bpe_encode(const sal_tokenizer *t, const tok_char *word, size_t n, tok_ids *out,
                             sal_error *err)
{
    bpe_work w = {NULL, 0, 0, NULL, 0, 0};
    bool unknown = false;
    int32_t whole = -1;
    sal_status st = SAL_OK;

    if (t->ignore_merges)
        SAL_TRY(bpe_whole(t, word, n, &whole, err));
    if (whole >= 0)
        return tok_ids_add(out, whole, word[0].begin, word[n - 1].end, err);
    for (size_t i = 0; i < n; i++)
        SAL_TRY(bpe_character(t, word, n, i, &w, &unknown, err));
    if (w.n > 0)
        w.symbols[w.n - 1].next = -1;
    SAL_TRY(bpe_merge_all(t, &w, err));
    for (int32_t i = w.n > 0 ? 0 : -1; i >= 0; i = w.symbols[i].next)
        SAL_TRY(tok_ids_add(out, w.symbols[i].id, w.symbols[i].begin, w.symbols[i].end, err));
done:
    sal_free(w.symbols);
    sal_free(w.heap);
    return st;
}

const tok_model_type tok_bpe = {"BPE", bpe_read, bpe_encode};
