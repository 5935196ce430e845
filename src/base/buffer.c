/* Counted storage behind tensors. */
#include "base/base.h"

#include <stdatomic.h>

struct sal_buffer {
    atomic_long refs;
    void *data;
    size_t bytes;
    void (*release)(void *ctx); /* may be NULL: nothing to release */
    void *ctx;
};

sal_status sal_buffer_wrap(sal_buffer **out, void *data, size_t bytes, void (*release)(void *ctx),
                           void *ctx, sal_error *err)
{
    *out = NULL;
    sal_buffer *b = sal_calloc(1, sizeof *b);
    if (b == NULL)
        return sal_fail_nomem(err);
    atomic_init(&b->refs, 1);
    b->data = data;
    b->bytes = bytes;
    b->release = release;
    b->ctx = ctx;
    *out = b;
    return SAL_OK;
}

static void buffer_free_pages(void *ctx)
{
    sal_buffer *b = ctx;
    sal_pages_free(b->data, b->bytes);
}

sal_status sal_buffer_new(sal_buffer **out, void **data, size_t bytes, sal_error *err)
{
    *data = sal_pages(bytes);
    if (*data == NULL) {
        *out = NULL;
        return sal_fail_nomem(err);
    }
    sal_status st = sal_buffer_wrap(out, *data, bytes, buffer_free_pages, NULL, err);
    if (st != SAL_OK) {
        sal_pages_free(*data, bytes);
        *data = NULL;
        return st;
    }
    (*out)->ctx = *out;
    return SAL_OK;
}

sal_buffer *sal_buffer_ref(sal_buffer *b)
{
    if (b != NULL)
        atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void sal_buffer_unref(sal_buffer *b)
{
    /* acq_rel: the last owner must see what the others wrote before it releases the memory. */
    if (b == NULL || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) > 1)
        return;
    if (b->release != NULL)
        b->release(b->ctx);
    sal_free(b);
}
