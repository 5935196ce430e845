/* Relevance rules for layers: convolutions and products with constant weights.
 *
 * Each rule divides the relevance of an output by what some modified layer gives and hands the
 * quotient s back through weights that were modified in the same way. `lin` and `back` below are
 * the layer itself with other inputs and weights, and its derivative, so one formula serves every
 * layout, group and dilation. With R = z G the results are, in terms of G,
 *
 *   z-plus      p = lin(x+, W+, b+) + lin(x-, W-),  s = R / p
 *               G_i = back(W+, s) where x_i > 0, back(W-, s) where x_i < 0
 *   alpha-beta  p as before, n = lin(x+, W-, b-) + lin(x-, W+)
 *               x_i > 0: alpha back(W+, R / p) - beta back(W-, R / n), x_i < 0: W+ and W- swapped
 *   gamma       P = W + gamma W+, N = W + gamma W-
 *               p = lin(x+, P, b + gamma b+) + lin(x-, N), s = R / p where z > 0
 *               n = lin(x+, N, b + gamma b-) + lin(x-, P), t = R / n where z < 0
 *               x_i > 0: back(P, s) + back(N, t), x_i < 0: back(N, s) + back(P, t)
 *
 * (alpha-beta: Bach et al., 2015; z-plus, box, w-square: Montavon et al., 2017; gamma: Montavon et
 * al., 2019, for inputs of either sign Andeol et al., 2021; flat: Lapuschkin et al., 2019). Where
 * the input cannot be negative, the halves for negative inputs are left out. */
#include "diff/lrp.h"
#include "ops/builder.h"
#include "ops/core/packed.h"

typedef struct lrp_layer {
    sal_builder *b;
    const sal_node *node;
    sal_vid x, w, bias; /* bias may be SAL_NONE */
    sal_vid r;          /* relevance of the output */
    bool positive;      /* x has no negative elements */
    bool packed;        /* x W^T with a packed W */
} lrp_layer;

/* True when v is known to have no negative elements. */
static bool lrp_is_positive(const sal_graph *g, sal_vid v)
{
    static const char *const bounded[] = {"Relu",        "Sigmoid", "Softplus", "Softmax",
                                          "HardSigmoid", "Abs",     "Exp",      "Sqrt"};
    static const char *const through[] = {"MaxPool",       "AveragePool", "GlobalAveragePool",
                                          "GlobalMaxPool", "Dropout",     "Identity",
                                          "ReduceMean",    "ReduceSum",   "Cast"};

    for (int guard = 0; guard < 32; guard++) {
        int32_t p = sal_val(g, v)->producer;

        if (p < 0)
            return false;
        const sal_node *n = g->nodes[p];
        bool on = (n->op->flags & SAL_OP_VIEW) != 0;
        for (size_t i = 0; i < SAL_COUNTOF(bounded); i++) {
            if (strcmp(n->op->name, bounded[i]) == 0)
                return true;
        }
        if (strcmp(n->op->name, "Clip") == 0) {
            sal_vid lo = sal_node_in(n, 1);
            const sal_tensor *t = lo == SAL_NONE ? NULL : sal_val(g, lo)->constant;

            return t != NULL && sal_tensor_count(t) == 1 && sal_tensor_get(t, 0) >= 0.0;
        }
        for (size_t i = 0; i < SAL_COUNTOF(through); i++)
            on = on || strcmp(n->op->name, through[i]) == 0;
        if (!on)
            return false;
        v = n->in[0];
    }
    return false;
}

static sal_status lrp_begin(lrp_layer *l, const sal_vjp *v)
{
    const sal_node *n = v->node;

    *l = (lrp_layer){.b = v->b, .node = n, .x = n->in[0], .w = n->in[1], .bias = SAL_NONE};
    l->packed = strcmp(n->op->name, "PackedMatMul") == 0;
    if (l->packed) { /* the rules look at single weights: W^T as floats */
        static const int64_t perm[] = {1, 0};

        l->w = sal_b_transpose(v->b, sal_packed_unpacked(v->b, n, 1), perm);
    } else if (strcmp(n->op->name, "MatMul") != 0) {
        l->bias = sal_node_in(n, 2);
    }
    if (sal_node_float(n, "alpha", 1.0) <= 0.0 || sal_node_float(n, "beta", 1.0) < 0.0)
        return sal_fail(v->b->err, SAL_EUNSUPPORTED,
                        "node %s: relevance rules need a positive alpha and beta", n->name);
    l->r = sal_b2(v->b, "Mul", v->gout[0], n->out[0]);
    l->positive = v->b->st == SAL_OK && lrp_is_positive(v->b->g, l->x);
    return v->b->st;
}

/* The layer with other operands. */
static sal_vid lrp_lin(const lrp_layer *l, sal_vid x, sal_vid w, sal_vid bias)
{
    sal_vid in[3] = {x, w, bias};

    if (l->packed)
        return sal_b2(l->b, "MatMul", x, w);
    return sal_b_op(l->b, l->node->op->name, bias == SAL_NONE ? 2 : 3, in, l->node->n_attr,
                    l->node->attr);
}

/* Its derivative by x, applied to s. What the layer itself would give is not computed. */
static sal_vid lrp_back(const lrp_layer *l, sal_vid w, sal_vid s)
{
    static const bool need[3] = {true, false, false};
    sal_vid gin[3] = {SAL_NONE, SAL_NONE, SAL_NONE};
    sal_builder *b = l->b;

    (void)lrp_lin(l, l->x, w, SAL_NONE);
    if (b->st != SAL_OK)
        return SAL_NONE;
    sal_vjp v = {
        .b = b, .node = b->g->nodes[b->g->n_nodes - 1], .gout = &s, .need = need, .gin = gin};
    b->st = sal_rule_plain(&v);
    return b->st == SAL_OK ? gin[0] : SAL_NONE;
}

static sal_vid lrp_plus(sal_builder *b, sal_vid v)
{
    return v == SAL_NONE ? SAL_NONE : sal_b1(b, "Relu", v);
}

static sal_vid lrp_minus(sal_builder *b, sal_vid v)
{
    return v == SAL_NONE ? SAL_NONE : sal_b2(b, "Min", v, sal_b_like(b, v, 0.0));
}

/* v + factor part */
static sal_vid lrp_favour(sal_builder *b, sal_vid v, double factor, sal_vid part)
{
    return v == SAL_NONE ? SAL_NONE
                         : sal_b2(b, "Add", v, sal_b2(b, "Mul", part, sal_b_like(b, part, factor)));
}

/* r / (z + stabiliser sign z), sign 0 = 1 */
static sal_vid lrp_divide(sal_builder *b, sal_vid r, sal_vid z)
{
    sal_vid below = sal_b2(b, "Less", z, sal_b_like(b, z, 0.0));
    sal_vid step = sal_b3(b, "Where", below, sal_b_like(b, z, -SAL_LRP_STABILISER),
                          sal_b_like(b, z, SAL_LRP_STABILISER));

    return sal_b2(b, "Div", r, sal_b2(b, "Add", z, step));
}

/* lin(x+, w, bias) + lin(x-, v) */
static sal_vid lrp_sum(const lrp_layer *l, sal_vid w, sal_vid bias, sal_vid v)
{
    if (l->positive)
        return lrp_lin(l, l->x, w, bias);
    return sal_b2(l->b, "Add", lrp_lin(l, lrp_plus(l->b, l->x), w, bias),
                  lrp_lin(l, lrp_minus(l->b, l->x), v, SAL_NONE));
}

/* back(w, s) where x > 0, back(v, s) where x < 0 */
static sal_vid lrp_hand_back(const lrp_layer *l, sal_vid w, sal_vid v, sal_vid s)
{
    sal_builder *b = l->b;

    if (l->positive)
        return lrp_back(l, w, s);
    return sal_b3(b, "Where", sal_b2(b, "Less", l->x, sal_b_like(b, l->x, 0.0)), lrp_back(l, v, s),
                  lrp_back(l, w, s));
}

static sal_vid lrp_scaled(sal_builder *b, sal_vid v, double factor)
{
    return factor == 1.0 ? v : sal_b2(b, "Mul", v, sal_b_like(b, v, factor));
}

/* alpha the share of positive contributions less beta that of negative ones */
static sal_status lrp_shares(sal_vjp *v, double alpha, double beta, bool offset)
{
    lrp_layer l;
    sal_vid gin = SAL_NONE;
    sal_status st = SAL_OK;

    SAL_TRY(lrp_begin(&l, v));
    sal_vid plus = lrp_plus(l.b, l.w), minus = lrp_minus(l.b, l.w);
    sal_vid bias = offset ? l.bias : SAL_NONE;
    if (alpha != 0.0) {
        sal_vid s = lrp_divide(l.b, l.r, lrp_sum(&l, plus, lrp_plus(l.b, bias), minus));

        gin = lrp_hand_back(&l, plus, minus, lrp_scaled(l.b, s, alpha));
    }
    if (beta != 0.0) {
        sal_vid s = lrp_divide(l.b, l.r, lrp_sum(&l, minus, lrp_minus(l.b, bias), plus));

        gin = sal_b_add_opt(l.b, gin, lrp_hand_back(&l, minus, plus, lrp_scaled(l.b, s, -beta)));
    }
    v->gin[0] = gin;
    st = l.b->st;
done:
    return st;
}

sal_status sal_lrp_z_plus(sal_vjp *v, const sal_rules *rules)
{
    (void)rules;
    return lrp_shares(v, 1.0, 0.0, true);
}

sal_status sal_lrp_excitation(sal_vjp *v, const sal_rules *rules)
{
    (void)rules;
    return lrp_shares(v, 1.0, 0.0, false);
}

sal_status sal_lrp_excitation_last(sal_vjp *v, const sal_rules *rules)
{
    return lrp_shares(v, 1.0, rules->p.contrastive ? 1.0 : 0.0, false);
}

sal_status sal_lrp_alpha_beta(sal_vjp *v, const sal_rules *rules)
{
    return lrp_shares(v, rules->p.alpha, rules->p.beta, true);
}

sal_status sal_lrp_gamma(sal_vjp *v, const sal_rules *rules)
{
    double gamma = rules->p.gamma;
    sal_builder *b = v->b;
    lrp_layer l;
    sal_status st = SAL_OK;

    SAL_TRY(lrp_begin(&l, v));
    sal_vid zero = sal_b_like(b, l.r, 0.0), z = v->node->out[0];
    sal_vid more = lrp_favour(b, l.w, gamma, lrp_plus(b, l.w));
    sal_vid less = lrp_favour(b, l.w, gamma, lrp_minus(b, l.w));
    sal_vid p = lrp_sum(&l, more, lrp_favour(b, l.bias, gamma, lrp_plus(b, l.bias)), less);
    sal_vid n = lrp_sum(&l, less, lrp_favour(b, l.bias, gamma, lrp_minus(b, l.bias)), more);
    sal_vid s = sal_b3(b, "Where", sal_b2(b, "Greater", z, zero), lrp_divide(b, l.r, p), zero);
    sal_vid t = sal_b3(b, "Where", sal_b2(b, "Less", z, zero), lrp_divide(b, l.r, n), zero);
    v->gin[0] =
        sal_b2(b, "Add", lrp_hand_back(&l, more, less, s), lrp_hand_back(&l, less, more, t));
    st = b->st;
done:
    return st;
}

/* ---- the first layer ---- */

/* Where the input plays no part: relevance over the input, which may be zero. */
static sal_status lrp_without_input(sal_vjp *v, const sal_rules *rules, sal_vid w, sal_vid bias,
                                    const lrp_layer *l)
{
    sal_builder *b = v->b;
    sal_vid s = lrp_divide(b, l->r, lrp_lin(l, sal_b_ones_like(b, l->x), w, bias));

    v->gin[0] = sal_b2(b, "Div", lrp_back(l, w, s), sal_rule_value(b, rules->desc, l->x));
    return b->st;
}

sal_status sal_lrp_flat(sal_vjp *v, const sal_rules *rules)
{
    lrp_layer l;
    sal_status st = SAL_OK;

    SAL_TRY(lrp_begin(&l, v));
    st = lrp_without_input(v, rules, sal_b_ones_like(v->b, l.w), SAL_NONE, &l);
done:
    return st;
}

sal_status sal_lrp_w_square(sal_vjp *v, const sal_rules *rules)
{
    lrp_layer l;
    sal_status st = SAL_OK;

    SAL_TRY(lrp_begin(&l, v));
    st = lrp_without_input(v, rules, sal_b2(v->b, "Mul", l.w, l.w),
                           l.bias == SAL_NONE ? SAL_NONE : sal_b2(v->b, "Mul", l.bias, l.bias), &l);
done:
    return st;
}

/* A bound of the input, of the input's shape: the one that was given, or the sample's own. */
static sal_vid lrp_bound(const lrp_layer *l, const sal_rules *rules, double bound, const char *op)
{
    sal_builder *b = l->b;
    int64_t axes[SAL_MAX_RANK];

    if (b->st != SAL_OK)
        return SAL_NONE;
    if (rules->p.low < rules->p.high)
        return sal_b_expand_like(b, sal_b_like(b, l->x, bound), l->x);
    int rank = sal_val(b->g, l->x)->rank;
    for (int i = 1; i < rank; i++)
        axes[i - 1] = i;
    return sal_b_expand_like(b, sal_b_reduce(b, op, l->x, rank - 1, axes, true), l->x);
}

sal_status sal_lrp_box(sal_vjp *v, const sal_rules *rules)
{
    sal_builder *b = v->b;
    lrp_layer l;
    sal_status st = SAL_OK;

    SAL_TRY(lrp_begin(&l, v));
    sal_vid low = lrp_bound(&l, rules, rules->p.low, "ReduceMin");
    sal_vid high = lrp_bound(&l, rules, rules->p.high, "ReduceMax");
    sal_vid plus = lrp_plus(b, l.w), minus = lrp_minus(b, l.w);
    sal_vid z = sal_b2(b, "Sub", v->node->out[0], lrp_lin(&l, low, plus, lrp_plus(b, l.bias)));
    z = sal_b2(b, "Sub", z, lrp_lin(&l, high, minus, lrp_minus(b, l.bias)));
    sal_vid s = lrp_divide(b, l.r, z);
    sal_vid r = sal_b2(b, "Mul", l.x, lrp_back(&l, l.w, s));
    r = sal_b2(b, "Sub", r, sal_b2(b, "Mul", low, lrp_back(&l, plus, s)));
    r = sal_b2(b, "Sub", r, sal_b2(b, "Mul", high, lrp_back(&l, minus, s)));
    v->gin[0] = sal_b2(b, "Div", r, sal_rule_value(b, rules->desc, l.x));
    st = b->st;
done:
    return st;
}

sal_status sal_lrp_before(sal_vjp *v, const sal_rules *rules)
{
    const sal_node *n = v->node;
    sal_builder *b = v->b;
    int only = -1, needed = 0;

    for (int k = 0; k < n->n_in; k++) {
        if (v->need[k]) {
            only = k;
            needed++;
        }
    }
    if ((n->op->flags & (SAL_OP_MOVE | SAL_OP_VIEW)) != 0)
        return sal_rule_plain(v);
    if (needed != 1 || (n->op->flags & SAL_OP_ELEMENTWISE) == 0)
        return sal_lrp_plain_rule(v, rules);
    sal_vid x = n->in[only];
    sal_vid r = sal_b2(b, "Mul", v->gout[0], sal_rule_value(b, rules->desc, n->out[0]));
    v->gin[only] = sal_b2(b, "Div", sal_b_sum_to(b, r, x), sal_rule_value(b, rules->desc, x));
    return b->st;
}
