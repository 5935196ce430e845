/* Special tokens in a text, as GGUF vocabularies have them: the longest are found first, anywhere
 * in the text, then shorter ones in what is left. Where one is found depends only on the ends of
 * what was found before it, for all of that is longer. */
#include "format/tokenizer/tokenizer.h"

/* Lengths looked for in one pass, a bit each. */
enum { FRAGMENT_RANKS = 64 };

typedef struct fragment_hit {
    size_t at;
    uint64_t ranks;
} fragment_hit;

typedef struct fragment_job {
    const sal_tokenizer *t;
    const tok_text *text;
    bool plain;
    bool *taken; /* by character */
    fragment_hit *hits;
    size_t n_hits, cap_hits;
    tok_fragment *found;
    size_t n_found, cap_found;
} fragment_job;

/* The token of this rank at a character. */
static int32_t fragment_at(const fragment_job *j, size_t at, uint32_t rank)
{
    const tok_trie *trie = &j->t->tries[0];
    uint32_t node = 0;

    for (size_t i = at; i < j->text->n; i++) {
        node = tok_trie_next(trie, node, j->text->v[i].c);
        if (node == 0)
            return -1;
        if (trie->values[node] >= 0 && j->t->added[trie->values[node]].rank == rank)
            return trie->values[node];
    }
    return -1;
}

static sal_status fragment_hits(fragment_job *j, uint32_t first, sal_error *err)
{
    const tok_trie *trie = &j->t->tries[0];
    sal_status st = SAL_OK;

    j->n_hits = 0;
    for (size_t at = 0; at < j->text->n; at++) {
        uint32_t node = 0;
        uint64_t ranks = 0;

        for (size_t i = at; i < j->text->n; i++) {
            const tok_added *a;

            node = tok_trie_next(trie, node, j->text->v[i].c);
            if (node == 0)
                break;
            if (trie->values[node] < 0)
                continue;
            a = &j->t->added[trie->values[node]];
            if (a->rank >= first && a->rank < first + FRAGMENT_RANKS && !(j->plain && a->special))
                ranks |= (uint64_t)1 << (a->rank - first);
        }
        if (ranks == 0)
            continue;
        SAL_TRY(sal_grow(&j->hits, j->n_hits + 1, &j->cap_hits, sizeof(*j->hits), err));
        j->hits[j->n_hits++] = (fragment_hit){at, ranks};
    }
done:
    return st;
}

static bool fragment_space(const fragment_job *j, size_t i)
{
    uint32_t c = j->text->v[i].c;

    return !j->taken[i] && (c == ' ' || (c >= 9 && c <= 13));
}

static sal_status fragment_take(fragment_job *j, size_t at, int32_t added, sal_error *err)
{
    const tok_added *a = &j->t->added[added];
    size_t begin = at, end = at + a->n;
    sal_status st;

    if (j->taken[end - 1])
        return SAL_OK;
    while (a->lstrip && begin > 0 && fragment_space(j, begin - 1))
        begin--;
    while (a->rstrip && end < j->text->n && fragment_space(j, end))
        end++;
    memset(j->taken + begin, 1, end - begin);
    st = sal_grow(&j->found, j->n_found + 1, &j->cap_found, sizeof(*j->found), err);
    if (st == SAL_OK)
        j->found[j->n_found++] = (tok_fragment){begin, end, added};
    return st;
}

static int fragment_order(const void *a, const void *b)
{
    const tok_fragment *x = a, *y = b;

    return x->begin < y->begin ? -1 : x->begin > y->begin;
}

/* What was found, in order, with the text between. */
static sal_status fragment_list(const fragment_job *j, tok_fragment **out, size_t *n,
                                sal_error *err)
{
    size_t from = 0, k = 0;

    *out = sal_calloc(2 * j->n_found + 1, sizeof(**out));
    if (*out == NULL)
        return sal_fail_nomem(err);
    for (size_t i = 0; i < j->n_found; i++) {
        if (j->found[i].begin > from)
            (*out)[k++] = (tok_fragment){from, j->found[i].begin, -1};
        (*out)[k++] = j->found[i];
        from = j->found[i].end;
    }
    if (from < j->text->n)
        (*out)[k++] = (tok_fragment){from, j->text->n, -1};
    *n = k;
    return SAL_OK;
}

sal_status tok_fragments(const sal_tokenizer *t, const tok_text *text, bool plain,
                         tok_fragment **out, size_t *n, sal_error *err)
{
    fragment_job j = {.t = t, .text = text, .plain = plain};
    sal_status st = SAL_OK;

    *out = NULL;
    j.taken = sal_calloc(text->n + 1, sizeof(*j.taken));
    if (j.taken == NULL)
        return sal_fail_nomem(err);
    for (uint32_t first = 0; first < t->n_ranks; first += FRAGMENT_RANKS) {
        SAL_TRY(fragment_hits(&j, first, err));
        for (uint32_t rank = first; rank < first + FRAGMENT_RANKS && rank < t->n_ranks; rank++) {
            for (size_t i = 0; i < j.n_hits; i++) {
                if ((j.hits[i].ranks >> (rank - first) & 1) != 0 && !j.taken[j.hits[i].at])
                    SAL_TRY(
                        fragment_take(&j, j.hits[i].at, fragment_at(&j, j.hits[i].at, rank), err));
            }
        }
    }
    if (j.n_found > 1)
        qsort(j.found, j.n_found, sizeof(*j.found), fragment_order);
    st = fragment_list(&j, out, n, err);
done:
    sal_free(j.taken);
    sal_free(j.hits);
    sal_free(j.found);
    return st;
}
