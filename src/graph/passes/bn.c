/* y = s * conv(x, W, b) + t with constants s, t per output channel becomes conv(x, s W, s b + t).
 * The scale and shift may be a BatchNormalization, or Mul, Div, Add, Sub by a constant that varies
 * along the channels only. */
#include "graph/passes/passes.h"
#include "graph/passes/rewrite.h"

#include <math.h>

/* Scale and shift for each of n channels. */
typedef struct bn_affine {
    double *s, *t;
    int64_t n;
} bn_affine;

/* Which constant holds weights and how its output channels lie: element (a, m, b) of a view
 * [outer, channels, inner] belongs to channel m, for ConvTranspose to channel m + channels * (a /
 * group_rows). */
typedef struct bn_target {
    const sal_node *node;
    const sal_tensor *weight, *bias; /* bias may be NULL */
    int64_t outer, channels, inner, group_rows;
    int64_t n; /* output channels in all */
} bn_target;

static bool bn_float(sal_dtype d)
{
    return d == SAL_F32 || d == SAL_F64;
}

/* Contents of a constant that varies along axis 1 of a value of rank `rank` only; false else. */
static bool bn_channel_constant(const sal_tensor *c, int rank, int64_t n)
{
    if (c == NULL || !bn_float(c->dtype) || c->rank > rank)
        return false;
    for (int i = 0; i < c->rank; i++)
        if (c->dims[i] != 1 && (rank - c->rank + i != 1 || c->dims[i] != n))
            return false;
    return true;
}

/* The layout of the weights of the node that produces v; false when it is no fitting node. */
static bool bn_find_target(const sal_rewrite *r, sal_vid v, bn_target *t)
{
    const sal_node *n = sal_rewrite_producer(r, v, NULL);
    if (n == NULL || !sal_rewrite_single(r, v) || n->n_in < 2)
        return false;
    bool conv = sal_node_is(n, "Conv"), transposed = sal_node_is(n, "ConvTranspose"),
         gemm = sal_node_is(n, "Gemm");
    sal_vid wv = sal_rewrite_now(r, n->in[1]), bv = sal_rewrite_now(r, sal_node_in(n, 2));
    const sal_tensor *w = sal_value_constant(r->g, wv), *b = sal_value_constant(r->g, bv);
    if ((!conv && !transposed && !gemm) || w == NULL || !bn_float(w->dtype) || w->rank < 2 ||
        r->uses[wv] != 1 || r->is_out[wv] || (bv != SAL_NONE && b == NULL) ||
        sal_tensor_count(w) == 0)
        return false;
    *t = (bn_target){.node = n, .weight = w, .bias = b, .outer = 1, .inner = 1, .group_rows = 1};
    if (gemm) {
        bool rows = sal_node_int(n, "transB", 0) != 0;
        if (w->rank != 2 || (b != NULL && sal_node_float(n, "beta", 1) != 1) ||
            sal_node_float(n, "alpha", 1) != 1)
            return false;
        t->channels = w->dims[rows ? 0 : 1];
        t->outer = rows ? 1 : w->dims[0];
        t->inner = rows ? w->dims[1] : 1;
        t->group_rows = t->outer;
        t->n = t->channels;
    } else {
        int64_t group = conv ? 1 : sal_node_int(n, "group", 1);
        if (group < 1 || w->dims[0] % group != 0)
            return false;
        t->channels = w->dims[conv ? 0 : 1];
        t->outer = conv ? 1 : w->dims[0];
        t->inner = sal_tensor_count(w) / (t->outer * t->channels);
        t->group_rows = conv ? 1 : t->outer / group;
        t->n = t->channels * group;
    }
    return b == NULL || (gemm ? bn_channel_constant(b, 2, t->n) : sal_tensor_count(b) == t->n);
}

static double bn_at(const sal_tensor *c, int64_t i)
{
    return sal_tensor_get(c, sal_tensor_count(c) == 1 ? 0 : i);
}

static bool bn_from_batchnorm(const sal_graph *g, const sal_node *n, bn_affine *a)
{
    const sal_tensor *p[4];
    double eps = sal_node_float(n, "epsilon", 1e-5);
    if (sal_node_int(n, "training_mode", 0) != 0 || n->n_in < 5)
        return false;
    for (int k = 1; k < n->n_out; k++)
        if (n->out[k] != SAL_NONE)
            return false;
    for (int k = 0; k < 4; k++) {
        p[k] = sal_value_constant(g, n->in[k + 1]);
        if (p[k] == NULL || !bn_float(p[k]->dtype) || sal_tensor_count(p[k]) != a->n)
            return false;
    }
    for (int64_t i = 0; i < a->n; i++) {
        a->s[i] = sal_tensor_get(p[0], i) / sqrt(sal_tensor_get(p[3], i) + eps);
        a->t[i] = sal_tensor_get(p[1], i) - sal_tensor_get(p[2], i) * a->s[i];
    }
    return true;
}

/* Mul, Div, Add, Sub of x (input `xi`) and a constant. c - x and c / x are left alone. */
static bool bn_from_binary(const sal_graph *g, const sal_node *n, int xi, bn_affine *a)
{
    const sal_tensor *c = sal_value_constant(g, n->in[1 - xi]);
    int rank = sal_val(g, n->out[0])->rank;
    bool mul = sal_node_is(n, "Mul"), div = sal_node_is(n, "Div") && xi == 0,
         add = sal_node_is(n, "Add"), sub = sal_node_is(n, "Sub") && xi == 0;
    if ((!mul && !div && !add && !sub) || rank < 2 || rank != sal_val(g, n->in[xi])->rank ||
        !bn_channel_constant(c, rank, a->n))
        return false;
    for (int64_t i = 0; i < a->n; i++) {
        double v = bn_at(c, i);
        a->s[i] = mul ? v : div ? 1 / v : 1;
        a->t[i] = add ? v : sub ? -v : 0;
    }
    return true;
}

/* The new weights: every element times its channel's scale. */
static sal_status bn_weights(sal_rewrite *r, const bn_target *t, const bn_affine *a, sal_vid *out)
{
    sal_tensor w = SAL_TENSOR_INIT;
    sal_status st = sal_tensor_new(&w, t->weight->dtype, t->weight->rank, t->weight->dims, r->err);
    for (int64_t o = 0; st == SAL_OK && o < t->outer; o++) {
        for (int64_t m = 0; m < t->channels; m++) {
            double s = a->s[m + t->channels * (o / t->group_rows)];
            int64_t at = (o * t->channels + m) * t->inner;
            if (w.dtype == SAL_F32)
                for (int64_t i = at; i < at + t->inner; i++)
                    ((float *)w.data)[i] = (float)((double)((const float *)t->weight->data)[i] * s);
            else
                for (int64_t i = at; i < at + t->inner; i++)
                    ((double *)w.data)[i] = ((const double *)t->weight->data)[i] * s;
        }
    }
    if (st == SAL_OK)
        st = sal_graph_constant(r->g, NULL, &w, out, r->err);
    sal_tensor_free(&w);
    return st;
}

static sal_status bn_bias(sal_rewrite *r, const bn_target *t, const bn_affine *a, sal_vid *out)
{
    sal_tensor b = SAL_TENSOR_INIT;
    sal_status st = sal_tensor_new(&b, t->weight->dtype, 1, &t->n, r->err);
    for (int64_t m = 0; st == SAL_OK && m < t->n; m++)
        sal_tensor_set(&b, m, (t->bias == NULL ? 0 : bn_at(t->bias, m)) * a->s[m] + a->t[m]);
    if (st == SAL_OK)
        st = sal_graph_constant(r->g, NULL, &b, out, r->err);
    sal_tensor_free(&b);
    return st;
}

/* Replace the convolution and what follows by one convolution of the same operator and attributes.
 */
static sal_status bn_fold(sal_rewrite *r, const bn_target *t, const sal_node *after,
                          const bn_affine *a)
{
    sal_vid in[3] = {t->node->in[0], SAL_NONE, SAL_NONE};
    bool scaled = false;
    sal_status st = SAL_OK;
    for (int64_t i = 0; i < a->n; i++) {
        if (!isfinite(a->s[i]) || !isfinite(a->t[i]))
            return SAL_OK;
        scaled = scaled || a->s[i] != 1;
    }
    in[1] = t->node->in[1];
    if (scaled)
        SAL_TRY(bn_weights(r, t, a, &in[1]));
    SAL_TRY(bn_bias(r, t, a, &in[2]));
    SAL_TRY(sal_rewrite_supplant(r, after, t->node->op->name, t->node->name, 3, in, t->node->n_attr,
                                 t->node->attr));
    sal_rewrite_kill(r, t->node);
done:
    return st;
}

static sal_status bn_node(sal_rewrite *r, const sal_node *n)
{
    bn_target t;
    bn_affine a = {NULL, NULL, 0};
    sal_status st = SAL_OK;
    bool batchnorm = sal_node_is(n, "BatchNormalization");
    int xi = 0;
    if (n->n_in < 2 || n->n_out < 1 || n->out[0] == SAL_NONE)
        return SAL_OK;
    if (!batchnorm && sal_value_constant(r->g, n->in[0]) != NULL)
        xi = 1;
    if (n->in[xi] == SAL_NONE || !bn_find_target(r, n->in[xi], &t))
        return SAL_OK;
    a.n = t.n;
    a.s = sal_calloc((size_t)t.n, sizeof *a.s);
    a.t = sal_calloc((size_t)t.n, sizeof *a.t);
    if (a.s == NULL || a.t == NULL)
        SAL_TRY(sal_fail_nomem(r->err));
    if (batchnorm ? bn_from_batchnorm(r->g, n, &a) : bn_from_binary(r->g, n, xi, &a))
        SAL_TRY(bn_fold(r, &t, n, &a));
done:
    sal_free(a.s);
    sal_free(a.t);
    return st;
}

sal_status sal_pass_bn(sal_graph *g, sal_error *err)
{
    sal_rewrite r;
    sal_status st = SAL_OK;
    SAL_TRY(sal_rewrite_begin(&r, g, err));
    size_t n = g->n_nodes;
    for (size_t i = 0; i < n; i++)
        if (!r.dead[i] && (sal_node_is(g->nodes[i], "BatchNormalization") ||
                           sal_node_is(g->nodes[i], "Mul") || sal_node_is(g->nodes[i], "Div") ||
                           sal_node_is(g->nodes[i], "Add") || sal_node_is(g->nodes[i], "Sub")))
            SAL_TRY(bn_node(&r, g->nodes[i]));
done:
    return sal_rewrite_end(&r, st);
}
