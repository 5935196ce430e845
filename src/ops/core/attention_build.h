/* Scaled dot-product attention in simpler operators. */
#ifndef SAL_OPS_CORE_ATTENTION_BUILD_H
#define SAL_OPS_CORE_ATTENTION_BUILD_H

#include "ops/builder.h"

/* Shapes of one Attention node; dimensions may be symbols, heads are numbers. */
typedef struct sal_attention {
    bool flat; /* inputs [batch, sequence, heads * features] */
    int64_t batch, heads, kv_heads, queries, keys, past, total; /* total = past + keys */
    int64_t size, value_size;                                   /* features of a head */
} sal_attention;

/* Read and check them; ranks of Q, K and V must be known. */
sal_status sal_attention_shape(sal_attention *a, sal_graph *g, const sal_node *n, sal_error *err);
/* What is added to the logits: masks as 0 and -infinity; SAL_NONE when nothing is masked. *guard:
 * some row may be masked altogether. total: a value whose axis 2 has the length of keys and past.
 */
sal_vid sal_attention_bias(sal_builder *b, const sal_attention *a, const sal_node *n, sal_vid total,
                           bool *guard);

#endif
