/* Running a language model forward: prompts in blocks, then token by token, with a key-value cache.
 *
 * A decoder works on any graph with the inputs `input_ids` int64[batch,sequence], an inner value
 * `positions` int64[batch,sequence] and the output `logits` float32[batch,sequence,vocabulary],
 * whose causal Attention nodes are one a layer (what format/gguf builds). The graph is cut at
 * `positions` and planned for the shapes that are met: blocks of a prompt, one token of one or of
 * several rows. All plans share one cache. Belongs to one thread at a time. */
#ifndef SAL_LM_DECODER_H
#define SAL_LM_DECODER_H

#include "graph/graph.h"

typedef struct sal_decoder sal_decoder;

typedef struct sal_decoder_opts {
    int threads;        /* 0: all */
    bool exact;         /* float32 arithmetic with the unpacked weights; else 8-bit activations and
                           bfloat16 tiles where they are faster */
    const char *policy; /* of the cache: exec/policies.def */
    int64_t context;    /* positions of a row; at least 1 */
    int32_t rows;       /* texts that are worked on at once; at least 1 */
} sal_decoder_opts;

/* model: kept by reference to its constants, not itself. *out: sal_decoder_free(). Errors:
 * SAL_EUNSUPPORTED (not such a graph), SAL_EINVAL (unknown policy), SAL_ENOMEM. */
sal_status sal_decoder_new(sal_decoder **out, const sal_graph *model, const sal_decoder_opts *opts,
                           sal_error *err);
void sal_decoder_free(sal_decoder *d);

/* Append n >= 1 tokens to a row. logits: vocabulary numbers, those behind the last token; NULL: not
 * wanted. Errors: SAL_EINVAL (no such id; the context is full: nothing is appended), SAL_ENOMEM. */
sal_status sal_decoder_feed(sal_decoder *d, int32_t row, const int32_t *ids, size_t n,
                            float *logits, sal_error *err);
/* The same with the logits behind every token: [n, vocabulary]. */
sal_status sal_decoder_feed_all(sal_decoder *d, int32_t row, const int32_t *ids, size_t n,
                                float *logits, sal_error *err);
/* Make the row hold exactly these tokens: what it holds already from the beginning stays, the rest
 * is dropped and computed. *reused (may be NULL): tokens that stayed. */
sal_status sal_decoder_set(sal_decoder *d, int32_t row, const int32_t *ids, size_t n, float *logits,
                           size_t *reused, sal_error *err);
/* One more token for each of n different rows at once. logits: [n, vocabulary]. */
sal_status sal_decoder_step(sal_decoder *d, size_t n, const int32_t *rows, const int32_t *ids,
                            float *logits, sal_error *err);

/* Tokens of a row; borrowed until the row changes. */
const int32_t *sal_decoder_ids(const sal_decoder *d, int32_t row, size_t *n);
/* Forget all but the first n tokens of a row. */
void sal_decoder_truncate(sal_decoder *d, int32_t row, size_t n);

int64_t sal_decoder_vocabulary(const sal_decoder *d);
int64_t sal_decoder_context(const sal_decoder *d);
int32_t sal_decoder_rows(const sal_decoder *d);

typedef struct sal_decoder_stats {
    size_t cache_bytes;  /* of the tokens that are in the cache */
    size_t cache_room;   /* taken for the whole context */
    size_t arena_bytes;  /* activations and scratch of all plans that are kept */
    size_t weight_bytes; /* weights that were copied into another layout */
    size_t plans;
} sal_decoder_stats;

void sal_decoder_get_stats(const sal_decoder *d, sal_decoder_stats *out);
/* Times of every step of a block of n tokens behind what row 0 holds, which stays. Appended to *out
 * as text. */
sal_status sal_decoder_profile(sal_decoder *d, size_t n, sal_bytes *out, sal_error *err);

/* A row and its cache as a file, so that a long prompt need not be computed again. Loading refuses
 * a file of another model, policy or a damaged one (SAL_EFORMAT, begins with the path) and leaves
 * the row empty then. */
sal_status sal_decoder_save(const sal_decoder *d, int32_t row, const char *path, sal_error *err);
sal_status sal_decoder_load(sal_decoder *d, int32_t row, const char *path, sal_error *err);

#endif
