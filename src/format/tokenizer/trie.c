/* A set of texts as paths of code points: one hash table of edges. */
#include "format/tokenizer/tokenizer.h"

sal_status tok_trie_new(tok_trie *t, size_t symbols, sal_error *err)
{
    size_t size = 16;

    while (size < 2 * symbols)
        size *= 2;
    t->edges = sal_calloc(size, sizeof(*t->edges));
    t->values = sal_malloc((symbols + 1) * sizeof(*t->values));
    if (t->edges == NULL || t->values == NULL) {
        tok_trie_free(t);
        return sal_fail_nomem(err);
    }
    t->size = size;
    t->values[0] = -1;
    t->n_nodes = 1;
    return SAL_OK;
}

static struct tok_edge *trie_slot(const tok_trie *t, uint32_t node, uint32_t c)
{
    uint64_t key = (uint64_t)node << 32 | c;
    size_t i = (size_t)((key * 0x9E3779B97F4A7C15ULL) >> 20) & (t->size - 1);

    while (t->edges[i].to != 0 && (t->edges[i].node != node || t->edges[i].c != c))
        i = (i + 1) & (t->size - 1);
    return &t->edges[i];
}

void tok_trie_put(tok_trie *t, const uint32_t *code, size_t n, int32_t value)
{
    uint32_t node = 0;

    for (size_t i = 0; i < n; i++) {
        struct tok_edge *e = trie_slot(t, node, code[i]);

        if (e->to == 0) {
            *e = (struct tok_edge){node, code[i], t->n_nodes};
            t->values[t->n_nodes++] = -1;
        }
        node = e->to;
    }
    if (t->values[node] < 0)
        t->values[node] = value;
}

uint32_t tok_trie_next(const tok_trie *t, uint32_t node, uint32_t c)
{
    return t->size == 0 ? 0 : trie_slot(t, node, c)->to;
}

void tok_trie_free(tok_trie *t)
{
    sal_free(t->edges);
    sal_free(t->values);
    *t = (tok_trie){NULL, 0, NULL, 0};
}
