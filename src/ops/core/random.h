/* What the operators that draw random numbers share. */
#ifndef SAL_OPS_CORE_RANDOM_H
#define SAL_OPS_CORE_RANDOM_H

#include "ops/core/elementwise.h"

/* Results are reproducible: a node without `seed` gets one from its name when the file is read, so
 * two nodes differ and two runs do not. */
sal_status sal_random_upgrade(sal_upgrade *u);
sal_rng sal_random_of(const sal_node *n);
/* Element type of the output: attribute dtype, else `otherwise`. */
sal_status sal_random_dtype(const sal_infer *c, sal_dtype otherwise, sal_dtype *out);
/* RandomUniform, RandomNormal: attributes shape and dtype. */
sal_status sal_random_infer_shape(sal_infer *c);
/* RandomUniformLike, RandomNormalLike, Bernoulli: shape of input 0, its type unless dtype says
 * otherwise. */
sal_status sal_random_infer_like(sal_infer *c);
/* low + (high - low) u and mean + scale z over output 0. */
sal_status sal_random_eval_uniform(const sal_eval *e);
sal_status sal_random_eval_normal(const sal_eval *e);

#endif
