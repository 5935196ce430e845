/* Arena: a chain of blocks, each twice the last up to a limit, freed together. */
#include "base/base.h"

#include <stdarg.h>
#include <stdio.h>

enum { ARENA_ALIGN = 16, ARENA_FIRST = 4096, ARENA_LIMIT = 1 << 18 };

typedef struct sal_arena_block {
    struct sal_arena_block *next;
    size_t used, cap; /* of the bytes behind the header */
} sal_arena_block;

/* Header rounded up, so that the bytes behind it are aligned. */
static const size_t arena_header =
    (sizeof(sal_arena_block) + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;

static char *arena_data(sal_arena_block *b)
{
    return (char *)b + arena_header;
}

void *sal_arena_alloc(sal_arena *a, size_t bytes)
{
    if (bytes > PTRDIFF_MAX / 2)
        return NULL;
    bytes = (bytes + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    if (bytes == 0)
        bytes = ARENA_ALIGN;

    sal_arena_block *b = a->head;
    if (b == NULL || b->cap - b->used < bytes) {
        size_t cap = b == NULL ? ARENA_FIRST : SAL_MIN(b->cap * 2, (size_t)ARENA_LIMIT);
        bool alone = bytes > cap / 2;
        sal_arena_block *fresh = sal_calloc(1, arena_header + (alone ? bytes : cap));
        if (fresh == NULL)
            return NULL;
        fresh->cap = alone ? bytes : cap;
        if (alone && b != NULL) {
            /* A big request sits behind the head, so that the head's free space is still used. */
            fresh->next = b->next;
            b->next = fresh;
        } else {
            fresh->next = b;
            a->head = fresh;
        }
        b = fresh;
    }
    void *p = arena_data(b) + b->used;
    b->used += bytes;
    return p;
}

char *sal_arena_strdup(sal_arena *a, const char *s)
{
    return sal_arena_memdup(a, s, strlen(s) + 1);
}

char *sal_arena_strndup(sal_arena *a, const char *s, size_t n)
{
    size_t len = 0;
    while (len < n && s[len] != '\0')
        len++;
    if (len == SIZE_MAX)
        return NULL;
    char *copy = sal_arena_alloc(a, len + 1);
    if (copy != NULL && len > 0)
        memcpy(copy, s, len);
    return copy;
}

char *sal_arena_printf(sal_arena *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        return NULL;
    char *text = sal_arena_alloc(a, (size_t)n + 1);
    if (text == NULL)
        return NULL;
    va_start(ap, fmt);
    (void)vsnprintf(text, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return text;
}

void *sal_arena_memdup(sal_arena *a, const void *p, size_t bytes)
{
    void *copy = sal_arena_alloc(a, bytes);
    if (copy != NULL && bytes > 0)
        memcpy(copy, p, bytes);
    return copy;
}

void sal_arena_free(sal_arena *a)
{
    sal_arena_block *b = a->head;
    while (b != NULL) {
        sal_arena_block *next = b->next;
        sal_free(b);
        b = next;
    }
    a->head = NULL;
}
