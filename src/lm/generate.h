/* The loop around a decoder: sample, show, stop. */
#ifndef SAL_LM_GENERATE_H
#define SAL_LM_GENERATE_H

#include "lm/decoder.h"

#include <salience/lm.h>

/* sal_lm_generate() of salience/lm.h. out: n results, zeroed before; freed by the caller also after
 * failure. */
sal_status sal_generate(sal_decoder *d, const sal_tokenizer *tokenizer, const sal_prompt *prompts,
                        size_t n, const sal_generate_opts *opts, sal_generation *out,
                        sal_error *err);

#endif
