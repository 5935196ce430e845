/* What the two loss operators share. */
#ifndef SAL_OPS_CORE_LOSS_H
#define SAL_OPS_CORE_LOSS_H

#include "ops/core/elementwise.h"

/* Output 0 of scores [N, C, d...], targets [N, d...], weights [C]: a number, or [N, d...] when
 * nothing is reduced. */
sal_status sal_loss_infer(sal_infer *c);
/* The loss of log-probabilities shaped as input 0, with targets, weights and attributes of n. */
sal_vid sal_loss_build(sal_builder *b, const sal_node *n, sal_vid log_prob);

#endif
