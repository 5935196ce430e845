/* What a language model is asked, as a graph of its own. */
#ifndef SAL_LM_QUESTION_H
#define SAL_LM_QUESTION_H

#include "graph/graph.h"

/* A copy of a language model (lm/decoder.h says which graphs are) that begins at `embeddings`
 * float32[batch,sequence,width]. Its output is `next` float32[batch,vocabulary], the logits behind
 * the last token; with n > 0 ids of an answer it is `answer` float32[batch,n]: the log-probability
 * of each of these ids, the first behind the n-th last token and so on, so that the sequence ends
 * with all of the answer but its last id. *out: sal_graph_free(). Errors: SAL_EUNSUPPORTED (not
 * such a graph), SAL_EINVAL (no such id), SAL_ENOMEM. */
sal_status sal_lm_question(sal_graph **out, const sal_graph *model, const int32_t *answer, size_t n,
                           sal_error *err);

#endif
