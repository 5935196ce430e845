/* Merging neighbours: a chain of symbols and a heap of pairs. */
#include "format/tokenizer/tokenizer.h"

static bool work_before(const tok_candidate *a, const tok_candidate *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->at < b->at;
}

sal_status tok_work_push(tok_work *w, const tok_candidate *c, sal_error *err)
{
    size_t i = w->n_heap;
    sal_status st = sal_grow(&w->heap, w->n_heap + 1, &w->cap_heap, sizeof(*w->heap), err);

    if (st != SAL_OK)
        return st;
    w->n_heap++;
    for (; i > 0 && work_before(c, &w->heap[(i - 1) / 2]); i = (i - 1) / 2)
        w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = *c;
    return SAL_OK;
}

tok_candidate tok_work_pop(tok_work *w)
{
    tok_candidate top = w->heap[0], last = w->heap[--w->n_heap];
    size_t i = 0;

    while (2 * i + 1 < w->n_heap) {
        size_t k = 2 * i + 1;

        if (k + 1 < w->n_heap && work_before(&w->heap[k + 1], &w->heap[k]))
            k++;
        if (!work_before(&w->heap[k], &last))
            break;
        w->heap[i] = w->heap[k];
        i = k;
    }
    w->heap[i] = last;
    return top;
}

sal_status tok_work_symbol(tok_work *w, int32_t id, uint32_t begin, uint32_t end, sal_error *err)
{
    sal_status st = sal_grow(&w->symbols, w->n + 1, &w->cap, sizeof(*w->symbols), err);

    if (st == SAL_OK) {
        w->symbols[w->n] = (tok_symbol){id, (int32_t)w->n - 1, (int32_t)w->n + 1, begin, end, 0, 0};
        w->n++;
    }
    return st;
}

void tok_work_merge(tok_work *w, int32_t at, int32_t into)
{
    tok_symbol *a = &w->symbols[at], *b = &w->symbols[a->next];

    a->id = into;
    a->end = b->end;
    a->n += b->n;
    a->next = b->next;
    b->id = -1;
    b->n = 0;
    if (b->next >= 0)
        w->symbols[b->next].prev = at;
}

void tok_work_free(tok_work *w)
{
    sal_free(w->symbols);
    sal_free(w->heap);
    sal_bytes_free(&w->bytes);
    *w = (tok_work){.n = 0};
}
