/* Perplexity by chunks, the second half of each predicted. */
#include "lm/perplexity.h"

#include <math.h>

/* -log softmax(logits)[id] */
static double perplexity_nll(const float *logits, int64_t n, int32_t id)
{
    float most = logits[0];
    double sum = 0.0;

    for (int64_t i = 1; i < n; i++)
        most = logits[i] > most ? logits[i] : most;
    for (int64_t i = 0; i < n; i++)
        sum += exp((double)logits[i] - (double)most);
    return log(sum) + (double)most - (double)logits[id];
}

typedef struct perplexity_sum {
    double sum, squares;
    size_t n;
} perplexity_sum;

static void perplexity_result(const perplexity_sum *s, size_t chunks, sal_perplexity *out)
{
    double mean = s->n == 0 ? 0.0 : s->sum / (double)s->n;
    double variance = s->n < 2 ? 0.0 : s->squares / (double)s->n - mean * mean;

    *out = (sal_perplexity){mean, s->n < 2 ? 0.0 : sqrt(fmax(variance, 0.0) / (double)(s->n - 1)),
                            s->n, chunks};
}

sal_status sal_decoder_perplexity(sal_decoder *d, const int32_t *ids, size_t n, size_t chunk,
                                  int32_t bos, sal_perplexity *out, sal_perplexity_fn fn, void *ctx,
                                  sal_error *err)
{
    enum { BLOCK = 64 };
    int64_t vocabulary = sal_decoder_vocabulary(d);
    size_t chunks, half;
    perplexity_sum sum = {0.0, 0.0, 0};
    float *logits = NULL;
    int32_t *text = NULL;
    sal_status st = SAL_OK;

    *out = (sal_perplexity){0};
    chunk = chunk == 0 ? 512 : chunk;
    if (chunk < 2 || chunk > (size_t)sal_decoder_context(d))
        return sal_fail(err, SAL_EINVAL,
                        "chunks of %zu tokens: 2 to the context of %lld are possible", chunk,
                        (long long)sal_decoder_context(d));
    chunks = n / chunk;
    half = chunk / 2;
    if (chunks == 0)
        return sal_fail(err, SAL_EINVAL,
                        "the text has %zu tokens, a chunk %zu: shorter chunks would help", n,
                        chunk);
    logits = sal_malloc((size_t)BLOCK * (size_t)vocabulary * sizeof(*logits));
    text = sal_malloc(chunk * sizeof(*text));
    if (logits == NULL || text == NULL)
        SAL_TRY(sal_fail_nomem(err));
    for (size_t c = 0; c < chunks; c++) {
        memcpy(text, ids + c * chunk, chunk * sizeof(*text));
        if (bos >= 0)
            text[0] = bos;
        sal_decoder_truncate(d, 0, 0);
        SAL_TRY(sal_decoder_feed(d, 0, text, half, NULL, err));
        for (size_t i = half; i < chunk - 1;) {
            size_t m = SAL_MIN(chunk - 1 - i, (size_t)BLOCK);

            SAL_TRY(sal_decoder_feed_all(d, 0, text + i, m, logits, err));
            for (size_t k = 0; k < m; k++) {
                double nll =
                    perplexity_nll(logits + k * (size_t)vocabulary, vocabulary, text[i + k + 1]);

                sum.sum += nll;
                sum.squares += nll * nll;
                sum.n++;
            }
            i += m;
        }
        perplexity_result(&sum, c + 1, out);
        if (fn != NULL && !fn(ctx, (double)(c + 1) / (double)chunks, out))
            SAL_TRY(sal_fail(err, SAL_ECANCELLED, "interrupted after %zu of %zu chunks", c + 1,
                             chunks));
    }
done:
    sal_decoder_truncate(d, 0, 0);
    sal_free(logits);
    sal_free(text);
    return st;
}
