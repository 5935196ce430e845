/* Symbolic dimensions: free names and integer multiples of them, interned (graph.h). */
#include "graph/graph.h"

#include <inttypes.h>
#include <stdio.h>

static int64_t symbol_dim(int32_t index)
{
    return -1 - (int64_t)index;
}

static const sal_symbol *symbol_of(const sal_graph *g, int64_t d)
{
    return &g->symbols[-1 - d];
}

static int64_t symbol_push(sal_graph *g, const char *name, int32_t base, int64_t coeff)
{
    if (name == NULL)
        return 0;
    if (sal_grow(&g->symbols, g->n_symbols + 1, &g->cap_symbols, sizeof(sal_symbol), NULL) !=
        SAL_OK)
        return 0;
    int32_t index = (int32_t)g->n_symbols++;
    g->symbols[index] = (sal_symbol){name, base < 0 ? index : base, coeff};
    return symbol_dim(index);
}

/* ---- finding symbols: open addressing over (name) of free and (base, coeff) of derived ones ----
 * The hash is brought up to date when something is looked for, so whoever appends need not know it.
 */

static uint64_t symbol_hash(const sal_symbol *s)
{
    if (s->coeff == 1)
        return sal_hash(s->name, strlen(s->name), 1);
    return sal_hash(&s->coeff, sizeof s->coeff, (uint64_t)s->base + 2);
}

static bool symbol_equal(const sal_symbol *a, const sal_symbol *b)
{
    return a->coeff == b->coeff &&
           (a->coeff == 1 ? strcmp(a->name, b->name) == 0 : a->base == b->base);
}

static size_t symbol_slot(const sal_graph *g, const sal_symbol *s)
{
    size_t i = (size_t)symbol_hash(s) & (g->symbol_slots - 1);
    while (g->symbol_slot[i] != 0 && !symbol_equal(&g->symbols[g->symbol_slot[i] - 1], s))
        i = (i + 1) & (g->symbol_slots - 1);
    return i;
}

/* Index of the symbol with that name (coeff 1) or base and coeff, -1 when there is none or memory
 * is lacking (the caller's own allocation reports that). */
static int32_t symbol_find(sal_graph *g, const sal_symbol *key)
{
    if (g->symbol_slots < g->n_symbols * 2 + 2) {
        size_t cap = g->symbol_slots < 64 ? 64 : g->symbol_slots;
        while (cap < g->n_symbols * 2 + 2)
            cap *= 2;
        int32_t *slot = sal_calloc(cap, sizeof *slot);
        if (slot == NULL)
            return -1;
        sal_free(g->symbol_slot);
        g->symbol_slot = slot;
        g->symbol_slots = cap;
        g->symbols_hashed = 0;
    }
    for (; g->symbols_hashed < g->n_symbols; g->symbols_hashed++) {
        size_t i = symbol_slot(g, &g->symbols[g->symbols_hashed]);
        if (g->symbol_slot[i] == 0) /* the first of equal ones counts */
            g->symbol_slot[i] = (int32_t)g->symbols_hashed + 1;
    }
    return g->symbol_slot[symbol_slot(g, key)] - 1;
}

int64_t sal_dim_symbol(sal_graph *g, const char *name)
{
    const sal_symbol key = {name, -1, 1};
    int32_t found = symbol_find(g, &key);
    return found >= 0 ? symbol_dim(found)
                      : symbol_push(g, sal_arena_strdup(&g->arena, name), -1, 1);
}

int64_t sal_dim_fresh(sal_graph *g)
{
    return symbol_push(g, sal_arena_printf(&g->arena, "?%zu", g->n_symbols + 1), -1, 1);
}

/* coeff * (free symbol `base`) */
static int64_t symbol_multiple(sal_graph *g, int32_t base, int64_t coeff)
{
    if (coeff == 0)
        return 0;
    if (coeff == 1)
        return symbol_dim(base);
    const sal_symbol key = {"", base, coeff};
    int32_t found = symbol_find(g, &key);
    if (found >= 0)
        return symbol_dim(found);
    return symbol_push(g,
                       sal_arena_printf(&g->arena, "%" PRId64 "*%s", coeff, g->symbols[base].name),
                       base, coeff);
}

int64_t sal_dim_mul(sal_graph *g, int64_t a, int64_t b)
{
    int64_t r;
    if (a >= 0 && b >= 0)
        return __builtin_mul_overflow(a, b, &r) ? sal_dim_fresh(g) : r;
    if (a < 0 && b < 0)
        return sal_dim_fresh(g);
    if (a >= 0) {
        int64_t t = a;
        a = b;
        b = t;
    }
    const sal_symbol *s = symbol_of(g, a);
    if (__builtin_mul_overflow(s->coeff, b, &r))
        return sal_dim_fresh(g);
    return symbol_multiple(g, s->base, r);
}

int64_t sal_dim_add(sal_graph *g, int64_t a, int64_t b)
{
    int64_t r;
    if (a >= 0 && b >= 0)
        return __builtin_add_overflow(a, b, &r) ? sal_dim_fresh(g) : r;
    if (a == 0)
        return b;
    if (b == 0)
        return a;
    if (a < 0 && b < 0 && symbol_of(g, a)->base == symbol_of(g, b)->base &&
        !__builtin_add_overflow(symbol_of(g, a)->coeff, symbol_of(g, b)->coeff, &r))
        return symbol_multiple(g, symbol_of(g, a)->base, r);
    return sal_dim_fresh(g);
}

int64_t sal_dim_div(sal_graph *g, int64_t a, int64_t b)
{
    if (b == 1)
        return a;
    if (a == b && a != 0)
        return 1;
    if (a >= 0 && b > 0)
        return a / b;
    if (a < 0 && b > 0 && symbol_of(g, a)->coeff % b == 0)
        return symbol_multiple(g, symbol_of(g, a)->base, symbol_of(g, a)->coeff / b);
    if (a < 0 && b < 0 && symbol_of(g, a)->base == symbol_of(g, b)->base &&
        symbol_of(g, a)->coeff % symbol_of(g, b)->coeff == 0)
        return symbol_of(g, a)->coeff / symbol_of(g, b)->coeff;
    return sal_dim_fresh(g);
}

const char *sal_dim_text(const sal_graph *g, int64_t d, char *buf, size_t n)
{
    if (d >= 0)
        snprintf(buf, n, "%" PRId64, d);
    else
        snprintf(buf, n, "%s", symbol_of(g, d)->name);
    return buf;
}

const char *sal_value_text(const sal_graph *g, sal_vid v, char *buf, size_t n)
{
    if (n == 0)
        return buf;
    const sal_value *x = sal_val(g, v);
    size_t at = (size_t)snprintf(buf, n, "%s", sal_dtype_name(x->dtype));
    if (x->rank < 0)
        return buf;
    for (int i = 0; i <= x->rank && at < n; i++) {
        char d[96] = "";
        if (i < x->rank)
            sal_dim_text(g, x->dims[i], d, sizeof d);
        at += (size_t)snprintf(buf + at, n - at, "%s%s", i == 0 ? "[" : i < x->rank ? "," : "", d);
    }
    if (at < n)
        snprintf(buf + at, n - at, "]");
    return buf;
}
