/* Resolving a question (query.h).
 *
 * T = mean of the logits asked for - mean of the foils': averaging, so that many foils do not
 * outweigh the class, and one class in a group counts as much as the next. */
#include "explain/query.h"
#include "explain/span.h"

#include <stdio.h>

typedef struct query_context {
    int64_t elements; /* of a sample of the output */
    int64_t classes;  /* what an index or a name chooses from: the elements, or the channels of an
                         output that is a picture when the question is about a region of it */
    const sal_region *region; /* NULL: none */
    const double *means;      /* [classes] of the sample at work: mean logits over the region */
    int rank;
    const int64_t *dims;
    const sal_tensor *logits;
    const sal_labels *labels;
    sal_query *out;
    sal_error *err;
} query_context;

/* "top" -> 1, "top3" -> 3, else 0. */
static int64_t query_top(const char *text)
{
    char *end;

    if (strncmp(text, "top", 3) != 0)
        return 0;
    if (text[3] == '\0')
        return 1;
    if (text[3] < '1' || text[3] > '9')
        return 0;
    long n = strtol(text + 3, &end, 10);
    return *end == '\0' && n < 1000000000L ? n : 0;
}

/* Numbers separated by commas, alone or in brackets behind a name. Returns how many, 0 when it is
 * something else. */
static int query_numbers(const char *text, int64_t *out)
{
    const char *open = strchr(text, '['), *p = open == NULL ? text : open + 1;
    int n = 0;

    while (n < SAL_MAX_RANK) {
        char *end;

        if (*p < '0' || *p > '9')
            return 0;
        long long v = strtoll(p, &end, 10);
        out[n++] = v;
        if (*end != ',') {
            if (open != NULL)
                return end[0] == ']' && end[1] == '\0' ? n : 0;
            return *end == '\0' ? n : 0;
        }
        p = end + 1;
    }
    return 0;
}

static sal_status query_index(const query_context *c, const char *text, int n, const int64_t *at,
                              int64_t *out)
{
    if (n > 1 && c->region != NULL)
        return sal_fail(c->err, SAL_EINVAL, "%s is one element; with a region name a class", text);
    if (n == 1) {
        *out = at[0];
        if (at[0] >= c->classes)
            return sal_fail(c->err, SAL_EINVAL,
                            "class %s does not exist: the model has %lld, from 0", text,
                            (long long)c->classes);
        return SAL_OK;
    }
    if (n != c->rank)
        return sal_fail(c->err, SAL_EINVAL,
                        "%s has %d indices, but a sample of the output has %d dimensions", text, n,
                        c->rank);
    *out = 0;
    for (int i = 0; i < n; i++) {
        if (at[i] >= c->dims[i])
            return sal_fail(c->err, SAL_EINVAL,
                            "%s lies outside the output: dimension %d has %lld elements", text, i,
                            (long long)c->dims[i]);
        *out = *out * c->dims[i] + at[i];
    }
    return SAL_OK;
}

static double query_logit(const query_context *c, size_t s, int64_t k)
{
    if (c->region != NULL)
        return c->means[k];
    return sal_tensor_get(c->logits, (int64_t)s * c->classes + k);
}

/* The class with the nth largest logit; of equal ones the lower index. */
static sal_status query_nth(const query_context *c, const char *text, size_t s, int64_t nth,
                            int64_t *out)
{
    int64_t last = -1;

    if (nth > c->classes)
        return sal_fail(c->err, SAL_EINVAL, "%s does not exist: the model has %lld classes", text,
                        (long long)c->classes);
    if (c->logits == NULL)
        return sal_fail(c->err, SAL_EINVAL, "%s needs the model's answer first", text);
    for (int64_t i = 0; i < nth; i++) {
        int64_t best = -1;

        for (int64_t k = 0; k < c->classes; k++) {
            double v = query_logit(c, s, k);
            bool later = last < 0 || v < query_logit(c, s, last) ||
                         (v == query_logit(c, s, last) && k > last);

            if (later && (best < 0 || v > query_logit(c, s, best)))
                best = k;
        }
        if (best < 0)
            return sal_fail(c->err, SAL_EINVAL,
                            "the model's answer is not a number, so it has no %s class", text);
        last = best;
    }
    *out = last;
    return SAL_OK;
}

/* Name of a class, NULL when it has none. */
static const char *query_name(const sal_labels *labels, int64_t k)
{
    const char *name = labels == NULL || (size_t)k >= sal_labels_count(labels)
                           ? ""
                           : sal_labels_short(labels, (size_t)k);

    return name[0] == '\0' ? NULL : name;
}

static sal_status query_named(const query_context *c, const char *text, size_t s, int64_t *out)
{
    sal_label_match how;
    int32_t *found = NULL;
    size_t n = 0;
    sal_status st = SAL_OK;

    *out = -1;
    if (c->labels == NULL)
        return sal_fail(c->err, SAL_EINVAL,
                        "%s: the classes of this model have no names; give an index", text);
    SAL_TRY(sal_labels_find(c->labels, text, &found, &n, &how, c->err));
    for (size_t i = 0; i < n; i++) {
        if (found[i] < 0 || found[i] >= c->classes)
            continue;
        if (*out < 0 ||
            (c->logits != NULL && query_logit(c, s, found[i]) > query_logit(c, s, *out)))
            *out = found[i];
    }
    if (*out < 0) {
        st = sal_fail(c->err, SAL_EINVAL, "%s is class %d, but the model has only %lld classes",
                      text, (int)found[0], (long long)c->classes);
        goto done;
    }
    if (n > 1 && s == 0) {
        const char *name = query_name(c->labels, *out);

        st = sal_bytes_printf(
            &c->out->notes, c->err, "%s%s fits %zu classes; taken for %lld %s, the likeliest",
            c->out->notes.len > 0 ? "; " : "", text, n, (long long)*out, name == NULL ? "" : name);
    }
done:
    sal_free(found);
    return st;
}

static sal_status query_one(const query_context *c, const char *text, size_t s, int64_t *out)
{
    int64_t at[SAL_MAX_RANK], top = query_top(text);
    int n = query_numbers(text, at);

    if (n > 0)
        return query_index(c, text, n, at, out);
    if (top > 0)
        return query_nth(c, text, s, top, out);
    return query_named(c, text, s, out);
}

static bool query_text_needs_logits(const char *text, const sal_labels *labels)
{
    int64_t at[SAL_MAX_RANK];
    sal_label_match how;
    int32_t *found = NULL;
    size_t n = 0;

    if (sal_span_fits(text) || query_numbers(text, at) > 0)
        return false;
    if (query_top(text) > 0)
        return true;
    if (labels == NULL || sal_labels_find(labels, text, &found, &n, &how, NULL) != SAL_OK)
        return false; /* resolving it will report what is wrong */
    sal_free(found);
    return n > 1;
}

bool sal_query_needs_logits(const sal_question *q, const sal_labels *labels)
{
    bool any = q->n_why == 0;

    for (size_t i = 0; i < q->n_why; i++)
        any = any || query_text_needs_logits(q->why[i], labels);
    for (size_t i = 0; i < q->n_not; i++)
        any = any || query_text_needs_logits(q->not_[i], labels);
    return any;
}

static sal_status query_describe(const query_context *c, const char *word, const char *const *texts,
                                 const int64_t *classes, size_t n)
{
    sal_bytes *out = &c->out->text;
    sal_status st = SAL_OK;

    for (size_t i = 0; i < n; i++) {
        const char *name = sal_span_fits(texts[i]) ? NULL : query_name(c->labels, classes[i]);

        SAL_TRY(sal_bytes_printf(out, c->err, "%s%s", i > 0 ? " and " : (out->len > 0 ? ", " : ""),
                                 i > 0 ? "" : word));
        if (sal_span_fits(texts[i]))
            SAL_TRY(sal_bytes_printf(out, c->err, "%s", texts[i]));
        else
            SAL_TRY(sal_bytes_printf(out, c->err, "%lld%s%s", (long long)classes[i],
                                     name == NULL ? "" : " ", name == NULL ? "" : name));
    }
done:
    return st;
}

/* A whole class within the region. */
static sal_span query_class(const query_context *c, int64_t k)
{
    sal_span s = {.sum = false};

    for (int i = 0; i < c->rank; i++)
        s.high[i] = c->dims[i];
    if (c->rank == 3) {
        int axis = c->region->axis == 0 ? 2 : 0;

        s.low[axis] = k;
        s.high[axis] = k + 1;
    }
    return s;
}

/* Add `share` of what the text names to the weights of sample s. *out: the class, of several
 * elements the first. */
static sal_status query_weigh(const query_context *c, const char *text, size_t s, double share,
                              float *w, int64_t *out)
{
    sal_span span;
    int64_t first = 0;
    sal_status st = SAL_OK;

    if (sal_span_fits(text)) {
        SAL_TRY(sal_span_read(&span, text, c->rank, c->dims, c->err));
        sal_span_weigh(&span, c->region, c->rank, c->dims, share, w, &first);
        *out = first;
    } else {
        SAL_TRY(query_one(c, text, s, out));
        if (c->region == NULL) {
            w[*out] += (float)share;
            return SAL_OK;
        }
        span = query_class(c, *out);
        sal_span_weigh(&span, c->region, c->rank, c->dims, share, w, &first);
    }
    if (first < 0)
        st = sal_fail(c->err, SAL_EINVAL, "%s: the region holds no element of it", text);
done:
    return st;
}

/* Weights of one sample. */
static sal_status query_row(const query_context *c, const sal_question *q, size_t s)
{
    static const char *const top = "top";
    sal_query *out = c->out;
    const char *const *why = q->n_why == 0 ? &top : q->why;
    float *w = (float *)out->weights.data + s * (size_t)c->elements;
    int64_t *whys = out->why + s * out->n_why, *foils = out->foil + s * out->n_not;
    bool any = false;
    sal_status st = SAL_OK;

    for (size_t i = 0; i < out->n_why; i++)
        SAL_TRY(query_weigh(c, why[i], s, 1.0 / (double)out->n_why, w, &whys[i]));
    for (size_t i = 0; i < out->n_not; i++)
        SAL_TRY(query_weigh(c, q->not_[i], s, -1.0 / (double)out->n_not, w, &foils[i]));
    for (int64_t k = 0; k < c->elements; k++)
        any = any || w[k] != 0.0F;
    if (!any) {
        st = sal_fail(c->err, SAL_EINVAL, "the question asks why a class and not the same class");
        goto done;
    }
    if (s == 0) {
        SAL_TRY(query_describe(c, "why ", why, whys, out->n_why));
        SAL_TRY(query_describe(c, "not ", q->not_, foils, out->n_not));
        if (c->region != NULL)
            SAL_TRY(sal_bytes_printf(&out->text, c->err, ", in the region"));
    }
done:
    return st;
}

/* Mean logits of every class over the region. */
static void query_means(const query_context *c, size_t s, double *means)
{
    const sal_region *r = c->region;
    int64_t pixels = r->height * r->width, inside = 0;
    bool last = c->rank == 3 && r->axis == 0; /* classes last */

    for (int64_t p = 0; p < pixels; p++)
        inside += r->inside[p];
    for (int64_t k = 0; k < c->classes; k++) {
        means[k] = 0.0;
        for (int64_t p = 0; p < pixels; p++) {
            if (r->inside[p] != 0)
                means[k] +=
                    sal_tensor_get(c->logits, (int64_t)s * c->elements +
                                                  (last ? p * c->classes + k : k * pixels + p)) /
                    (double)inside;
        }
    }
}

sal_status sal_query_resolve(sal_query *out, const sal_question *q, int rank, const int64_t *dims,
                             const sal_tensor *logits, const sal_labels *labels, sal_error *err)
{
    sal_region region = {.axis = 0};
    double *means = NULL;
    query_context c = {.elements = 1,
                       .rank = rank,
                       .dims = dims,
                       .logits = logits,
                       .labels = labels,
                       .out = out,
                       .err = err};
    sal_status st = SAL_OK;

    *out = (sal_query){.n_why = q->n_why == 0 ? 1 : q->n_why, .n_not = q->n_not, .rows = 1};
    for (int i = 0; i < rank; i++)
        c.elements *= dims[i];
    c.classes = c.elements;
    if (c.elements < 1)
        return sal_fail(err, SAL_EINVAL, "the model's output has no elements to ask about");
    if (logits != NULL && sal_query_needs_logits(q, labels))
        out->rows = SAL_MAX((size_t)(sal_tensor_count(logits) / c.elements), 1);
    int64_t shape[2] = {(int64_t)out->rows, c.elements};
    if (q->region != NULL) {
        SAL_TRY(sal_region_make(&region, q->region, rank, dims, err));
        c.region = &region;
        c.classes = c.elements / (region.height * region.width);
        means = sal_calloc((size_t)c.classes, sizeof(*means));
        if (means == NULL)
            SAL_TRY(sal_fail_nomem(err));
        c.means = means;
    }
    SAL_TRY(sal_tensor_new(&out->weights, SAL_F32, 2, shape, err));
    out->why = sal_calloc(out->rows * out->n_why + 1, sizeof(*out->why));
    out->foil = sal_calloc(out->rows * out->n_not + 1, sizeof(*out->foil));
    if (out->why == NULL || out->foil == NULL)
        SAL_TRY(sal_fail_nomem(err));
    for (size_t s = 0; s < out->rows; s++) {
        if (c.region != NULL && logits != NULL)
            query_means(&c, s, means);
        SAL_TRY(query_row(&c, q, s));
    }
done:
    sal_region_free(&region);
    sal_free(means);
    return st;
}

void sal_query_free(sal_query *q)
{
    if (q == NULL)
        return;
    sal_tensor_free(&q->weights);
    sal_free(q->why);
    sal_free(q->foil);
    sal_bytes_free(&q->text);
    sal_bytes_free(&q->notes);
    *q = (sal_query){.rows = 0};
}
