/* What the verbs for language models share. */
#ifndef SALIENCE_CLI_LM_H
#define SALIENCE_CLI_LM_H

#include "cli.h"

/* The model of the first positional argument with --tokenizer and --template. On failure NULL and
 * *status. */
sal_lm *cli_lm_open(const cli_args *a, int *status);
/* With --threads, --dtype, --cache, --context (default: the argument; 0: the library's). On failure
 * NULL and *status. */
sal_lm_session *cli_lm_session(const cli_args *a, const sal_lm *lm, int32_t rows, int64_t context,
                               int *status);
/* --temperature and the like over the defaults in *o. False (told why) for wrong usage. */
bool cli_lm_generate_opts(const cli_args *a, sal_generate_opts *o);
/* Are prompts turns of a chat? */
bool cli_lm_chatty(const cli_args *a, const sal_lm *lm);
/* A prompt as the model reads it. False and *status after a failure. */
bool cli_lm_encode(const cli_args *a, const sal_lm *lm, const char *prompt, size_t n,
                   sal_tokens *out, int *status);

#endif
