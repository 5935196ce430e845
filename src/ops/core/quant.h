/* Linear quantisation: real = (code - zero) * scale, for a whole tensor, for each slice of an axis,
 * or for blocks of elements along an axis. */
#ifndef SAL_OPS_CORE_QUANT_H
#define SAL_OPS_CORE_QUANT_H

#include "ops/builder.h"
#include "ops/infer.h"

/* Smallest and largest code of an element type; false for types that are no codes. */
bool sal_quant_range(sal_dtype t, double *lo, double *hi);

/* How the elements [outer][len][inner] of a tensor find their scale. */
typedef struct sal_quant {
    const sal_tensor *scale, *zero; /* zero may be NULL */
    int64_t outer, len, inner;
    int64_t block; /* elements that share a scale along the axis; 0: one scale for all */
    int64_t blocks;
    bool blocked; /* scales have axes of their own before and behind the axis */
} sal_quant;

/* From the node's axis and block_size and the tensors' shapes. SAL_ESHAPE where they do not fit. */
sal_status sal_quant_of(sal_quant *q, const sal_node *n, const sal_tensor *x,
                        const sal_tensor *scale, const sal_tensor *zero, sal_error *err);
/* Number of the scale of element (o, d, i). */
static inline int64_t sal_quant_at(const sal_quant *q, int64_t o, int64_t d, int64_t i)
{
    if (q->block == 0)
        return 0;
    return q->blocked ? (o * q->blocks + d / q->block) * q->inner + i : d;
}

/* Inference: shapes of scale (input 1) and zero point (input 2) against x (input 0). */
sal_status sal_quant_check(const sal_infer *c);

/* x quantised and read back, as one float operation: see FakeQuantize. scale and zero are those of
 * a QuantizeLinear of x with that axis; to: type of the codes. SAL_NONE with an error in b where
 * that is not possible. */
sal_vid sal_quant_fake(sal_builder *b, sal_vid x, sal_vid scale, sal_vid zero, int64_t axis,
                       sal_dtype to);
/* QuantizeLinear and DequantizeLinear; axis is used where scale has more than one element. */
sal_vid sal_quant_codes(sal_builder *b, sal_vid x, sal_vid scale, sal_vid zero, int64_t axis);
sal_vid sal_quant_real(sal_builder *b, sal_vid codes, sal_vid scale, sal_vid zero, int64_t axis);

/* Bring a graph that computes on codes to one that computes on real numbers: what stands between a
 * QuantizeLinear and a DequantizeLinear runs on the rounded real values (FakeQuantize), so that
 * derivatives, rules and kernels see an ordinary graph. Nodes that still compute codes for somebody
 * else stay. */
sal_status sal_pass_dequantise(sal_graph *g, sal_error *err);

#endif
