/* The rules of layer-wise relevance propagation, to be put together into rule sets.
 *
 * All of them carry G = R / value, see lrp.c. The rules for layers are written for x, W, b being
 * the layer's input, weights and offset, z = W x + b its output; a+ = max(a, 0), a- = min(a, 0). */
#ifndef SAL_DIFF_LRP_H
#define SAL_DIFF_LRP_H

#include "diff/diff.h"

/* Added to denominators, with their sign, by every rule but the epsilon rule. */
#define SAL_LRP_STABILISER 1e-6

/* Operators that are no layers; layers too, by the epsilon rule. Ends the table. */
extern const sal_rule_override sal_lrp_overrides[];
sal_status sal_lrp_other(sal_vjp *v, const sal_rules *rules);

/* The rule that they hold for a node. */
sal_status sal_lrp_plain_rule(sal_vjp *v, const sal_rules *rules);

/* ---- rules for layers ---- */

/* R_i = x_i W^T (R / (z + epsilon sign z)) */
sal_status sal_lrp_epsilon(sal_vjp *v, const sal_rules *rules);
/* Positive contributions alone: the denominator is W+ x+ + W- x- + b+. */
sal_status sal_lrp_z_plus(sal_vjp *v, const sal_rules *rules);
/* The same without the offset: the winning probabilities of excitation backpropagation. */
sal_status sal_lrp_excitation(sal_vjp *v, const sal_rules *rules);
/* For the last layer of it: with `contrastive`, less what negative weights win among themselves. */
sal_status sal_lrp_excitation_last(sal_vjp *v, const sal_rules *rules);
/* alpha times the share of positive contributions less beta times that of negative ones. */
sal_status sal_lrp_alpha_beta(sal_vjp *v, const sal_rules *rules);
/* Weights W + gamma W+ where the output is positive, W + gamma W- where it is negative (for
 * positive inputs; for negative ones the other way round). */
sal_status sal_lrp_gamma(sal_vjp *v, const sal_rules *rules);

/* ---- rules for the first layer; the input's value plays no part in the first two ---- */

/* Equal shares for all inputs of a sum. */
sal_status sal_lrp_flat(sal_vjp *v, const sal_rules *rules);
/* Shares in proportion to squared weights. */
sal_status sal_lrp_w_square(sal_vjp *v, const sal_rules *rules);
/* z^B: contributions W x - W+ low - W- high, of which none is negative. */
sal_status sal_lrp_box(sal_vjp *v, const sal_rules *rules);
/* Nodes before the first layer, to be used with these three: relevance unchanged. */
sal_status sal_lrp_before(sal_vjp *v, const sal_rules *rules);

#endif
