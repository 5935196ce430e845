/* Text as a model's tokens: tokenizer.json files of the Hugging Face format and GGUF files. */
#ifndef SALIENCE_TOKENIZER_H
#define SALIENCE_TOKENIZER_H

#include <salience/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Immutable once open; threads may share it. */
typedef struct sal_tokenizer sal_tokenizer;

/* Read the tokeniser of a tokenizer.json (models WordPiece, BPE, byte-level and SentencePiece,
 * Unigram, WordLevel, with their normalisers, pre-tokenisers, templates and added tokens), of a
 * folder that holds one, or of a GGUF file (`tokenizer.ggml.model` gpt2, llama, bert, t5). What a
 * tokenizer_config.json beside a tokenizer.json says is read too. *out is yours,
 * sal_tokenizer_free(); NULL on failure. Errors: SAL_EIO, SAL_EFORMAT (damaged), SAL_EUNSUPPORTED
 * (names the part that is not known), SAL_ENOMEM. */
SAL_API SAL_MUST_USE sal_status sal_tokenizer_open(sal_tokenizer **out, const char *path,
                                                   sal_error *err);
/* The same from the bytes of a tokenizer.json or GGUF file, which are not needed afterwards; `name`
 * begins the messages. */
SAL_API SAL_MUST_USE sal_status sal_tokenizer_open_memory(sal_tokenizer **out, const void *bytes,
                                                          size_t n, const char *name,
                                                          sal_error *err);
/* Accepts NULL. */
SAL_API void sal_tokenizer_free(sal_tokenizer *t);

/* Number of ids: one more than the largest. */
SAL_API size_t sal_tokenizer_size(const sal_tokenizer *t);
/* Id of a token as it is in the vocabulary; -1 when there is none. */
SAL_API int32_t sal_tokenizer_id(const sal_tokenizer *t, const char *token);
/* Token of an id as it is in the vocabulary; NULL when there is none. Borrowed. */
SAL_API const char *sal_tokenizer_token(const sal_tokenizer *t, int32_t id);
/* True for tokens such as [CLS] that are no text. */
SAL_API bool sal_tokenizer_special(const sal_tokenizer *t, int32_t id);
/* Most tokens that the file says the model takes; 0: not said. */
SAL_API size_t sal_tokenizer_limit(const sal_tokenizer *t);

typedef struct sal_tokenizer_info {
    /* ids of the tokens that begin and end a text, stand for padding and for what is unknown; -1:
     * none is known */
    int32_t bos, eos, pad, unk;
    bool adds_bos, adds_eos;   /* the template puts them around a text */
    const char *chat_template; /* Jinja text for sal_chat_template_find(); NULL: none. Borrowed */
} sal_tokenizer_info;

/* What the file says of its special tokens. */
SAL_API void sal_tokenizer_get_info(const sal_tokenizer *t, sal_tokenizer_info *out);
/* True for tokens that end what a language model says: eos and the known ends of a turn. */
SAL_API bool sal_tokenizer_ends(const sal_tokenizer *t, int32_t id);

/* Encoded text. Yours, sal_tokens_free(). */
typedef struct sal_tokens {
    size_t n;
    int32_t *ids;
    int32_t *types;        /* segment of a pair of texts: 0 or 1 */
    uint32_t *begin, *end; /* bytes of the text that a token stands for; equal for added ones */
    bool *added;           /* put there by the template ([CLS], [SEP]) */
} sal_tokens;

#define SAL_TOKENS_INIT                                                                            \
    {                                                                                              \
        0, NULL, NULL, NULL, NULL, NULL                                                            \
    }

/* Encode n bytes of text; `special`: with the tokens of the template ([CLS], bos). Bytes that are
 * no UTF-8 are kept by byte-level tokenisers and those with tokens for bytes, and become U+FFFD in
 * others. Names of special tokens in the text are these tokens. *out must be SAL_TOKENS_INIT or
 * freed. The file's settings for truncation and padding are not applied. Errors: SAL_EINVAL (more
 * than 1 GiB; the pattern of the file gives up on the text), SAL_ENOMEM. */
SAL_API SAL_MUST_USE sal_status sal_tokenizer_encode(const sal_tokenizer *t, const char *text,
                                                     size_t n, bool special, sal_tokens *out,
                                                     sal_error *err);
typedef struct sal_encode_opts {
    uint32_t struct_size; /* set by SAL_ENCODE_OPTS_INIT; fields are only appended */
    bool special;         /* with the tokens of the template */
    bool plain;           /* names of special tokens in the text are only text */
} sal_encode_opts;

#define SAL_ENCODE_OPTS_INIT                                                                       \
    {                                                                                              \
        (uint32_t)sizeof(sal_encode_opts), true, false                                             \
    }

/* The same as opts say; NULL: as they are initialised. */
SAL_API SAL_MUST_USE sal_status sal_tokenizer_encode_as(const sal_tokenizer *t, const char *text,
                                                        size_t n, const sal_encode_opts *opts,
                                                        sal_tokens *out, sal_error *err);
/* The text of ids, without special tokens if `skip_special`. *out: sal_text_free(); *n (may be
 * NULL): its bytes, which may hold zeros. Unknown ids are SAL_EINVAL. */
SAL_API SAL_MUST_USE sal_status sal_tokenizer_decode(const sal_tokenizer *t, const int32_t *ids,
                                                     size_t count, bool skip_special, char **out,
                                                     size_t *n, sal_error *err);
/* Release and reset. Accepts NULL. */
SAL_API void sal_tokens_free(sal_tokens *t);

/* ---- decoding as ids come ---- */

/* What all calls give together is what sal_tokenizer_decode() gives for all ids. */
typedef struct sal_token_stream sal_token_stream;

/* t must outlive the stream. *out: sal_token_stream_free(). */
SAL_API SAL_MUST_USE sal_status sal_token_stream_new(sal_token_stream **out, const sal_tokenizer *t,
                                                     bool skip_special, sal_error *err);
/* Accepts NULL. */
SAL_API void sal_token_stream_free(sal_token_stream *s);
/* What is certain of the text with one more id: *n bytes, possibly none, at *text, borrowed until
 * the next call. Bytes that begin a UTF-8 character wait for its end. Errors: SAL_EINVAL (unknown
 * id), SAL_ENOMEM. */
SAL_API SAL_MUST_USE sal_status sal_token_stream_add(sal_token_stream *s, int32_t id,
                                                     const char **text, size_t *n, sal_error *err);
/* What is left; the next id begins a new text. */
SAL_API SAL_MUST_USE sal_status sal_token_stream_end(sal_token_stream *s, const char **text,
                                                     size_t *n, sal_error *err);

#ifdef __cplusplus
}
#endif
#endif
