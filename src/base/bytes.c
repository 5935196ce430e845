/* Growing arrays and byte buffers. Capacity doubles, so n additions copy at most 2n elements. */
#include "base/base.h"

#include <stdarg.h>
#include <stdio.h>

sal_status sal_grow(void *items_ptr, size_t need, size_t *cap, size_t size, sal_error *err)
{
    if (need <= *cap)
        return SAL_OK;
    size_t want = *cap < 8 ? 8 : (*cap <= SIZE_MAX / 2 ? *cap * 2 : need);
    if (want < need)
        want = need;
    size_t bytes;
    if (!sal_mul_ok(want, size, &bytes))
        return sal_fail_nomem(err);
    /* The caller's pointer has some T* type; memcpy reads it without breaking aliasing rules. */
    void *items;
    memcpy(&items, items_ptr, sizeof items);
    items = sal_realloc(items, bytes);
    if (items == NULL)
        return sal_fail_nomem(err);
    memcpy(items_ptr, &items, sizeof items);
    *cap = want;
    return SAL_OK;
}

static sal_status bytes_reserve(sal_bytes *b, size_t more, sal_error *err)
{
    size_t need;
    if (!sal_add_ok(b->len, more, &need) || !sal_add_ok(need, 1, &need))
        return sal_fail_nomem(err);
    return sal_grow(&b->data, need, &b->cap, 1, err);
}

sal_status sal_bytes_add(sal_bytes *b, const void *p, size_t n, sal_error *err)
{
    sal_status st = bytes_reserve(b, n, err);
    if (st != SAL_OK)
        return st;
    if (n > 0)
        memcpy(b->data + b->len, p, n);
    b->len += n;
    b->data[b->len] = '\0';
    return SAL_OK;
}

sal_status sal_bytes_printf(sal_bytes *b, sal_error *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        return sal_fail(err, SAL_EINVAL, "text cannot be formatted: \"%s\"", fmt);
    sal_status st = bytes_reserve(b, (size_t)n, err);
    if (st != SAL_OK)
        return st;
    va_start(ap, fmt);
    (void)vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)n;
    return SAL_OK;
}

void sal_bytes_free(sal_bytes *b)
{
    sal_free(b->data);
    *b = (sal_bytes){NULL, 0, 0};
}
