/* TfIdfVectorizer: counts the n-grams of a pool in sequences of integers; n-grams may skip up to
 * max_skip_count elements between neighbours. */
#include "ops/core/elementwise.h"

#include <stdlib.h>

typedef struct tf_idf_gram {
    const int64_t *at; /* n numbers in the pool */
    int64_t n;
    size_t which; /* n-gram number */
} tf_idf_gram;

typedef struct tf_idf {
    const sal_attr *pool, *counts, *indexes, *weights;
    int64_t shortest, longest, skips, width;
    enum { TF_IDF_COUNT, TF_IDF_SEEN, TF_IDF_WEIGHTED } mode;
} tf_idf;

static sal_status tf_idf_of(tf_idf *t, const sal_node *n, sal_error *err)
{
    const char *mode = sal_node_str(n, "mode", "TF");
    *t = (tf_idf){.pool = sal_node_attr(n, "pool_int64s"),
                  .counts = sal_node_attr(n, "ngram_counts"),
                  .indexes = sal_node_attr(n, "ngram_indexes"),
                  .weights = sal_node_attr(n, "weights"),
                  .shortest = sal_node_int(n, "min_gram_length", 1),
                  .longest = sal_node_int(n, "max_gram_length", 1),
                  .skips = sal_node_int(n, "max_skip_count", 0)};
    t->mode = strcmp(mode, "IDF") == 0     ? TF_IDF_SEEN
              : strcmp(mode, "TFIDF") == 0 ? TF_IDF_WEIGHTED
                                           : TF_IDF_COUNT;
    if (sal_node_attr(n, "pool_strings") != NULL || t->pool == NULL)
        return sal_fail(err, SAL_EUNSUPPORTED, "n-grams of strings are not supported");
    if (t->pool->kind != SAL_ATTR_INTS || t->counts == NULL || t->counts->kind != SAL_ATTR_INTS ||
        t->indexes == NULL || t->indexes->kind != SAL_ATTR_INTS ||
        (t->weights != NULL && t->weights->kind != SAL_ATTR_FLOATS))
        return sal_fail(err, SAL_EINVAL, "pool, ngram_counts and ngram_indexes must be lists");
    if (t->mode == TF_IDF_COUNT && strcmp(mode, "TF") != 0)
        return sal_fail(err, SAL_EINVAL, "mode '%s' is none of TF, IDF and TFIDF", mode);
    if (t->shortest < 1 || t->longest < t->shortest || t->skips < 0 ||
        t->longest > (int64_t)t->counts->n)
        return sal_fail(err, SAL_EINVAL, "n-grams of %lld to %lld elements, %lld skipped",
                        (long long)t->shortest, (long long)t->longest, (long long)t->skips);
    for (size_t i = 0; i < t->indexes->n; i++) {
        if (t->indexes->ints[i] < 0 || t->indexes->ints[i] >= INT64_C(1) << 40)
            return sal_fail(err, SAL_EINVAL, "an index of %lld", (long long)t->indexes->ints[i]);
        t->width = SAL_MAX(t->width, t->indexes->ints[i] + 1);
    }
    if (t->weights != NULL && t->weights->n != t->indexes->n)
        return sal_fail(err, SAL_EINVAL, "as many weights as n-grams are wanted");
    return SAL_OK;
}

/* The part of the pool that holds the n-grams of length n, as numbers from..to. */
static sal_status tf_idf_part(const tf_idf *t, int64_t n, int64_t *from, int64_t *to,
                              sal_error *err)
{
    *from = t->counts->ints[n - 1];
    *to = n < (int64_t)t->counts->n ? t->counts->ints[n] : (int64_t)t->pool->n;
    if (*from < 0 || *to < *from || *to > (int64_t)t->pool->n || (*to - *from) % n != 0)
        return sal_fail(err, SAL_EINVAL, "ngram_counts does not cut the pool into n-grams");
    return SAL_OK;
}

static int tf_idf_order(const void *pa, const void *pb)
{
    const tf_idf_gram *a = pa, *b = pb;
    if (a->n != b->n)
        return a->n < b->n ? -1 : 1;
    for (int64_t i = 0; i < a->n; i++)
        if (a->at[i] != b->at[i])
            return a->at[i] < b->at[i] ? -1 : 1;
    return 0;
}

/* All n-grams of the pool, sorted. */
static sal_status tf_idf_index(const tf_idf *t, tf_idf_gram **out, size_t *count, sal_error *err)
{
    int64_t from, to;
    size_t total = 0;
    sal_status st = SAL_OK;
    *out = sal_calloc(t->pool->n + 1, sizeof **out);
    if (*out == NULL)
        return sal_fail_nomem(err);
    for (int64_t n = 1; n <= (int64_t)t->counts->n; n++) {
        SAL_TRY(tf_idf_part(t, n, &from, &to, err));
        for (int64_t i = from; i < to; i += n, total++)
            (*out)[total] = (tf_idf_gram){t->pool->ints + i, n, total};
    }
    if (total != t->indexes->n)
        st = sal_fail(err, SAL_EINVAL, "%zu n-grams but %zu indexes", total, t->indexes->n);
    qsort(*out, total, sizeof **out, tf_idf_order);
    *count = total;
done:
    return st;
}

static sal_status tf_idf_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    int64_t dims[2];
    tf_idf t;
    sal_status st;
    SAL_TRY(tf_idf_of(&t, c->node, c->err));
    if (x->dtype != SAL_DT_NONE && x->dtype != SAL_I32 && x->dtype != SAL_I64)
        return sal_fail(c->err, SAL_EINVAL, "the input must be int32 or int64");
    if (x->rank < 0)
        return sal_infer_out(c, 0, SAL_F32, -1, NULL);
    if (x->rank != 1 && x->rank != 2)
        return sal_fail(c->err, SAL_ESHAPE, "the input must have 1 or 2 dimensions");
    dims[0] = x->rank == 2 ? x->dims[0] : t.width;
    dims[1] = t.width;
    SAL_TRY(sal_infer_out(c, 0, SAL_F32, x->rank, dims));
done:
    return st;
}

/* Count the n-grams of one row. `gram` has room for the longest one. */
static void tf_idf_row(const tf_idf *t, const tf_idf_gram *grams, size_t count, const sal_tensor *x,
                       int64_t first, int64_t len, int64_t *gram, float *y)
{
    for (int64_t n = t->shortest; n <= t->longest && n <= len; n++) {
        int64_t most = n == 1 ? 0 : SAL_MIN(t->skips, (len - 1) / (n - 1) - 1);
        for (int64_t apart = 1; apart <= most + 1; apart++) {
            for (int64_t i = 0; i + (n - 1) * apart < len; i++) {
                for (int64_t k = 0; k < n; k++)
                    gram[k] = (int64_t)sal_tensor_get(x, first + i + k * apart);
                tf_idf_gram key = {gram, n, 0};
                const tf_idf_gram *hit = bsearch(&key, grams, count, sizeof key, tf_idf_order);
                if (hit != NULL)
                    y[t->indexes->ints[hit->which]] += 1.0F;
            }
        }
    }
}

static sal_status tf_idf_eval(const sal_eval *e)
{
    const sal_tensor *x = e->in[0];
    int64_t len = x->dims[x->rank - 1], rows = x->rank == 2 ? x->dims[0] : 1, *gram = NULL;
    tf_idf_gram *grams = NULL;
    size_t count = 0;
    float *y = e->out[0]->data;
    tf_idf t;
    sal_status st;
    SAL_TRY(tf_idf_of(&t, e->node, e->err));
    /* every start with every distance: quadratic in the length */
    if ((double)rows * (double)len * (double)SAL_MIN(t.skips, len) * (double)t.longest > 1e10)
        return sal_fail(e->err, SAL_EUNSUPPORTED, "%lld skips in sequences of %lld are too many",
                        (long long)t.skips, (long long)len);
    SAL_TRY(tf_idf_index(&t, &grams, &count, e->err));
    gram = sal_calloc((size_t)SAL_MAX(SAL_MIN(t.longest, len), 1), sizeof *gram);
    if (gram == NULL) {
        st = sal_fail_nomem(e->err);
        goto done;
    }
    for (int64_t r = 0; r < rows && t.width > 0; r++) {
        float *row = y + r * t.width;
        tf_idf_row(&t, grams, count, x, r * len, len, gram, row);
        for (size_t g = 0; g < count && t.mode != TF_IDF_COUNT; g++) {
            float *at = row + t.indexes->ints[g];
            float w = t.weights != NULL ? (float)t.weights->floats[g] : 1.0F;
            *at = (t.mode == TF_IDF_SEEN ? (*at > 0.0F ? 1.0F : 0.0F) : *at) * w;
        }
    }
done:
    sal_free(gram);
    sal_free(grams);
    return st;
}

static const char *const tf_idf_cases[] = {
    "i32[12]{1,1,3,3,3,7,8,6,7,5,6,8} ; mode=\"TF\" min_gram_length=2 max_gram_length=2 "
    "max_skip_count=5 ngram_counts=[0,4] ngram_indexes=[0,1,2,3,4,5,6] "
    "pool_int64s=[2,3,5,4,5,6,7,8,6,7]",
    "i64[2,6]{1,1,3,3,3,7,8,6,7,5,6,8} ; mode=\"TFIDF\" min_gram_length=1 max_gram_length=2 "
    "max_skip_count=1 ngram_counts=[0,4] ngram_indexes=[0,1,2,3,4,5,6] "
    "pool_int64s=[2,3,5,4,5,6,7,8,6,7] weights=[1.0,2.0,3.0,0.5,0.25,4.0,5.0]",
    NULL,
};

const sal_op_desc sal_op_tf_idf_vectorizer = {
    .name = "TfIdfVectorizer",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_NOGRAD,
    .since = 9,
    .infer = tf_idf_infer,
    .eval = tf_idf_eval,
    .cases = tf_idf_cases,
};
