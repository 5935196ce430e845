/* Pearson's and Spearman's correlation, overlap of what is strongest. */
#include "evaluate/similarity.h"

#include <math.h>

typedef struct similarity_item {
    float value;
    size_t at;
} similarity_item;

static int similarity_by_value(const void *a, const void *b)
{
    const similarity_item *x = a, *y = b;

    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return x->at < y->at ? -1 : 1;
}

sal_status sal_ranks(double *ranks, const float *v, size_t n, sal_error *err)
{
    similarity_item *items = sal_calloc(n, sizeof(*items));

    if (items == NULL)
        return sal_fail_nomem(err);
    for (size_t i = 0; i < n; i++)
        items[i] = (similarity_item){v[i], i};
    qsort(items, n, sizeof(*items), similarity_by_value);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && items[end].value == items[i].value;)
            end++;
        for (size_t k = i; k < end; k++)
            ranks[items[k].at] = ((double)i + (double)end - 1.0) / 2.0;
    }
    sal_free(items);
    return SAL_OK;
}

double sal_pearson(const double *a, const double *b, size_t n)
{
    double ma = 0.0, mb = 0.0, ab = 0.0, aa = 0.0, bb = 0.0;

    for (size_t i = 0; i < n; i++) {
        ma += a[i] / (double)n;
        mb += b[i] / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        ab += (a[i] - ma) * (b[i] - mb);
        aa += (a[i] - ma) * (a[i] - ma);
        bb += (b[i] - mb) * (b[i] - mb);
    }
    /* A constant has no correlation with anything; what rounding leaves of it is no signal. */
    if (aa <= 1e-24 * (double)n * ma * ma || bb <= 1e-24 * (double)n * mb * mb)
        return 0.0;
    return ab / (sqrt(aa) * sqrt(bb));
}

/* Of the k elements that rank highest in each; ties are cut by position. */
static double similarity_overlap(const double *a, const double *b, size_t n)
{
    double cut = (double)n - 1.0 - (double)n / 5.0;
    size_t both = 0, any = 0;

    for (size_t i = 0; i < n; i++) {
        both += a[i] > cut && b[i] > cut;
        any += a[i] > cut || b[i] > cut;
    }
    return any == 0 ? 0.0 : (double)both / (double)any;
}

sal_status sal_map_similarity(sal_similarity *out, const float *a, const float *b, size_t n,
                              sal_error *err)
{
    double *work = NULL, *x, *y;
    sal_status st = SAL_OK;

    *out = (sal_similarity){0.0, 0.0, 0.0};
    if (n == 0)
        return sal_fail(err, SAL_EINVAL, "maps without elements cannot be compared");
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(a[i]) || !isfinite(b[i]))
            return sal_fail(err, SAL_EINVAL,
                            "a map holds infinity or NaN at element %zu and cannot be compared", i);
    }
    work = sal_calloc(2 * n, sizeof(*work));
    if (work == NULL)
        return sal_fail_nomem(err);
    x = work;
    y = work + n;
    for (size_t i = 0; i < n; i++) {
        x[i] = (double)a[i];
        y[i] = (double)b[i];
    }
    out->pearson = sal_pearson(x, y, n);
    SAL_TRY(sal_ranks(x, a, n, err));
    SAL_TRY(sal_ranks(y, b, n, err));
    out->spearman = sal_pearson(x, y, n);
    out->overlap = similarity_overlap(x, y, n);
done:
    sal_free(work);
    return st;
}
