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

/* The gradient with respect to the input under rules with pairs, the twin being the model with
 * `baseline` (of the input's shape) in place of the input. */
sal_vid sal_build_multipliers(sal_method_build *m, sal_vid baseline);

#endif
