/* What the attention operators of ONNX Runtime share: they become ONNX's Attention. */
#ifndef SAL_OPS_CORE_ORT_ATTENTION_H
#define SAL_OPS_CORE_ORT_ATTENTION_H

#include "ops/core/ort.h"

/* Inputs of one attention, SAL_NONE where absent. q, k, v: [batch, sequence, heads * features] or
 * [batch, heads, sequence, features]; past: [batch, heads, length, features]; mask: added to the
 * logits, or bool. */
typedef struct sal_ort_attention {
    sal_vid q, k, v, mask, past_k, past_v;
    int64_t heads, kv_heads;
    double scale; /* 0: 1 / sqrt(features) */
    double softcap;
    bool causal;
} sal_ort_attention;

/* y, present keys, present values, logits; the last three only where `more` says so. */
void sal_ort_attend(sal_builder *b, const sal_ort_attention *a, bool more, sal_vid out[3]);

/* A padding mask as what is added to the logits, `filter` where it masks, with all of its four
 * axes. mask: int32 of rank 1 (number of keys in each row), 2 [batch, keys], 3 [batch, queries,
 * keys] or
 * 4. Axis `axis` of queries and keys has their length. */
sal_vid sal_ort_padding(sal_builder *b, const sal_node *n, sal_vid mask, sal_vid queries,
                        sal_vid keys, int64_t axis, double filter);
/* Length of an axis as int64 scalar; 0, 1 .. count-1. */
sal_vid sal_ort_length(sal_builder *b, sal_vid v, int64_t axis);
sal_vid sal_ort_range(sal_builder *b, sal_vid count);

#endif
