/* The model a second time inside one graph: for variants of the input laid out along the batch
 * axis, and for a baseline beside the input. */
#ifndef SAL_EXPLAIN_UNROLL_H
#define SAL_EXPLAIN_UNROLL_H

#include "explain/method.h"

/* The model with `variants` [S, N, ...] of the explained input in place of it, and the gradient of
 * its target with respect to each variant, under the method's rules: [S, N, ...]. `baselines`, of
 * the same shape, are the twins for rules with pairs; SAL_NONE for others. */
sal_vid sal_unroll_gradient(sal_method_build *m, sal_vid variants, sal_vid baselines);
/* The same averaged over the S variants: [N, ...]. */
sal_vid sal_unroll_mean_gradient(sal_method_build *m, sal_vid variants);

/* As sal_unroll_gradient, for variants of another value `from` than the input. */
sal_vid sal_unroll_gradient_of(sal_method_build *m, sal_vid from, sal_vid variants,
                               sal_vid baselines);
/* All paths from the input to the logits lead through v, so that variants of it may be laid out
 * along the batch axis. */
bool sal_unroll_is_cut(sal_method_build *m, sal_vid v);
/* The gradient of the target with respect to `instead` in a copy of what stands behind `from` that
 * reads `instead`, of the same shape. */
sal_vid sal_build_gradient_at(sal_method_build *m, sal_vid from, sal_vid instead);
/* The value v as it is when the input is replaced by `instead`. */
sal_vid sal_build_value_at(sal_method_build *m, sal_vid v, sal_vid instead);

/* The gradient with respect to the input under rules with pairs, the twin being the model with
 * `baseline` (of the input's shape) in place of the input. */
sal_vid sal_build_multipliers(sal_method_build *m, sal_vid baseline);

#endif
