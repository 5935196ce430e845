/* Chat templates: messages as the one text that a chat model was trained on. */
#ifndef SALIENCE_CHAT_H
#define SALIENCE_CHAT_H

#include <salience/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A row of the table of templates; static. */
typedef struct sal_chat_template sal_chat_template;

typedef struct sal_chat_template_info {
    const char *name, *help; /* static */
} sal_chat_template_info;

/* The table of templates. */
SAL_API size_t sal_chat_template_count(void);
/* False beyond the end. */
SAL_API bool sal_chat_template_at(size_t i, sal_chat_template_info *out);

/* The template with this name. Errors: SAL_EINVAL, the message names all that there are. */
SAL_API SAL_MUST_USE sal_status sal_chat_template_named(const sal_chat_template **out,
                                                        const char *name, sal_error *err);
/* The template that n bytes of Jinja text say (`tokenizer.chat_template` of a GGUF file,
 * `chat_template` of a tokenizer_config.json). The text is not run: it is one that the table knows
 * by its markers and conditions, or SAL_EUNSUPPORTED, and the message names the choices. */
SAL_API SAL_MUST_USE sal_status sal_chat_template_find(const sal_chat_template **out,
                                                       const char *text, size_t n, sal_error *err);
/* Static. */
SAL_API const char *sal_chat_template_name(const sal_chat_template *t);

/* Borrowed. */
typedef struct sal_chat_message {
    const char *role; /* "system" (only as the first), "user" or "assistant" */
    const char *content;
} sal_chat_message;

typedef struct sal_chat_opts {
    uint32_t struct_size;  /* set by SAL_CHAT_OPTS_INIT; fields are only appended */
    bool prompt;           /* end with what begins the assistant's answer */
    bool no_thinking;      /* a model that thinks first (qwen3) is told that it has done so */
    size_t from;           /* leave out the first `from` messages, which were rendered before */
    bool closes;           /* message from - 1 is an answer that the model wrote itself: begin with
                              the end of its turn */
    const char *bos, *eos; /* how the tokeniser calls them; NULL: the template's own names */
    const char *date;      /* "26 Jul 2024"; NULL: the date that the template falls back to */
} sal_chat_opts;

#define SAL_CHAT_OPTS_INIT                                                                         \
    {                                                                                              \
        (uint32_t)sizeof(sal_chat_opts), true, false, 0, false, NULL, NULL, NULL                   \
    }

/* The text of n messages. Markers such as <|im_start|> are written as the names of their tokens, so
 * it is to be encoded with special tokens recognised and without another bos. opts may be NULL.
 * *out: sal_text_free(); *bytes may be NULL. Errors: SAL_EINVAL (no messages; a role that the
 * template has no place for, at the message that is named), SAL_ENOMEM. */
SAL_API SAL_MUST_USE sal_status sal_chat_render(const sal_chat_template *t,
                                                const sal_chat_message *messages, size_t n,
                                                const sal_chat_opts *opts, char **out,
                                                size_t *bytes, sal_error *err);

#ifdef __cplusplus
}
#endif
#endif
