/* Value names of a graph -> ids: open addressing, keys borrowed from the values. */
#include "graph/names.h"

struct sal_name_map {
    sal_vid *slot; /* SAL_NONE = empty */
    size_t cap, used;
};

sal_status sal_names_new(sal_name_map **out, sal_error *err)
{
    *out = sal_calloc(1, sizeof **out);
    return *out == NULL ? sal_fail_nomem(err) : SAL_OK;
}

void sal_names_free(sal_name_map *m)
{
    if (m == NULL)
        return;
    sal_free(m->slot);
    sal_free(m);
}

static size_t names_slot(const sal_name_map *m, const sal_graph *g, const char *name)
{
    size_t i = (size_t)sal_hash(name, strlen(name), 0) & (m->cap - 1);
    while (m->slot[i] != SAL_NONE && strcmp(g->values[m->slot[i]]->name, name) != 0)
        i = (i + 1) & (m->cap - 1);
    return i;
}

sal_vid sal_names_find(const sal_name_map *m, const sal_graph *g, const char *name)
{
    return m->cap == 0 ? SAL_NONE : m->slot[names_slot(m, g, name)];
}

static sal_status names_rehash(sal_name_map *m, const sal_graph *g, size_t cap, sal_error *err)
{
    sal_vid *old = m->slot;
    size_t old_cap = m->cap;
    sal_vid *slot = sal_malloc(cap * sizeof *slot);
    if (slot == NULL)
        return sal_fail_nomem(err);
    for (size_t i = 0; i < cap; i++)
        slot[i] = SAL_NONE;
    m->slot = slot;
    m->cap = cap;
    for (size_t i = 0; i < old_cap; i++)
        if (old[i] != SAL_NONE)
            slot[names_slot(m, g, g->values[old[i]]->name)] = old[i];
    sal_free(old);
    return SAL_OK;
}

sal_status sal_names_add(sal_name_map *m, const sal_graph *g, sal_vid v, sal_error *err)
{
    if ((m->used + 1) * 2 > m->cap) {
        sal_status st = names_rehash(m, g, m->cap == 0 ? 64 : m->cap * 2, err);
        if (st != SAL_OK)
            return st;
    }
    m->slot[names_slot(m, g, g->values[v]->name)] = v;
    m->used++;
    return SAL_OK;
}

sal_status sal_names_rebuild(sal_name_map *m, const sal_graph *g, sal_error *err)
{
    size_t cap = 64;
    while (cap < g->n_values * 2 + 2)
        cap *= 2;
    sal_free(m->slot);
    m->slot = NULL;
    m->cap = 0;
    m->used = g->n_values;
    sal_status st = names_rehash(m, g, cap, err);
    if (st != SAL_OK)
        return st;
    for (size_t i = 0; i < g->n_values; i++)
        m->slot[names_slot(m, g, g->values[i]->name)] = (sal_vid)i;
    return SAL_OK;
}
