/* Language models: tokens in, the next one out; sampling, chat, perplexity.
 *
 *     sal_lm_open(&lm, "smollm2.gguf", NULL, &err);
 *     sal_lm_session_new(&s, lm, NULL, &err);
 *     sal_lm_generate(s, &prompt, 1, &opts, &answer, &err);
 *
 * The model below is an ordinary sal_model: sal_lm_model() can be run, differentiated, explained
 * and exported as any other. */
#ifndef SALIENCE_LM_H
#define SALIENCE_LM_H

#include <salience/chat.h>
#include <salience/error.h>
#include <salience/model.h>
#include <salience/tokenizer.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Model, tokenizer and chat template. Immutable; threads may share it. */
typedef struct sal_lm sal_lm;

typedef struct sal_lm_opts {
    uint32_t struct_size;      /* set by SAL_LM_OPTS_INIT; fields are only appended */
    const char *tokenizer;     /* tokenizer.json or GGUF file; NULL: the model's own */
    const char *chat_template; /* name of a template (chat.h); NULL: the model's */
} sal_lm_opts;

#define SAL_LM_OPTS_INIT                                                                           \
    {                                                                                              \
        (uint32_t)sizeof(sal_lm_opts), NULL, NULL                                                  \
    }

/* A GGUF file or a Hugging Face folder of a family that `list architectures` names. opts may be
 * NULL. *out: sal_lm_free(). Errors: those of sal_model_open() and sal_tokenizer_open();
 * SAL_EUNSUPPORTED (no language model). */
SAL_API SAL_MUST_USE sal_status sal_lm_open(sal_lm **out, const char *path, const sal_lm_opts *opts,
                                            sal_error *err);
/* Accepts NULL. Sessions keep what they need. */
SAL_API void sal_lm_free(sal_lm *lm);
/* Borrowed. */
SAL_API const sal_model *sal_lm_model(const sal_lm *lm);
SAL_API const sal_tokenizer *sal_lm_tokenizer(const sal_lm *lm);

typedef struct sal_lm_info {
    const char *architecture;  /* "llama"; borrowed */
    const char *name;          /* what the file calls the model; "" when it does not */
    const char *chat_template; /* name of the template in use; NULL: none, or none that is known */
    int64_t layers, width, heads, kv_heads, head_size, feed_forward, vocabulary;
    int64_t context;  /* positions the model was trained for */
    int32_t bos, eos; /* ids; -1: none */
    bool adds_bos;    /* texts begin with bos */
} sal_lm_info;

/* What the file says of the model. The strings are borrowed. */
SAL_API void sal_lm_get_info(const sal_lm *lm, sal_lm_info *out);

/* Text as ids, with bos in front where the model wants it. `special`: names of special tokens in
 * the text become those tokens, as in rendered chats. *out must be SAL_TOKENS_INIT or freed.
 * Errors: those of sal_tokenizer_encode(). */
SAL_API SAL_MUST_USE sal_status sal_lm_encode(const sal_lm *lm, const char *text, size_t n,
                                              bool special, sal_tokens *out, sal_error *err);

/* A conversation as ids by the model's chat template; `answer`: up to where the assistant's next
 * turn begins. *out must be SAL_TOKENS_INIT or freed. Errors: SAL_EUNSUPPORTED (the model has no
 * template, or one that is not known: the message names those that are), SAL_EINVAL (a role that
 * the template does not have). */
SAL_API SAL_MUST_USE sal_status sal_lm_encode_chat(const sal_lm *lm,
                                                   const sal_chat_message *messages, size_t n,
                                                   bool answer, sal_tokens *out, sal_error *err);

/* What is asked of a language model, as a model of its own that any method explains: input
 * `embeddings` float32[batch,sequence,width]; output `next` float32[batch,vocabulary], the logits
 * behind the last token, or, with the n > 0 ids of an answer, `answer` float32[batch,n], the
 * log-probability of each of them. The sequence is then the prompt with all of the answer but its
 * last id; sal_lm_model() computes its `embeddings`. Questions of explain.h are `top`, an id, or of
 * an answer "sum(answer[:])", "answer[A:B]". *out: sal_model_free(). Errors: SAL_EINVAL (no such
 * id), SAL_ENOMEM. */
SAL_API SAL_MUST_USE sal_status sal_lm_asked(sal_model **out, const sal_lm *lm,
                                             const int32_t *answer, size_t n, sal_error *err);

/* ---- sessions ---- */

/* A key-value cache for one or more texts and the plans to run them. Belongs to one thread. */
typedef struct sal_lm_session sal_lm_session;

typedef struct sal_lm_session_opts {
    uint32_t struct_size; /* set by SAL_LM_SESSION_OPTS_INIT; fields are only appended */
    int threads;          /* 0: all */
    bool exact;           /* float32 arithmetic with the weights as they are unpacked; else
                             activations of 8 bits and bfloat16 products where they are faster */
    const char *cache;    /* policy of the key-value cache (`list policies`); NULL: "f16" */
    int64_t context;      /* positions of a text; 0: the model's, at most 4096 */
    int32_t rows;         /* texts at once; 0: 1 */
} sal_lm_session_opts;

#define SAL_LM_SESSION_OPTS_INIT                                                                   \
    {                                                                                              \
        (uint32_t)sizeof(sal_lm_session_opts), 0, false, NULL, 0, 0                                \
    }

/* opts may be NULL. *out: sal_lm_session_free(). Errors: SAL_EINVAL (unknown policy, context beyond
 * 2^24), SAL_ENOMEM. */
SAL_API SAL_MUST_USE sal_status sal_lm_session_new(sal_lm_session **out, const sal_lm *lm,
                                                   const sal_lm_session_opts *opts, sal_error *err);
/* Accepts NULL. */
SAL_API void sal_lm_session_free(sal_lm_session *s);

/* Append n ids to a row's text and compute. logits: NULL, or room for `vocabulary` numbers: the
 * logits behind the last one. Errors: SAL_EINVAL (no such row or id; the context is full, then
 * nothing is appended), SAL_ENOMEM. */
SAL_API SAL_MUST_USE sal_status sal_lm_feed(sal_lm_session *s, int32_t row, const int32_t *ids,
                                            size_t n, float *logits, sal_error *err);
/* The same with the logits behind every token: [n, vocabulary]. */
SAL_API SAL_MUST_USE sal_status sal_lm_feed_all(sal_lm_session *s, int32_t row, const int32_t *ids,
                                                size_t n, float *logits, sal_error *err);
/* Ids of a row's text; borrowed until it changes. */
SAL_API const int32_t *sal_lm_text(const sal_lm_session *s, int32_t row, size_t *n);
/* Forget all but the first n tokens of a row. */
SAL_API void sal_lm_truncate(sal_lm_session *s, int32_t row, size_t n);

/* The prompt cache on disk: a row's ids and its part of the key-value cache. Loading refuses files
 * of other models and policies and damaged ones (SAL_EFORMAT, the message begins with the path). */
SAL_API SAL_MUST_USE sal_status sal_lm_session_save(const sal_lm_session *s, int32_t row,
                                                    const char *path, sal_error *err);
SAL_API SAL_MUST_USE sal_status sal_lm_session_load(sal_lm_session *s, int32_t row,
                                                    const char *path, sal_error *err);

typedef struct sal_lm_stats {
    int64_t context;
    size_t cache_bytes;  /* of the cache for the tokens that are in it */
    size_t cache_room;   /* taken for the whole context */
    size_t arena_bytes;  /* activations and scratch */
    size_t weight_bytes; /* weights held in another layout than the file's */
} sal_lm_stats;

/* Memory of the cache and of all plans that are kept. */
SAL_API void sal_lm_session_stats(const sal_lm_session *s, sal_lm_stats *out);
/* One line for each step of the plan for n new tokens (1: a decoded token), with the milliseconds
 * that it takes. *out: sal_text_free(). */
SAL_API SAL_MUST_USE sal_status sal_lm_session_profile(sal_lm_session *s, size_t n, char **out,
                                                       sal_error *err);

/* ---- generating ---- */

typedef enum sal_stop {
    SAL_STOP_END,     /* the model ended its text */
    SAL_STOP_STRING,  /* one of the stop strings came; it is not part of the text */
    SAL_STOP_TOKENS,  /* as many tokens as asked for */
    SAL_STOP_CONTEXT, /* the context is full */
    SAL_STOP_CANCEL   /* the callback said so */
} sal_stop;

/* "end", "stop string", "token limit", "context full", "cancelled". */
SAL_API const char *sal_stop_name(sal_stop stop);

/* New text of prompt i, n bytes of whole UTF-8 characters that no stop string can still take back.
 * False: stop generating for this prompt. */
typedef bool (*sal_lm_text_fn)(void *ctx, size_t prompt, const char *text, size_t n);

typedef struct sal_generate_opts {
    uint32_t struct_size;      /* set by SAL_GENERATE_OPTS_INIT; fields are only appended */
    size_t max_tokens;         /* 0: until the end or the context is full */
    double temperature;        /* 0: always the most probable token */
    int32_t top_k;             /* 0: all */
    double top_p;              /* 1: all */
    double min_p;              /* 0: all */
    double repetition_penalty; /* of the last penalty_window tokens; 1: none */
    int32_t penalty_window;
    uint64_t seed; /* same seed, same text */
    const char *const *stop;
    size_t n_stop;
    bool ignore_end;        /* go on behind the end of the text */
    bool special;           /* show special tokens in the text */
    sal_lm_text_fn on_text; /* NULL: only the result */
    void *ctx;
} sal_generate_opts;

#define SAL_GENERATE_OPTS_INIT                                                                     \
    {                                                                                              \
        (uint32_t)sizeof(sal_generate_opts), 0, 0.8, 40, 0.95, 0.05, 1.0, 64, 1, NULL, 0, false,   \
            false, NULL, NULL                                                                      \
    }

/* A prompt as ids (sal_lm_encode()). Borrowed. */
typedef struct sal_prompt {
    const int32_t *ids;
    size_t n;
} sal_prompt;

typedef struct sal_generation {
    int32_t *ids; /* of the answer, without an end-of-text token */
    size_t n;
    char *text; /* ends with 0 */
    size_t text_bytes;
    sal_stop stop;
    size_t prompt_tokens, reused_tokens;   /* of the prompt; those that were in the row already */
    double prompt_seconds, decode_seconds; /* of the whole batch */
} sal_generation;

/* Continue n prompts, prompt i in row i; n <= rows. What a row holds already from the beginning of
 * its prompt is not computed again. out: n results, also after failure sal_generation_free() each.
 * Errors: SAL_EINVAL (an option out of range; an empty prompt; a prompt that fills the context),
 * SAL_ENOMEM. */
SAL_API SAL_MUST_USE sal_status sal_lm_generate(sal_lm_session *s, const sal_prompt *prompts,
                                                size_t n, const sal_generate_opts *opts,
                                                sal_generation *out, sal_error *err);
/* Release and reset. Accepts NULL. */
SAL_API void sal_generation_free(sal_generation *g);

/* ---- perplexity ---- */

typedef struct sal_perplexity {
    double nll;    /* mean negative log-likelihood of a token, nats */
    double error;  /* standard error of nll */
    size_t tokens; /* that were predicted */
    size_t chunks;
} sal_perplexity;

/* done: 0 to 1, and what is known so far; false stops (SAL_ECANCELLED). */
typedef bool (*sal_perplexity_fn)(void *ctx, double done, const sal_perplexity *so_far);

/* Perplexity exp(nll) of a text as llama.cpp measures it: the ids in chunks of `chunk` (2 to the
 * context; 0: 512), each begun anew (with bos where the model wants one in place of the first),
 * the tokens of its second half predicted. An incomplete last chunk is left out. The row's text is
 * lost. Errors: SAL_EINVAL (fewer ids than a chunk), SAL_ENOMEM. */
SAL_API SAL_MUST_USE sal_status sal_lm_perplexity(sal_lm_session *s, const int32_t *ids, size_t n,
                                                  size_t chunk, sal_perplexity *out,
                                                  sal_perplexity_fn fn, void *ctx, sal_error *err);

#ifdef __cplusplus
}
#endif
#endif
