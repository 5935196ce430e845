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
    if (sal_grow(&g->symbols, g->n_symbols + 1, &g->cap_symbols, sizeof(sal_symbol), NULL) != SAL_OK)
        return 0;
    int32_t index = (int32_t)g->n_symbols++;
    g->symbols[index] = (sal_symbol){ name, base < 0 ? index : base, coeff };
    return symbol_dim(index);
}

int64_t sal_dim_symbol(sal_graph *g, const char *name)
{
    for (size_t i = 0; i < g->n_symbols; i++)
        if (g->symbols[i].coeff == 1 && strcmp(g->symbols[i].name, name) == 0)
            return symbol_dim((int32_t)i);
    return symbol_push(g, sal_arena_strdup(&g->arena, name), -1, 1);
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
    for (size_t i = 0; i < g->n_symbols; i++)
        if (g->symbols[i].base == base && g->symbols[i].coeff == coeff)
            return symbol_dim((int32_t)i);
    return symbol_push(
        g, sal_arena_printf(&g->arena, "%" PRId64 "*%s", coeff, g->symbols[base].name), base, coeff);
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
