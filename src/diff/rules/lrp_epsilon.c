/* Layer-wise relevance propagation with the epsilon rule (Bach et al., 2015).
 *
 * A layer z = sum_i w_i x_i + bias hands the relevance R of its output on as
 *
 *     R_i = x_i sum_j w_ij R_j / (z_j + eps sign(z_j)),      sign(0) = 1,
 *
 * that is x * vjp(R / (z + eps sign z)): one derivative of the layer, so every linear operator is
 * served by the same line, whatever its layout, groups or dilations. A bias absorbs its share. The
 * other operators:
 *
 *   activations (SAL_OP_PIECEWISE)   R unchanged
 *   copies (SAL_OP_MOVE), Where      the copy's own derivative
 *   pooled maxima                    the line above: the winner takes all but what epsilon absorbs
 *   other maxima                     the own derivative: the winner takes all
 *   products with a constant         R unchanged
 *   products of k activations        the line above, divided by k: by Euler's theorem the
 *                                    relevances of a product of k would otherwise sum to k R
 *   quotients                        all to the numerator
 *   normalisation layers             R unchanged (AttnLRP, Achtibat et al., 2024: mean and
 *                                    deviation are taken as constants)
 *   anything else                    the line above as a Taylor expansion; noted by name */
#include "diff/rules.h"
#include "ops/builder.h"

#include <stdio.h>

static int lrp_needed(const sal_vjp *v, int first, int last)
{
    int n = 0;

    for (int k = first; k < v->node->n_in && k < last; k++)
        n += v->need[k] ? 1 : 0;
    return n;
}

/* R / (z + eps sign z) */
static sal_vid lrp_ratio(const sal_vjp *v, const sal_rules *rules, int out)
{
    sal_builder *b = v->b;
    sal_vid z = v->node->out[out];
    sal_dtype dtype = sal_val(b->g, z)->dtype;
    double eps = dtype == SAL_F16 ? SAL_MAX(rules->epsilon, 1e-7) : rules->epsilon;
    sal_vid positive = sal_b2(b, "GreaterOrEqual", z, sal_b_scalar(b, dtype, 0.0));
    sal_vid stable =
        sal_b3(b, "Where", positive, sal_b_scalar(b, dtype, eps), sal_b_scalar(b, dtype, -eps));

    return sal_b2(b, "Div", v->gout[out], sal_b2(b, "Add", z, stable));
}

/* gin = x * vjp(R / (degree z + eps sign z)) */
static sal_status lrp_ratio_rule(sal_vjp *v, const sal_rules *rules, int degree)
{
    sal_builder *b = v->b;
    sal_vid small[8], *ratio = small;
    sal_vjp inner = *v;
    sal_status st = SAL_OK;

    if (v->node->n_out > (int)SAL_COUNTOF(small)) {
        ratio = sal_malloc((size_t)v->node->n_out * sizeof(*ratio));
        if (ratio == NULL)
            return sal_fail_nomem(b->err);
    }
    for (int k = 0; k < v->node->n_out; k++) {
        ratio[k] = v->gout[k] == SAL_NONE ? SAL_NONE : lrp_ratio(v, rules, k);
        if (ratio[k] != SAL_NONE && degree > 1)
            ratio[k] = sal_b2(b, "Div", ratio[k], sal_b_like(b, ratio[k], degree));
    }
    inner.gout = ratio;
    SAL_TRY(b->st);
    SAL_TRY(sal_rule_plain(&inner));
    for (int k = 0; k < v->node->n_in; k++) {
        if (v->need[k] && v->gin[k] != SAL_NONE)
            v->gin[k] = sal_b2(b, "Mul", v->node->in[k], v->gin[k]);
    }
    st = b->st;
done:
    if (ratio != small)
        sal_free(ratio);
    return st;
}

static sal_status lrp_linear(sal_vjp *v, const sal_rules *rules)
{
    return lrp_ratio_rule(v, rules, 1);
}

/* Convolutions and matrix products: a product when their second operand is an activation too. */
static sal_status lrp_bilinear(sal_vjp *v, const sal_rules *rules)
{
    int degree = lrp_needed(v, 0, 2);
    sal_status st = SAL_OK;

    if (degree > 1)
        SAL_TRY(sal_rule_note(
            rules, "a product of two activations gives each half of the relevance", v->b->err));
    st = lrp_ratio_rule(v, rules, SAL_MAX(degree, 1));
done:
    return st;
}

static sal_status lrp_own(sal_vjp *v, const sal_rules *rules)
{
    (void)rules;
    return sal_rule_plain(v);
}

/* R to input 0, summed over what was broadcast. */
static sal_status lrp_pass(sal_vjp *v, const sal_rules *rules)
{
    (void)rules;
    if (v->need[0] && v->gout[0] != SAL_NONE)
        v->gin[0] = sal_b_sum_to(v->b, v->gout[0], v->node->in[0]);
    return v->b->st;
}

static sal_status lrp_mul(sal_vjp *v, const sal_rules *rules)
{
    sal_builder *b = v->b;

    if (lrp_needed(v, 0, 2) > 1)
        return lrp_bilinear(v, rules);
    for (int k = 0; k < 2; k++) {
        if (v->need[k])
            v->gin[k] = sal_b_sum_to(b, v->gout[0], v->node->in[k]);
    }
    return b->st;
}

static sal_status lrp_quotient(sal_vjp *v, const sal_rules *rules)
{
    if (!v->need[0])
        return sal_rule_note(rules, "the denominator of a quotient receives no relevance",
                             v->b->err);
    return lrp_pass(v, rules);
}

static sal_status lrp_normalise(sal_vjp *v, const sal_rules *rules)
{
    sal_status st =
        sal_rule_note(rules, "normalisation layers pass relevance unchanged", v->b->err);

    return st != SAL_OK ? st : lrp_pass(v, rules);
}

static sal_status lrp_other(sal_vjp *v, const sal_rules *rules)
{
    const sal_op_desc *op = v->node->op;
    char text[160];
    sal_status st;

    if (op->vjp == NULL && op->expand == NULL)
        return sal_fail(v->b->err, SAL_ENOGRAD, "node %s: operator %s has no derivative",
                        v->node->name, op->name);
    if ((op->flags & SAL_OP_PIECEWISE) != 0)
        return lrp_pass(v, rules);
    if ((op->flags & (SAL_OP_MOVE | SAL_OP_VIEW)) != 0)
        return sal_rule_plain(v);
    (void)snprintf(text, sizeof(text), "no relevance rule for %s: x * gradient of R/z was used",
                   op->name);
    st = sal_rule_note(rules, text, v->b->err);
    return st != SAL_OK ? st : lrp_linear(v, rules);
}

static const sal_rule_override lrp_overrides[] = {
    {"Conv", lrp_bilinear},
    {"ConvTranspose", lrp_bilinear},
    {"Gemm", lrp_bilinear},
    {"MatMul", lrp_bilinear},
    {"Einsum", lrp_bilinear},
    {"BatchNormalization", lrp_linear},
    {"AveragePool", lrp_linear},
    {"GlobalAveragePool", lrp_linear},
    {"ReduceMean", lrp_linear},
    {"ReduceSum", lrp_linear},
    {"Resize", lrp_linear},
    {"CumSum", lrp_linear},
    {"Add", lrp_linear},
    {"Sub", lrp_linear},
    {"Sum", lrp_linear},
    {"Mean", lrp_linear},
    {"Neg", lrp_pass},
    {"Mul", lrp_mul},
    {"Div", lrp_quotient},
    {"MaxPool", lrp_linear},
    {"GlobalMaxPool", lrp_linear},
    {"ReduceMax", lrp_own},
    {"ReduceMin", lrp_own},
    {"Max", lrp_own},
    {"Min", lrp_own},
    {"TopK", lrp_own},
    {"Where", lrp_own},
    {"Cast", lrp_own},
    {"Identity", lrp_own},
    {"Dropout", lrp_own},
    {"LayerNormalization", lrp_normalise},
    {"RMSNormalization", lrp_normalise},
    {"GroupNormalization", lrp_normalise},
    {"InstanceNormalization", lrp_normalise},
    {NULL, NULL},
};

const sal_rules_desc sal_rules_lrp_epsilon = {
    .name = "lrp-epsilon",
    .help = "layer-wise relevance propagation, R_i = x_i vjp(R / (z + epsilon sign z))_i",
    .overrides = lrp_overrides,
    .fallback = lrp_other,
    .relevance = true,
};
