/* Einsum in simpler operators. */
#ifndef SAL_OPS_CORE_EINSUM_EXPAND_H
#define SAL_OPS_CORE_EINSUM_EXPAND_H

#include "ops/core/einsum_parse.h"

/* Operands are contracted in pairs, from the left, by Transpose, Reshape and MatMul (or Mul). */
sal_vid sal_einsum_build(sal_builder *b, const sal_einsum *e, const sal_vid *in);
/* Constant identity matrix of x's element type, float or integer. */
sal_vid sal_einsum_eye(sal_builder *b, sal_dtype dtype, int64_t n);

#endif
