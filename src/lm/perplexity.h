/* How well a model predicts a text. */
#ifndef SAL_LM_PERPLEXITY_H
#define SAL_LM_PERPLEXITY_H

#include "lm/decoder.h"

#include <salience/lm.h>

/* sal_lm_perplexity() of salience/lm.h; bos: in place of the first id of each chunk, -1: not. */
sal_status sal_decoder_perplexity(sal_decoder *d, const int32_t *ids, size_t n, size_t chunk,
                                  int32_t bos, sal_perplexity *out, sal_perplexity_fn fn, void *ctx,
                                  sal_error *err);

#endif
