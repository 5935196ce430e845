/* Choosing the next token from logits.
 *
 * The order of the steps is llama.cpp's: repetition penalty, top-k, top-p, min-p, temperature,
 * draw. Ties go to the smaller id, so the same logits and seed give the same tokens everywhere. */
#ifndef SAL_LM_SAMPLE_H
#define SAL_LM_SAMPLE_H

#include "base/base.h"

typedef struct sal_sample_opts {
    double temperature; /* 0: always the most probable token; else > 0 */
    int32_t top_k;      /* keep that many of the most probable tokens; 0: all */
    double top_p;       /* then the fewest whose probabilities sum to this much; 1: all */
    double min_p; /* then those with at least this share of the best one's probability; 0: all */
    double
        repetition_penalty; /* of tokens among the last penalty_window: a logit > 0 is divided, else
                               multiplied (Keskar et al. 2019, CTRL, eq. in section 4.1); 1: none */
    int32_t penalty_window; /* tokens */
    uint64_t seed;
} sal_sample_opts;

typedef struct sal_sampler sal_sampler;

/* stream: numbers of different streams are independent (one for each prompt of a batch). *out:
 * sal_sampler_free(). Errors: SAL_EINVAL (names the option and its range), SAL_ENOMEM. */
sal_status sal_sampler_new(sal_sampler **out, const sal_sample_opts *opts, uint64_t stream,
                           int64_t vocabulary, sal_error *err);
void sal_sampler_free(sal_sampler *s);
/* A token of the text, for the repetition penalty. */
void sal_sampler_accept(sal_sampler *s, int32_t id);
/* The next token. logits: one for each id of the vocabulary. NaN counts as impossible. Never fails.
 */
int32_t sal_sampler_pick(sal_sampler *s, const float *logits);

#endif
