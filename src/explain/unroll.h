/* Variants of the input laid out along the batch axis, inside one graph: for exporting methods that
 * loop. */
#ifndef SAL_EXPLAIN_UNROLL_H
#define SAL_EXPLAIN_UNROLL_H

#include "explain/method.h"

/* The model a second time, with `variants` [S, N, ...] of the explained input in place of it, and
 * the gradient of its target with respect to each variant, averaged over the S of them: [N, ...].
 */
sal_vid sal_unroll_mean_gradient(sal_method_build *m, sal_vid variants);

#endif
