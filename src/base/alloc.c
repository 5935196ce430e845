/* Allocation. One door for every byte, so that a test can close it at any moment and count what is
 * left inside. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "base/base.h"

#include <stdatomic.h>
#include <sys/mman.h>

/* From this size on a block is worth page faults of its own. */
enum { ALLOC_PAGES_MIN = 1 << 20 };

/* The only mutable globals of the library; they exist for tests. Relaxed order is enough: no other
 * memory is published through them. */
static atomic_long alloc_live;
static atomic_long alloc_countdown = -1; /* allocations still allowed; -1: no limit */
static atomic_bool alloc_sticky;

void sal_test_fail_after(long n, bool sticky)
{
    atomic_store(&alloc_sticky, sticky);
    atomic_store(&alloc_countdown, n < 0 ? -1 : n);
}

long sal_test_live(void)
{
    return atomic_load(&alloc_live);
}

static bool alloc_refused(void)
{
    long left = atomic_load_explicit(&alloc_countdown, memory_order_relaxed);
    while (left >= 0) {
        long next = left > 0 ? left - 1 : (atomic_load(&alloc_sticky) ? 0 : -1);
        if (atomic_compare_exchange_weak(&alloc_countdown, &left, next))
            return left == 0;
    }
    return false;
}

static void *alloc_counted(void *p)
{
    if (p != NULL)
        atomic_fetch_add_explicit(&alloc_live, 1, memory_order_relaxed);
    return p;
}

/* Zero bytes give a pointer of their own: NULL always means failure. */

void *sal_malloc(size_t bytes)
{
    if (bytes > PTRDIFF_MAX || alloc_refused())
        return NULL;
    return alloc_counted(malloc(bytes > 0 ? bytes : 1));
}

void *sal_calloc(size_t count, size_t size)
{
    size_t bytes;
    if (!sal_mul_ok(count, size, &bytes) || bytes > PTRDIFF_MAX || alloc_refused())
        return NULL;
    return alloc_counted(calloc(1, bytes > 0 ? bytes : 1));
}

void *sal_realloc(void *p, size_t bytes)
{
    if (p == NULL)
        return sal_malloc(bytes);
    if (bytes > PTRDIFF_MAX || alloc_refused())
        return NULL;
    return realloc(p, bytes > 0 ? bytes : 1);
}

void *sal_aligned(size_t bytes)
{
    /* C11 asks for a multiple of the alignment. */
    if (bytes > PTRDIFF_MAX - 64 || alloc_refused())
        return NULL;
    return alloc_counted(aligned_alloc(64, bytes > 0 ? (bytes + 63) / 64 * 64 : 64));
}

void *sal_pages(size_t bytes)
{
    if (bytes < ALLOC_PAGES_MIN) {
        void *p = sal_aligned(bytes);
        if (p != NULL)
            memset(p, 0, bytes);
        return p;
    }
    if (bytes > PTRDIFF_MAX - 64 || alloc_refused())
        return NULL;
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return alloc_counted(p == MAP_FAILED ? NULL : p);
}

void sal_pages_free(void *p, size_t bytes)
{
    if (p == NULL || bytes < ALLOC_PAGES_MIN) {
        sal_free(p);
        return;
    }
    atomic_fetch_sub_explicit(&alloc_live, 1, memory_order_relaxed);
    (void)munmap(p, bytes);
}

char *sal_strdup(const char *s)
{
    size_t n = strlen(s) + 1;
    char *copy = sal_malloc(n);
    if (copy != NULL)
        memcpy(copy, s, n);
    return copy;
}

void sal_free(void *p)
{
    if (p == NULL)
        return;
    atomic_fetch_sub_explicit(&alloc_live, 1, memory_order_relaxed);
    free(p);
}

bool sal_mul_ok(size_t a, size_t b, size_t *out)
{
    if (b != 0 && a > SIZE_MAX / b)
        return false;
    *out = a * b;
    return true;
}

bool sal_add_ok(size_t a, size_t b, size_t *out)
{
    if (a > SIZE_MAX - b)
        return false;
    *out = a + b;
    return true;
}
