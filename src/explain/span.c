/* Sets of output elements (span.h). */
#include "explain/span.h"

bool sal_span_fits(const char *text)
{
    const char *open = strchr(text, '[');
    size_t n = strlen(text);

    if (open == NULL || n < 2)
        return false;
    return text[n - 1] == ']' || (text[n - 1] == ')' && text[n - 2] == ']');
}

static const char *span_number(const char *p, int64_t *out, bool *there)
{
    *there = *p >= '0' && *p <= '9';
    if (!*there)
        return p;
    *out = 0;
    while (*p >= '0' && *p <= '9') {
        *out = SAL_MIN(*out, (int64_t)1 << 48) * 10 + (*p - '0');
        p++;
    }
    return p;
}

/* One of "5", ":", "3:", ":7", "3:7". Returns what follows, NULL when it is none of them. */
static const char *span_axis(const char *p, int64_t length, int64_t *low, int64_t *high)
{
    bool there;

    while (*p == ' ')
        p++;
    *low = 0;
    p = span_number(p, low, &there);
    if (*p == ':') {
        *high = length;
        p = span_number(p + 1, high, &there);
    } else if (there) {
        *high = *low + 1;
    } else {
        return NULL;
    }
    while (*p == ' ')
        p++;
    return p;
}

sal_status sal_span_read(sal_span *out, const char *text, int rank, const int64_t *dims,
                         sal_error *err)
{
    const char *p = strchr(text, '[');
    int n = 0;

    *out = (sal_span){.sum = strncmp(text, "sum(", 4) == 0};
    if ((out->sum || strncmp(text, "mean(", 5) == 0) != (text[strlen(text) - 1] == ')'))
        p = NULL;
    for (int i = 0; i < rank; i++)
        out->high[i] = dims[i];
    for (bool more = p != NULL; more; n++) {
        if (n >= rank)
            return sal_fail(err, SAL_EINVAL,
                            "%s has more indices than the %d dimensions of a sample of the output",
                            text, rank);
        p = span_axis(p + 1, dims[n], &out->low[n], &out->high[n]);
        if (p != NULL && (out->low[n] >= out->high[n] || out->high[n] > dims[n]))
            return sal_fail(err, SAL_EINVAL,
                            "%s lies outside the output: dimension %d has %lld elements", text, n,
                            (long long)dims[n]);
        more = p != NULL && *p == ',';
    }
    if (p == NULL || *p != ']')
        return sal_fail(err, SAL_EINVAL,
                        "%s cannot be read; write NAME[I,J,..] with indices, ranges A:B or :, "
                        "alone or in sum(..) or mean(..)",
                        text);
    return SAL_OK;
}

/* The output's height and width: axes 1 and 2 of [classes, h, w], axes 0 and 1 of [h, w] and of [h,
 * w, classes], which is told by a last axis shorter than both others. */
static bool region_axes(sal_region *out, int rank, const int64_t *dims)
{
    if (rank == 2)
        out->axis = 0;
    else if (rank == 3)
        out->axis = dims[2] < dims[0] && dims[2] < dims[1] ? 0 : 1;
    else
        return false;
    out->height = dims[out->axis];
    out->width = dims[out->axis + 1];
    return true;
}

sal_status sal_region_make(sal_region *out, const sal_tensor *mask, int rank, const int64_t *dims,
                           sal_error *err)
{
    *out = (sal_region){.axis = 0};
    if (!region_axes(out, rank, dims))
        return sal_fail(err, SAL_EINVAL,
                        "a region needs an output that is a picture, but a sample of it has %d "
                        "dimensions",
                        rank);
    bool first = mask->rank == 3 && mask->dims[0] == 1;
    if (mask->rank < 2 || mask->rank > 3 || sal_tensor_count(mask) < 1)
        return sal_fail(err, SAL_ESHAPE, "the region must be a picture, height x width");
    int64_t h = mask->dims[first ? 1 : 0], w = mask->dims[first ? 2 : 1];
    int64_t inner = sal_tensor_count(mask) / (h * w);
    out->inside = sal_calloc((size_t)(out->height * out->width), 1);
    if (out->inside == NULL)
        return sal_fail_nomem(err);
    for (int64_t y = 0; y < out->height; y++) {
        for (int64_t x = 0; x < out->width; x++) {
            int64_t v = (2 * y + 1) * h / (2 * out->height);
            int64_t u = (2 * x + 1) * w / (2 * out->width);

            for (int64_t k = 0; k < inner; k++)
                out->inside[y * out->width + x] |=
                    sal_tensor_get(mask, (v * w + u) * inner + k) != 0.0;
        }
    }
    return SAL_OK;
}

void sal_region_free(sal_region *r)
{
    sal_free(r->inside);
    r->inside = NULL;
}

/* The next index of the span in row-major order; false behind the last. */
static bool span_next(const sal_span *s, int rank, int64_t *at)
{
    for (int i = rank; i-- > 0;) {
        if (++at[i] < s->high[i])
            return true;
        at[i] = s->low[i];
    }
    return false;
}

static int64_t span_element(const sal_region *r, int rank, const int64_t *dims, const int64_t *at)
{
    int64_t k = 0;

    if (r != NULL && r->inside[at[r->axis] * r->width + at[r->axis + 1]] == 0)
        return -1;
    for (int i = 0; i < rank; i++)
        k = k * dims[i] + at[i];
    return k;
}

void sal_span_weigh(const sal_span *s, const sal_region *r, int rank, const int64_t *dims,
                    double share, float *w, int64_t *first)
{
    int64_t at[SAL_MAX_RANK], n = 0;

    *first = -1;
    for (int pass = 0; pass < 2; pass++) {
        memcpy(at, s->low, sizeof(at));
        do {
            int64_t k = span_element(r, rank, dims, at);

            if (k < 0)
                continue;
            if (pass == 0) {
                *first = n == 0 ? k : *first;
                n++;
            } else {
                w[k] += (float)(s->sum ? share : share / (double)n);
            }
        } while (span_next(s, rank, at));
    }
}
