/* Unique names (onnx_names.h). */
#include "format/onnx_names.h"

static size_t names_find(const sal_onnx_names *s, const char *name)
{
    size_t i = (size_t)sal_hash(name, strlen(name), 0) & (s->cap - 1);
    while (s->slot[i] != NULL && strcmp(s->slot[i], name) != 0)
        i = (i + 1) & (s->cap - 1);
    return i;
}

static sal_status names_fit(sal_onnx_names *s, sal_error *err)
{
    if ((s->used + 1) * 2 <= s->cap)
        return SAL_OK;
    sal_onnx_names bigger = {NULL, s->cap == 0 ? 64 : s->cap * 2, s->used};
    bigger.slot = sal_calloc(bigger.cap, sizeof *bigger.slot);
    if (bigger.slot == NULL)
        return sal_fail_nomem(err);
    for (size_t i = 0; i < s->cap; i++)
        if (s->slot[i] != NULL)
            bigger.slot[names_find(&bigger, s->slot[i])] = s->slot[i];
    sal_onnx_names_free(s);
    *s = bigger;
    return SAL_OK;
}

sal_status sal_onnx_names_unique(sal_onnx_names *s, sal_arena *arena, const char *name,
                                 const char **out, sal_error *err)
{
    sal_status st = names_fit(s, err);
    if (st != SAL_OK)
        return st;
    size_t at = names_find(s, name);
    /* The number of names so far: mostly free at once, so many equal names stay cheap. */
    for (size_t number = s->used; s->slot[at] != NULL; number++) {
        *out = sal_arena_printf(arena, "%s_%zu", name, number);
        if (*out == NULL)
            return sal_fail_nomem(err);
        at = names_find(s, *out);
        if (s->slot[at] == NULL)
            name = *out;
    }
    s->slot[at] = *out = name;
    s->used++;
    return SAL_OK;
}

void sal_onnx_names_free(sal_onnx_names *s)
{
    sal_free((void *)(uintptr_t)s->slot);
    s->slot = NULL;
    s->cap = s->used = 0;
}
