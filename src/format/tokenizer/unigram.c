/* Unigram: the cut of a word into tokens whose scores (log probabilities) have the largest sum
 * (Viterbi). A character that no token begins with costs ten below the worst score. */
#include "format/tokenizer/tokenizer.h"

#include <math.h>
#include <string.h>

enum { UNIGRAM_LONGEST = 1024 };

sal_status tok_unigram_check(const sal_tokenizer *t, sal_error *err)
{
    if (t->longest > UNIGRAM_LONGEST)
        return sal_fail(err, SAL_EUNSUPPORTED, "a token has %zu bytes, more than the %d of Unigram",
                        t->longest, UNIGRAM_LONGEST);
    return SAL_OK;
}

static sal_status unigram_read(sal_tokenizer *t, const json_t *json, sal_error *err)
{
    const json_t *list = json_object_get(json, "vocab"), *unk = json_object_get(json, "unk_id");
    size_t n = json_array_size(list);
    double least = HUGE_VAL;

    t->scores = sal_calloc(n + 1, sizeof(*t->scores));
    if (t->scores == NULL)
        return sal_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        const json_t *pair = json_array_get(list, i);

        if (!json_is_number(json_array_get(pair, 1)))
            return sal_fail(err, SAL_EFORMAT, "token %zu has no score", i);
        t->scores[i] = json_number_value(json_array_get(pair, 1));
        least = fmin(least, t->scores[i]);
    }
    t->n_scores = n;
    t->unk = json_is_integer(unk) && json_integer_value(unk) >= 0 &&
                     json_integer_value(unk) < (json_int_t)n
                 ? (int32_t)json_integer_value(unk)
                 : -1;
    t->unk_score = least - TOK_UNKNOWN_PENALTY;
    t->byte_fallback = tok_flag(json, "byte_fallback", false);
    return tok_unigram_check(t, err);
}

/* The best way to a place between two characters. */
typedef struct unigram_node {
    double score;
    size_t from; /* SIZE_MAX: not reached */
    int32_t id;
} unigram_node;

/* Of a GGUF vocabulary: can the token be found in text? */
static bool unigram_is_text(const sal_tokenizer *t, int32_t id)
{
    return t->types == NULL || t->types[id] == TOK_TYPE_NORMAL || t->types[id] == TOK_TYPE_USER ||
           t->types[id] == TOK_TYPE_UNUSED;
}

/* All tokens that begin at character i. */
static void unigram_from(const sal_tokenizer *t, const char *bytes, const size_t *at, size_t i,
                         size_t n, unigram_node *nodes)
{
    double here = i == 0 ? 0.0 : nodes[i].score;
    uint64_t hash = TOK_MAP_HASH;
    bool single = false;

    for (size_t to = i + 1; to <= n && at[to] - at[i] <= t->longest; to++) {
        int32_t id;

        hash = tok_map_hash(bytes + at[to - 1], at[to] - at[to - 1], hash);
        id = tok_map_find(&t->vocab, bytes + at[i], at[to] - at[i], hash);

        if (id < 0 || (size_t)id >= t->n_scores || !unigram_is_text(t, id))
            continue;
        single = single || to == i + 1;
        if (nodes[to].from == SIZE_MAX || here + t->scores[id] > nodes[to].score)
            nodes[to] = (unigram_node){here + t->scores[id], i, id};
    }
    if (!single && (nodes[i + 1].from == SIZE_MAX || here + t->unk_score > nodes[i + 1].score))
        nodes[i + 1] = (unigram_node){here + t->unk_score, i, t->unk};
}

static sal_status unigram_unknown(const sal_tokenizer *t, const tok_char *word, size_t from,
                                  size_t to, tok_ids *out, sal_error *err)
{
    sal_status st = SAL_OK;

    if (!t->byte_fallback && t->unk < 0)
        return sal_fail(err, SAL_EINVAL, "the tokeniser has no token for U+%04X",
                        (unsigned)word[from].c);
    if (!t->byte_fallback)
        return tok_ids_add(out, t->unk, word[from].begin, word[to - 1].end, err);
    for (size_t i = from; i < to; i++) {
        char bytes[4];
        size_t n = tok_utf8(word[i].c, bytes);

        for (size_t b = 0; b < n; b++) {
            int32_t id = t->bytes[(uint8_t)bytes[b]];

            if (id < 0)
                return tok_ids_add(out, t->unk, word[from].begin, word[to - 1].end, err);
            SAL_TRY(tok_ids_add(out, id, word[i].begin, word[i].end, err));
        }
    }
done:
    return st;
}

/* The path, first to last; neighbouring unknown characters are one token. */
static sal_status unigram_path(const sal_tokenizer *t, const tok_char *word, size_t n,
                               const unigram_node *nodes, size_t *order, tok_ids *out,
                               sal_error *err)
{
    size_t steps = 0;
    sal_status st = SAL_OK;

    for (size_t at = n; at > 0; at = nodes[at].from)
        order[steps++] = at;
    while (steps > 0) {
        size_t to = order[--steps], from = nodes[to].from;

        if (nodes[to].id >= 0 && nodes[to].id != t->unk) {
            SAL_TRY(tok_ids_add(out, nodes[to].id, word[from].begin, word[to - 1].end, err));
            continue;
        }
        while (steps > 0 &&
               (nodes[order[steps - 1]].id < 0 || nodes[order[steps - 1]].id == t->unk))
            to = order[--steps];
        SAL_TRY(unigram_unknown(t, word, from, to, out, err));
    }
done:
    return st;
}

static sal_status unigram_encode(const sal_tokenizer *t, const tok_char *word, size_t n,
                                 tok_work *w, tok_ids *out, sal_error *err)
{
    unigram_node *nodes = sal_calloc(n + 1, sizeof(*nodes));
    size_t *at = sal_calloc(n + 1, sizeof(*at)), *order = sal_calloc(n + 1, sizeof(*order));
    char *bytes = sal_calloc(4 * n + 1, 1);
    sal_status st = SAL_OK;

    (void)w;
    if (nodes == NULL || at == NULL || bytes == NULL || order == NULL)
        SAL_TRY(sal_fail_nomem(err));
    for (size_t i = 0; i < n; i++)
        at[i + 1] = at[i] + tok_utf8(word[i].c, bytes + at[i]);
    for (size_t i = 0; i <= n; i++)
        nodes[i].from = SIZE_MAX;
    for (size_t i = 0; i < n; i++)
        unigram_from(t, bytes, at, i, n, nodes);
    st = unigram_path(t, word, n, nodes, order, out, err);
done:
    sal_free(nodes);
    sal_free(at);
    sal_free(order);
    sal_free(bytes);
    return st;
}

const tok_model_type tok_unigram = {"Unigram", unigram_read, unigram_encode};
