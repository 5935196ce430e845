/* DeepLIFT with the rescale rule (Shrikumar et al., 2017).
 *
 * The network stands in the graph twice, for the input and for a baseline; d is the difference of
 * a value between the two (sal_rules.pair). Multipliers m take the place of gradients, with
 *
 *     sum_i m_i dx_i = sum_j m_j dy_j                                                   (1)
 *
 * at every node, so that sum (x - b) m = T(x) - T(b). What (1) asks for:
 *
 *   linear operators, copies      their own derivative
 *   y = a(x), element by element  m dy / dx; the derivative where dx nearly vanishes
 *   maxima                        a gain over the baseline goes to the winner of the input, a loss
 *                                 to the winner of the baseline; if the input's winner is among
 *                                 several of the baseline (which often is constant) to that one
 *   products of two activations   the derivative at the mean of the two networks: exact
 *   x / y                         as x times 1 / y
 *
 * Operators made of these (softmax, normalisations, attention) are written out first. Anything else
 * passes its derivative, which (1) does not hold for: noted by name. */
#include "diff/rules.h"
#include "ops/builder.h"
#include "ops/core/pool_ref.h"

#include <stdio.h>

/* The value's twin in the network of the baseline; itself when it does not depend on the input. */
static sal_vid lift_pair(const sal_rules *rules, sal_vid v)
{
    if (v == SAL_NONE || (size_t)v >= rules->n_pair || rules->pair[v] == SAL_NONE)
        return v;
    return rules->pair[v];
}

static sal_vid lift_difference(sal_builder *b, const sal_rules *rules, sal_vid v)
{
    return sal_b2(b, "Sub", v, lift_pair(rules, v));
}

/* sum where d is not nearly zero: sum / d, else the derivative */
static sal_vid lift_divide(sal_builder *b, sal_vid sum, sal_vid d, sal_vid derivative)
{
    if (b->st != SAL_OK)
        return SAL_NONE;
    double least = sal_val(b->g, d)->dtype == SAL_F64 ? 1e-10 : 1e-6;
    sal_vid tiny = sal_b2(b, "Less", sal_b1(b, "Abs", d), sal_b_like(b, d, least));
    sal_vid safe = sal_b3(b, "Where", tiny, sal_b_like(b, d, 1.0), d);

    return sal_b3(b, "Where", tiny, derivative, sal_b2(b, "Div", sum, safe));
}

static sal_status lift_linear(sal_vjp *v, const sal_rules *rules)
{
    (void)rules;
    return sal_rule_plain(v);
}

/* The derivative, applied to another adjoint of output 0. */
static sal_vid lift_plain(const sal_vjp *v, const sal_node *node, sal_vid gout, int input)
{
    sal_vid gin[16], gouts[2] = {gout, SAL_NONE};
    bool need[16] = {false};
    sal_builder *b = v->b;

    if (b->st != SAL_OK)
        return SAL_NONE;
    if (node->n_in > (int)SAL_COUNTOF(gin) || node->n_out > (int)SAL_COUNTOF(gouts)) {
        b->st = sal_fail(b->err, SAL_EUNSUPPORTED, "node %s: too many inputs", node->name);
        return SAL_NONE;
    }
    for (size_t k = 0; k < SAL_COUNTOF(gin); k++)
        gin[k] = SAL_NONE;
    need[input] = true;
    sal_vjp inner = {.b = b, .node = node, .gout = gouts, .need = need, .gin = gin};
    b->st = sal_rule_plain(&inner);
    return b->st == SAL_OK ? gin[input] : SAL_NONE;
}

/* Element by element in one input, whose shape the output has. */
static sal_status lift_rescale(sal_vjp *v, const sal_rules *rules, int input)
{
    const sal_node *n = v->node;
    sal_builder *b = v->b;
    sal_vid d = lift_difference(b, rules, n->in[input]);
    sal_vid sum = sal_b2(b, "Mul", v->gout[0], lift_difference(b, rules, n->out[0]));

    v->gin[input] = lift_divide(b, sum, d, lift_plain(v, n, v->gout[0], input));
    return b->st;
}

static bool lift_same_shape(const sal_graph *g, sal_vid a, sal_vid c)
{
    const sal_value *x = sal_val(g, a), *y = sal_val(g, c);

    return x->rank == y->rank && x->rank >= 0 &&
           memcmp(x->dims, y->dims, (size_t)x->rank * sizeof(*x->dims)) == 0;
}

static int lift_needed(const sal_vjp *v, int *which)
{
    int n = 0;

    for (int k = 0; k < v->node->n_in; k++) {
        if (v->need[k]) {
            *which = k;
            n++;
        }
    }
    return n;
}

static sal_vid lift_mean(sal_builder *b, const sal_rules *rules, sal_vid x)
{
    sal_vid p = lift_pair(rules, x);

    return p == x ? x : sal_b2(b, "Mul", sal_b2(b, "Add", x, p), sal_b_like(b, x, 0.5));
}

/* Products: linear, or bilinear in two activations. */
static sal_status lift_product(sal_vjp *v, const sal_rules *rules)
{
    const sal_node *n = v->node;
    sal_vid in[3] = {SAL_NONE, SAL_NONE, SAL_NONE};
    sal_builder *b = v->b;
    int which;

    if (lift_needed(v, &which) < 2 || n->n_in > 3)
        return sal_rule_plain(v);
    for (int k = 0; k < n->n_in; k++)
        in[k] = k < 2 && n->in[k] != SAL_NONE ? lift_mean(b, rules, n->in[k]) : n->in[k];
    (void)sal_b_op(b, n->op->name, n->n_in, in, n->n_attr, n->attr);
    if (b->st != SAL_OK)
        return b->st;
    sal_vjp inner = *v;
    inner.node = b->g->nodes[b->g->n_nodes - 1];
    return sal_rule_plain(&inner);
}

/* x / y: to x the mean of 1 / y, to y the mean of x times d(1 / y) / dy = -1 / (y y'). */
static sal_status lift_quotient(sal_vjp *v, const sal_rules *rules)
{
    sal_builder *b = v->b;
    sal_vid x = v->node->in[0], y = v->node->in[1], g = v->gout[0];
    sal_vid one = sal_b_like(b, y, 1.0), inverse = sal_b2(b, "Div", one, y);
    sal_vid other = sal_b2(b, "Div", one, lift_pair(rules, y));

    if (v->need[0]) {
        sal_vid mean = sal_b2(b, "Mul", sal_b2(b, "Add", inverse, other), sal_b_like(b, y, 0.5));

        v->gin[0] = sal_b_sum_to(b, sal_b2(b, "Mul", g, mean), x);
    }
    if (v->need[1]) {
        sal_vid slope = sal_b1(b, "Neg", sal_b2(b, "Mul", inverse, other));
        sal_vid part = sal_b2(b, "Mul", sal_b2(b, "Mul", g, lift_mean(b, rules, x)), slope);

        v->gin[1] = sal_b_sum_to(b, part, y);
    }
    return b->st;
}

/* The parts of a loss that are to go to the input's winner, because the baseline is largest there
 * too, and to the first winner of the baseline. Only pooling windows know where their winner is. */
static void lift_ties(sal_vjp *v, const sal_rules *rules, sal_vid loss, sal_vid *own,
                      sal_vid *theirs)
{
    const sal_node *n = v->node;
    sal_builder *b = v->b;
    sal_attr attr[SAL_POOL_ATTRS];

    *own = SAL_NONE;
    *theirs = loss;
    if (b->st != SAL_OK || strcmp(n->op->name, "MaxPool") != 0)
        return;
    sal_vid in[3] = {lift_pair(rules, n->in[0]), n->in[0], n->out[0]},
            zero = sal_b_like(b, loss, 0);
    sal_vid there = sal_b_op(b, "MaxPoolGather", 3, in, sal_pool_attrs(n, 0, NULL, attr), attr);
    sal_vid below = sal_b2(b, "Sub", lift_pair(rules, n->out[0]), there);
    sal_vid tie = sal_b2(b, "Less", below, sal_b_like(b, below, 1e-6));
    *own = sal_b3(b, "Where", tie, loss, zero);
    *theirs = sal_b3(b, "Where", tie, zero, loss);
}

/* Maxima and minima over windows or axes; a minimum gains by being lower. */
static sal_status lift_extreme(sal_vjp *v, const sal_rules *rules, bool largest)
{
    const sal_node *n = v->node;
    sal_builder *b = v->b;
    sal_vid x = n->in[0], twin = lift_pair(rules, n->out[0]);

    if (!v->need[0] || twin == n->out[0] || sal_val(b->g, twin)->producer < 0)
        return sal_rule_plain(v);
    const sal_node *other = b->g->nodes[sal_val(b->g, twin)->producer];
    sal_vid change = lift_difference(b, rules, n->out[0]), zero = sal_b_like(b, change, 0.0);
    sal_vid up = sal_b2(b, "Max", change, zero), down = sal_b2(b, "Min", change, zero);
    sal_vid tied, lost, gain = largest ? up : down;
    lift_ties(v, rules, largest ? down : up, &tied, &lost);
    sal_vid own = sal_b2(b, "Mul", v->gout[0], sal_b_add_opt(b, gain, tied));
    sal_vid theirs = sal_b2(b, "Mul", v->gout[0], lost);
    sal_vid sum = sal_b2(b, "Add", lift_plain(v, n, own, 0), lift_plain(v, other, theirs, 0));
    v->gin[0] = lift_divide(b, sum, lift_difference(b, rules, x), lift_plain(v, n, v->gout[0], 0));
    return b->st;
}

static sal_status lift_max(sal_vjp *v, const sal_rules *rules)
{
    return lift_extreme(v, rules, true);
}

static sal_status lift_min(sal_vjp *v, const sal_rules *rules)
{
    return lift_extreme(v, rules, false);
}

static sal_status lift_other(sal_vjp *v, const sal_rules *rules)
{
    const sal_node *n = v->node;
    int which = 0, needed = lift_needed(v, &which);
    char text[160];
    sal_status st;

    if ((n->op->flags & (SAL_OP_MOVE | SAL_OP_VIEW)) != 0)
        return sal_rule_plain(v);
    if ((n->op->flags & SAL_OP_ELEMENTWISE) != 0 && needed == 1 && n->n_out == 1 &&
        lift_same_shape(v->b->g, n->in[which], n->out[0]))
        return lift_rescale(v, rules, which);
    (void)snprintf(text, sizeof(text), "%s has no DeepLIFT rule: its derivative was used",
                   n->op->name);
    st = sal_rule_note(rules, text, v->b->err);
    return st != SAL_OK ? st : sal_rule_plain(v);
}

static const sal_rule_override lift_overrides[] = {
    {"Conv", lift_product},        {"ConvTranspose", lift_product},
    {"Gemm", lift_product},        {"MatMul", lift_product},
    {"PackedMatMul", lift_linear}, {"RotaryEmbedding", lift_linear},
    {"Einsum", lift_product},      {"Mul", lift_product},
    {"Div", lift_quotient},        {"BatchNormalization", lift_linear},
    {"AveragePool", lift_linear},  {"GlobalAveragePool", lift_linear},
    {"ReduceMean", lift_linear},   {"ReduceSum", lift_linear},
    {"Resize", lift_linear},       {"CumSum", lift_linear},
    {"Add", lift_linear},          {"Sub", lift_linear},
    {"Sum", lift_linear},          {"Mean", lift_linear},
    {"Neg", lift_linear},          {"Where", lift_linear},
    {"Cast", lift_linear},         {"Identity", lift_linear},
    {"Dropout", lift_linear},      {"MaxPool", lift_max},
    {"GlobalMaxPool", lift_max},   {"ReduceMax", lift_max},
    {"ReduceMin", lift_min},       {NULL, NULL},
};

/* What the rules above cannot take apart. */
static bool lift_write_out(const sal_graph *g, const sal_node *n, void *ctx)
{
    (void)g;
    (void)ctx;
    if (n->op->expand == NULL ||
        (n->op->flags & (SAL_OP_ELEMENTWISE | SAL_OP_MOVE | SAL_OP_VIEW | SAL_OP_NOGRAD |
                         SAL_OP_PIECEWISE | SAL_OP_DATA_SHAPE)) != 0)
        return false;
    for (const sal_rule_override *o = lift_overrides; o->op != NULL; o++) {
        if (strcmp(o->op, n->op->name) == 0)
            return false;
    }
    return true;
}

const sal_rules_desc sal_rules_deeplift_rescale = {
    .name = "deeplift-rescale",
    .help = "multipliers: changes of outputs over changes of inputs against a baseline",
    .overrides = lift_overrides,
    .fallback = lift_other,
    .write_out = lift_write_out,
    .merge = true,
    .pairs = true,
};
