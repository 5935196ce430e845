/* Where activations lie: liveness, in-place reuse, one arena.
 *
 * Every physical value lives from the step that writes it to the last step that reads it. Values
 * are placed largest first at the lowest offset that is free during their whole life (greedy by
 * size; Pisarchyk and Lee, arXiv 2001.03288). */
#include "exec/plan.h"

static const size_t memory_align = 64;

static sal_pid memory_root(const sal_plan *p, sal_pid v)
{
    while (p->values[v].alias >= 0)
        v = p->values[v].alias;
    return v;
}

static void memory_touch(sal_plan *p, sal_pid v, int step)
{
    sal_pvalue *x = &p->values[memory_root(p, v)];
    if (x->first < 0 || step < x->first)
        x->first = step;
    if (step > x->last)
        x->last = step;
}

static void memory_lives(sal_plan *p)
{
    for (size_t i = 0; i < p->n_values; i++)
        p->values[i].first = p->values[i].last = -1;
    for (size_t k = 0; k < p->n_steps; k++) {
        const sal_step *s = &p->steps[k];
        for (int i = 0; i < s->n_in; i++)
            if (s->in[i] >= 0)
                memory_touch(p, s->in[i], (int)k);
        for (int i = 0; i < s->n_out; i++)
            if (s->out[i] >= 0)
                memory_touch(p, s->out[i], (int)k);
    }
    for (size_t i = 0; i < p->n_values; i++)
        if (p->values[i].keep)
            memory_touch(p, (sal_pid)i, (int)p->n_steps);
}

static bool memory_owned(const sal_pvalue *x)
{
    return x->alias < 0 && x->fixed == NULL && x->input < 0 && x->first >= 0;
}

/* A step may write its first output over an input that nobody needs any more. */
static void memory_in_place(sal_plan *p)
{
    for (size_t k = 0; k < p->n_steps; k++) {
        const sal_step *s = &p->steps[k];
        if (s->in_place == 0 || s->n_out == 0)
            continue;
        sal_pvalue *out = &p->values[s->out[0]];
        if (!memory_owned(out) || out->first != (int)k)
            continue;
        for (int i = 0; i < s->n_in && i < 32; i++) {
            if ((s->in_place >> i & 1u) == 0 || s->in[i] < 0)
                continue;
            sal_pid r = memory_root(p, s->in[i]);
            sal_pvalue *in = &p->values[r];
            if (!memory_owned(in) || in->last != (int)k || in->bytes != out->bytes ||
                in->dtype != out->dtype || in->layout != out->layout || in->first == (int)k)
                continue;
            int twice = 0;
            for (int j = 0; j < s->n_in; j++)
                twice +=
                    s->in[j] >= 0 && memory_root(p, s->in[j]) == r && (s->in_place >> j & 1u) == 0;
            if (twice > 0)
                continue;
            in->last = SAL_MAX(in->last, out->last);
            out->alias = r;
            break;
        }
    }
}

typedef struct memory_block {
    sal_pid value;
    size_t bytes;
    int first, last;
    size_t offset;
} memory_block;

static int memory_larger(const void *a, const void *b)
{
    const memory_block *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return x->value - y->value;
}

static int memory_lower(const void *a, const void *b)
{
    const memory_block *x = *(memory_block *const *)a, *y = *(memory_block *const *)b;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    return x->value - y->value;
}

/* Lowest offset at which block b overlaps none of the `n` placed blocks that live at the same time.
 */
static size_t memory_fit(const memory_block *b, memory_block **placed, size_t n)
{
    size_t at = 0;
    for (size_t i = 0; i < n; i++) { /* sorted by offset */
        const memory_block *q = placed[i];
        if (q->last < b->first || q->first > b->last || q->offset + q->bytes <= at)
            continue;
        if (q->offset >= at + b->bytes)
            break;
        at = q->offset + q->bytes;
    }
    return at;
}

sal_status sal_plan_memory(sal_plan *p, sal_error *err)
{
    sal_status st = SAL_OK;
    memory_lives(p);
    memory_in_place(p);
    memory_block *blocks = sal_calloc(p->n_values + 1, sizeof *blocks);
    memory_block **placed = sal_calloc(p->n_values + 1, sizeof *placed);
    size_t n = 0;
    if (blocks == NULL || placed == NULL)
        SAL_TRY(sal_fail_nomem(err));
    for (size_t i = 0; i < p->n_values; i++) {
        const sal_pvalue *x = &p->values[i];
        if (memory_owned(x))
            blocks[n++] = (memory_block){
                (sal_pid)i, (SAL_MAX(x->bytes, 1) + memory_align - 1) & ~(memory_align - 1),
                x->first, x->last, 0};
    }
    qsort(blocks, n, sizeof *blocks, memory_larger);
    for (size_t i = 0; i < n; i++) {
        blocks[i].offset = memory_fit(&blocks[i], placed, i);
        placed[i] = &blocks[i];
        for (size_t j = i; j > 0 && memory_lower(&placed[j], &placed[j - 1]) < 0; j--) {
            memory_block *t = placed[j];
            placed[j] = placed[j - 1];
            placed[j - 1] = t;
        }
        p->values[blocks[i].value].offset = blocks[i].offset;
        p->arena_bytes = SAL_MAX(p->arena_bytes, blocks[i].offset + blocks[i].bytes);
    }
done:
    sal_free(blocks);
    sal_free(placed);
    return st;
}
