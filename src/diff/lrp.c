/* What all rule sets of layer-wise relevance propagation share: the epsilon rule (Bach et al.,
 * 2015), and how relevance passes operators that are no layers.
 *
 * A layer z = sum_i w_i x_i + bias hands the relevance R of its output on as
 *
 *     R_i = x_i sum_j w_ij R_j / (z_j + eps sign(z_j)),      sign(0) = 1.
 *
 * Dividing by z and multiplying by it again one layer on would cost most digits wherever a sum
 * nearly vanishes. So the sweep carries the quotient G = R / value instead: with R_j = z_j G_j
 *
 *     G_i = sum_j w_ij G_j |z_j| / (|z_j| + eps) = vjp(G |z| / (|z| + eps)),
 *
 * one derivative of the layer, so every linear operator is served by the same line, whatever its
 * layout, groups or dilations. The seed of T = sum(query * logits) is then the query itself, and
 * the relevance of a value is the value times what the sweep gives for it. A bias absorbs its
 * share. The other operators, in terms of G:
 *
 *   activations y = a(x) (SAL_OP_PIECEWISE)   R unchanged: G y / x
 *   copies (SAL_OP_MOVE), Where               the own derivative
 *   pooled maxima                             as linear ones: the winner takes all
 *   products with a constant                  R unchanged: the own derivative
 *   products of k activations                 as linear ones, divided by k: by Euler's theorem the
 *                                             relevances would otherwise sum to k R
 *   quotients                                 all to the numerator
 *   normalisation layers                      written out, so that the deviation, a denominator,
 *                                             is taken as constant (Achtibat et al., 2024)
 *   anything else                             as linear ones, a Taylor expansion; noted by name */
#include "diff/lrp.h"
#include "ops/builder.h"

#include <stdio.h>

static int lrp_needed(const sal_vjp *v, int first, int last)
{
    int n = 0;

    for (int k = first; k < v->node->n_in && k < last; k++)
        n += v->need[k] ? 1 : 0;
    return n;
}

/* G |z| / (degree (|z| + eps)), written as G / (1 + eps / |z|) / degree, which is right for masked
 * logits of -infinity too. An epsilon far below the rounding of a sum would only tell sums that
 * happen to cancel exactly from those that miss by one bit: it is left out. */
static sal_vid lrp_damped(const sal_vjp *v, double epsilon, int out, int degree)
{
    sal_builder *b = v->b;
    sal_vid g = v->gout[out], size;

    if (degree > 1)
        g = sal_b2(b, "Mul", g, sal_b_like(b, g, 1.0 / degree));
    sal_dtype dtype = v->b->st == SAL_OK ? sal_val(b->g, v->node->out[out])->dtype : SAL_F64;
    double least = dtype == SAL_F64 ? 1e-15 : (dtype == SAL_F32 ? 1e-7 : 1e-3);
    if (epsilon < least)
        return g;
    size = sal_b1(b, "Abs", v->node->out[out]);
    size = sal_b2(b, "Div", sal_b_like(b, size, epsilon), size);
    return sal_b2(b, "Div", g, sal_b2(b, "Add", size, sal_b_like(b, size, 1.0)));
}

static sal_status lrp_degree(sal_vjp *v, double epsilon, int degree)
{
    sal_vid small[8], *damped = small;
    sal_vjp inner = *v;
    sal_status st = SAL_OK;

    if (v->node->n_out > (int)SAL_COUNTOF(small)) {
        damped = sal_malloc((size_t)v->node->n_out * sizeof(*damped));
        if (damped == NULL)
            return sal_fail_nomem(v->b->err);
    }
    for (int k = 0; k < v->node->n_out; k++)
        damped[k] = v->gout[k] == SAL_NONE ? SAL_NONE : lrp_damped(v, epsilon, k, degree);
    inner.gout = damped;
    SAL_TRY(v->b->st);
    st = sal_rule_plain(&inner);
done:
    if (damped != small)
        sal_free(damped);
    return st;
}

/* Operators that are no layers: where layers have rules of their own, epsilon is theirs. */
static double lrp_epsilon_of(const sal_rules *rules)
{
    const sal_rule_fn *by_role = rules->desc->by_role;

    return by_role[SAL_ROLE_CONVOLUTION] != NULL || by_role[SAL_ROLE_DENSE] != NULL
               ? SAL_LRP_STABILISER
               : rules->p.epsilon;
}

static sal_status lrp_linear(sal_vjp *v, const sal_rules *rules)
{
    return lrp_degree(v, lrp_epsilon_of(rules), 1);
}

sal_status sal_lrp_epsilon(sal_vjp *v, const sal_rules *rules)
{
    return lrp_degree(v, rules->p.epsilon, 1);
}

/* Convolutions and matrix products: a product when their second operand is an activation too. */
static sal_status lrp_bilinear(sal_vjp *v, const sal_rules *rules)
{
    int degree = lrp_needed(v, 0, 2);
    sal_status st = SAL_OK;

    if (degree > 1)
        SAL_TRY(sal_rule_note(
            rules, "a product of two activations gives each half of the relevance", v->b->err));
    st = lrp_degree(v, lrp_epsilon_of(rules), SAL_MAX(degree, 1));
done:
    return st;
}

static sal_status lrp_own(sal_vjp *v, const sal_rules *rules)
{
    (void)rules;
    return sal_rule_plain(v);
}

static bool lrp_is_reciprocal(const sal_graph *g, sal_vid v)
{
    int32_t p = sal_val(g, v)->producer;

    return p >= 0 && strcmp(g->nodes[p]->op->name, "Reciprocal") == 0;
}

static sal_status lrp_mul(sal_vjp *v, const sal_rules *rules)
{
    sal_builder *b = v->b;
    bool need[2] = {v->need[0], v->need[1]};
    sal_vjp inner = *v;

    if (lrp_needed(v, 0, 2) < 2)
        return sal_rule_plain(v);
    /* x * (1 / y) is a quotient. */
    for (int k = 0; k < 2; k++) {
        if (!lrp_is_reciprocal(b->g, v->node->in[k]))
            continue;
        need[k] = false;
        inner.need = need;
        return sal_rule_plain(&inner);
    }
    return lrp_bilinear(v, rules);
}

static sal_status lrp_quotient(sal_vjp *v, const sal_rules *rules)
{
    bool need[2] = {v->need[0], false};
    sal_vjp inner = *v;

    (void)rules;
    inner.need = need;
    return v->need[0] ? sal_rule_plain(&inner) : SAL_OK;
}

/* A value that only occurs as a factor. */
static sal_status lrp_nothing(sal_vjp *v, const sal_rules *rules)
{
    (void)v;
    (void)rules;
    return SAL_OK;
}

/* R unchanged: G y / x, with 0 / 0 = 0. */
static sal_status lrp_activation(sal_vjp *v, const sal_rules *rules)
{
    sal_builder *b = v->b;
    sal_vid x = v->node->in[0], zero = sal_b_like(b, x, 0.0);

    (void)rules;
    if (!v->need[0] || v->gout[0] == SAL_NONE)
        return SAL_OK;
    sal_vid below = sal_b3(b, "Where", sal_b2(b, "Equal", x, zero), sal_b_like(b, x, 1.0), x);
    v->gin[0] = sal_b2(b, "Mul", v->gout[0], sal_b2(b, "Div", v->node->out[0], below));
    return b->st;
}

sal_status sal_lrp_other(sal_vjp *v, const sal_rules *rules)
{
    const sal_op_desc *op = v->node->op;
    char text[160];
    sal_status st;

    if (op->vjp == NULL && op->expand == NULL)
        return sal_fail(v->b->err, SAL_ENOGRAD, "node %s: operator %s has no derivative",
                        v->node->name, op->name);
    if ((op->flags & SAL_OP_PIECEWISE) != 0)
        return lrp_activation(v, rules);
    if ((op->flags & (SAL_OP_MOVE | SAL_OP_VIEW)) != 0)
        return sal_rule_plain(v);
    (void)snprintf(text, sizeof(text), "%s has no relevance rule: its derivative was used",
                   op->name);
    st = sal_rule_note(rules, text, v->b->err);
    return st != SAL_OK ? st : lrp_linear(v, rules);
}

const sal_rule_override sal_lrp_overrides[] = {
    {"Conv", lrp_bilinear},
    {"ConvTranspose", lrp_bilinear},
    {"Gemm", lrp_bilinear},
    {"MatMul", lrp_bilinear},
    {"PackedMatMul", lrp_bilinear},
    {"RotaryEmbedding", lrp_linear},
    {"Einsum", lrp_bilinear},
    {"BatchNormalization", lrp_linear},
    {"AveragePool", lrp_linear},
    {"GlobalAveragePool", lrp_linear},
    {"MaxPool", lrp_linear},
    {"GlobalMaxPool", lrp_linear},
    {"ReduceMean", lrp_linear},
    {"ReduceSum", lrp_linear},
    {"Resize", lrp_linear},
    {"CumSum", lrp_linear},
    {"Add", lrp_linear},
    {"Sub", lrp_linear},
    {"Sum", lrp_linear},
    {"Mean", lrp_linear},
    {"Neg", lrp_own},
    {"Mul", lrp_mul},
    {"Div", lrp_quotient},
    {"Reciprocal", lrp_nothing},
    /* y / x of these is their slope. */
    {"Relu", lrp_own},
    {"LeakyRelu", lrp_own},
    {"Abs", lrp_own},
    {"ReduceMax", lrp_own},
    {"ReduceMin", lrp_own},
    {"Max", lrp_own},
    {"Min", lrp_own},
    {"TopK", lrp_own},
    {"Where", lrp_own},
    {"Cast", lrp_own},
    {"Identity", lrp_own},
    {"Dropout", lrp_own},
    {"Softmax", lrp_own}, /* x_i (R_i - y_i sum R), as Achtibat et al. have it */
    {"Attention", sal_rule_expand},
    {"LayerNormalization", sal_rule_expand},
    {"RMSNormalization", sal_rule_expand},
    {"GroupNormalization", sal_rule_expand},
    {"InstanceNormalization", sal_rule_expand},
    {NULL, NULL},
};

sal_status sal_lrp_plain_rule(sal_vjp *v, const sal_rules *rules)
{
    for (const sal_rule_override *o = sal_lrp_overrides; o->op != NULL; o++) {
        if (strcmp(o->op, v->node->op->name) == 0)
            return o->fn(v, rules);
    }
    return sal_lrp_other(v, rules);
}
