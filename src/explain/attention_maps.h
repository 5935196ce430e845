/* The attention maps of a transformer, and what is made of them. */
#ifndef SAL_EXPLAIN_ATTENTION_MAPS_H
#define SAL_EXPLAIN_ATTENTION_MAPS_H

#include "explain/method.h"

#define SAL_ATTENTION_MOST 256

/* Softmax values that weigh tokens, in the order of the network. */
typedef struct sal_attention_maps {
    sal_vid map[SAL_ATTENTION_MOST]; /* [N, heads, T, T] or [N, T, T] */
    int n;
    int64_t tokens;
} sal_attention_maps;

/* Predicate for sal_method_desc.write_out: attention that is one node. */
bool sal_attention_write_out(const sal_graph *g, const sal_node *n, void *ctx);
/* Find them: Softmax nodes between products, from all tokens to all. Errors: SAL_EUNSUPPORTED when
 * there are none, or their sizes differ (attention in windows). */
void sal_attention_find(sal_method_build *m, sal_attention_maps *out);
/* The mean over heads, [N, T, T]. */
sal_vid sal_attention_heads(sal_builder *b, sal_vid map);
/* The identity [1, T, T] in v's element type. */
sal_vid sal_attention_identity(sal_builder *b, sal_vid v, int64_t tokens);
/* The result from what each token owes to each, [N, T, T]: the row of the class token, or the mean
 * of all rows where there is none; as a grid over the picture, or [N, T] when the input is none. */
void sal_attention_show(sal_method_build *m, sal_vid owed, int64_t tokens);

#endif
