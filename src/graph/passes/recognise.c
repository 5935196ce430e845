/* Operators that older exporters wrote out in simpler ones, found again: kernels and derivatives of
 * the whole are faster and more exact than those of the pieces. Every pattern is matched from its
 * last node backwards; the pieces stay when something else reads them and are dropped by dead code
 * elimination otherwise. */
#include "graph/passes/passes.h"
#include "graph/passes/rewrite.h"

#include <math.h>

/* Constants in files are rounded to float32 and sometimes typed in with few digits. */
static bool recognise_near(double a, double b)
{
    return fabs(a - b) <= 1e-4 * fabs(b);
}

/* ---- products ----
 * A product of several factors has many orders: (x * 0.5) * y, x * (0.5 * y), (x * y) / 2. All are
 * brought to one form: a number and a list of other factors. */

enum { PRODUCT_MAX = 6 };

typedef struct recognise_product {
    double number;
    sal_vid factor[PRODUCT_MAX];
    int n;
} recognise_product;

static bool recognise_collect(const sal_rewrite *r, sal_vid v, bool root, int depth,
                              recognise_product *p)
{
    double c;
    v = sal_rewrite_now(r, v);
    if (sal_value_number(r->g, v, &c)) {
        p->number *= c;
        return true;
    }
    const sal_node *n = sal_rewrite_producer(r, v, NULL);
    bool open =
        n != NULL && (root || sal_rewrite_single(r, v)) && depth < PRODUCT_MAX && n->n_in == 2;
    if (open && sal_node_is(n, "Mul"))
        return recognise_collect(r, n->in[0], false, depth + 1, p) &&
               recognise_collect(r, n->in[1], false, depth + 1, p);
    if (open && sal_node_is(n, "Div") && sal_value_number(r->g, sal_rewrite_now(r, n->in[1]), &c) &&
        c != 0) {
        p->number /= c;
        return recognise_collect(r, n->in[0], false, depth + 1, p);
    }
    if (p->n == PRODUCT_MAX)
        return false;
    p->factor[p->n++] = v;
    return true;
}

static bool recognise_product_of(const sal_rewrite *r, sal_vid v, recognise_product *p)
{
    p->number = 1;
    p->n = 0;
    return recognise_collect(r, v, true, 0, p);
}

/* v = u + c with a number c; *u. */
static bool recognise_plus(const sal_rewrite *r, sal_vid v, double c, sal_vid *u)
{
    double number;
    const sal_node *n = sal_rewrite_producer(r, v, "Add");
    for (int k = 0; n != NULL && k < 2; k++) {
        if (sal_value_number(r->g, sal_rewrite_now(r, n->in[k]), &number) &&
            recognise_near(number, c)) {
            *u = sal_rewrite_now(r, n->in[1 - k]);
            return true;
        }
    }
    return false;
}

/* v = k * x^3 + x? Then true; with `inner`, v = k * x^2 + 1 (x was taken out). */
static bool recognise_cubic(const sal_rewrite *r, sal_vid v, sal_vid x, bool inner)
{
    const sal_node *n = sal_rewrite_producer(r, v, "Add");
    recognise_product p;
    double e;
    for (int side = 0; n != NULL && side < 2; side++) {
        double one;
        bool rest = inner ? sal_value_number(r->g, sal_rewrite_now(r, n->in[side]), &one) &&
                                recognise_near(one, 1)
                          : sal_rewrite_now(r, n->in[side]) == x;
        if (!rest || !recognise_product_of(r, n->in[1 - side], &p) ||
            !recognise_near(p.number, 0.044715))
            continue;
        int power = 0;
        bool only_x = true;
        for (int i = 0; i < p.n; i++) {
            const sal_node *pow = sal_rewrite_producer(r, p.factor[i], "Pow");
            if (p.factor[i] == x)
                power++;
            else if (pow != NULL && sal_rewrite_now(r, pow->in[0]) == x &&
                     sal_value_number(r->g, sal_rewrite_now(r, pow->in[1]), &e) &&
                     (e == 2 || e == 3))
                power += (int)e;
            else
                only_x = false;
        }
        if (only_x && power == (inner ? 2 : 3))
            return true;
    }
    return false;
}

/* tanh's argument: sqrt(2/pi) (x + 0.044715 x^3), in one of two forms. */
static bool recognise_gelu_tanh(const sal_rewrite *r, sal_vid v, sal_vid x)
{
    const double k = 0.7978845608028654;
    recognise_product p;
    if (!recognise_product_of(r, v, &p) || !recognise_near(p.number, k))
        return false;
    if (p.n == 1)
        return recognise_cubic(r, p.factor[0], x, false);
    return p.n == 2 && ((p.factor[0] == x && recognise_cubic(r, p.factor[1], x, true)) ||
                        (p.factor[1] == x && recognise_cubic(r, p.factor[0], x, true)));
}

/* 0.5 x (1 + erf(x / sqrt 2)) and its tanh approximation. */
static sal_status recognise_gelu(sal_rewrite *r, const sal_node *n)
{
    recognise_product p, q;
    sal_vid inner, x = SAL_NONE;
    const char *approximate = NULL;
    if (!recognise_product_of(r, n->out[0], &p) || p.n != 2 || !recognise_near(p.number, 0.5))
        return SAL_OK;
    for (int k = 0; k < 2 && approximate == NULL; k++) {
        x = p.factor[1 - k];
        if (!recognise_plus(r, p.factor[k], 1, &inner))
            continue;
        const sal_node *f = sal_rewrite_producer(r, inner, NULL);
        if (f == NULL)
            continue;
        if (sal_node_is(f, "Erf") && recognise_product_of(r, f->in[0], &q) && q.n == 1 &&
            q.factor[0] == x && recognise_near(q.number, 0.7071067811865476))
            approximate = "none";
        else if (sal_node_is(f, "Tanh") && recognise_gelu_tanh(r, f->in[0], x))
            approximate = "tanh";
    }
    if (approximate == NULL || sal_op_find(SAL_DOMAIN_ONNX, "Gelu") == NULL)
        return SAL_OK;
    sal_attr attr[] = {SAL_AS("approximate", approximate)};
    return sal_rewrite_supplant(r, n, "Gelu", n->name, 1, &x, 1, attr);
}

/* x sigmoid(x) and x hardsigmoid(x). */
static sal_status recognise_swish(sal_rewrite *r, const sal_node *n)
{
    double alpha = 1;
    for (int k = 0; k < 2; k++) {
        sal_vid x = sal_rewrite_now(r, n->in[k]);
        const sal_node *f = sal_rewrite_producer(r, n->in[1 - k], NULL);
        const char *op = NULL;
        if (f == NULL || x == SAL_NONE)
            continue;
        recognise_product p;
        if (sal_node_is(f, "Sigmoid") && recognise_product_of(r, f->in[0], &p) && p.n == 1 &&
            p.factor[0] == x) {
            op = "Swish";
            alpha = p.number;
        } else if (sal_node_is(f, "Sigmoid") && sal_rewrite_now(r, f->in[0]) == x) {
            op = "Swish";
            alpha = 1;
        } else if (sal_node_is(f, "HardSigmoid") && sal_rewrite_now(r, f->in[0]) == x &&
                   recognise_near(sal_node_float(f, "alpha", 0.2), 1.0 / 6) &&
                   sal_node_float(f, "beta", 0.5) == 0.5) {
            op = "HardSwish";
        }
        if (op == NULL || sal_op_find(SAL_DOMAIN_ONNX, op) == NULL)
            continue;
        sal_attr attr[] = {SAL_AF("alpha", alpha)};
        int n_attr = strcmp(op, "Swish") == 0 && alpha != 1 ? 1 : 0;
        return sal_rewrite_supplant(r, n, op, n->name, 1, &x, n_attr, attr);
    }
    return SAL_OK;
}

/* ---- layer normalisation ---- */

/* v = mean of u over the last axes, kept; *axes: how many. */
static bool recognise_mean(const sal_rewrite *r, sal_vid v, sal_vid *u, int *axes)
{
    int64_t list[SAL_MAX_RANK];
    bool set[SAL_MAX_RANK] = {false};
    const sal_node *n = sal_rewrite_producer(r, v, "ReduceMean");
    if (n == NULL || sal_node_int(n, "keepdims", 1) == 0)
        return false;
    *u = sal_rewrite_now(r, n->in[0]);
    int rank = sal_val(r->g, *u)->rank;
    int count = sal_node_in(n, 1) == SAL_NONE
                    ? -1
                    : sal_value_integers(r->g, sal_rewrite_now(r, n->in[1]), list, SAL_MAX_RANK);
    if (rank < 1 || count < 1 || count > rank)
        return false;
    for (int i = 0; i < count; i++) {
        int64_t a = list[i] < 0 ? list[i] + rank : list[i];
        if (a < 0 || a >= rank)
            return false;
        set[a] = true;
    }
    for (int i = rank - count; i < rank; i++)
        if (!set[i])
            return false;
    *axes = count;
    return true;
}

/* v = x - mean(x)? */
static bool recognise_centred(const sal_rewrite *r, sal_vid v, sal_vid *x, int *axes)
{
    sal_vid u;
    const sal_node *n = sal_rewrite_producer(r, v, "Sub");
    if (n == NULL || !recognise_mean(r, n->in[1], &u, axes))
        return false;
    *x = sal_rewrite_now(r, n->in[0]);
    return u == *x;
}

/* v = d^2 with d = x - mean(x), the same d or another copy of it. */
static bool recognise_square(const sal_rewrite *r, sal_vid v, sal_vid x, int axes)
{
    double e;
    sal_vid of;
    int have;
    const sal_node *pow = sal_rewrite_producer(r, v, "Pow"),
                   *mul = sal_rewrite_producer(r, v, "Mul");
    sal_vid d = SAL_NONE;
    if (pow != NULL && sal_value_number(r->g, sal_rewrite_now(r, pow->in[1]), &e) && e == 2)
        d = pow->in[0];
    else if (mul != NULL && sal_rewrite_now(r, mul->in[0]) == sal_rewrite_now(r, mul->in[1]))
        d = mul->in[0];
    return d != SAL_NONE && recognise_centred(r, d, &of, &have) && of == x && have == axes;
}

/* v = sqrt(mean(d^2) + eps)? */
static bool recognise_deviation(const sal_rewrite *r, sal_vid v, sal_vid x, int axes, double *eps)
{
    sal_vid square;
    int have;
    const sal_node *root = sal_rewrite_producer(r, v, "Sqrt");
    const sal_node *add = root == NULL ? NULL : sal_rewrite_producer(r, root->in[0], "Add");
    for (int k = 0; add != NULL && k < 2; k++)
        if (sal_value_number(r->g, sal_rewrite_now(r, add->in[k]), eps) &&
            recognise_mean(r, add->in[1 - k], &square, &have) && have == axes &&
            recognise_square(r, square, x, axes))
            return true;
    return false;
}

/* n = d / sqrt(...) or d * (1 / sqrt(...)). */
static bool recognise_normalised(const sal_rewrite *r, const sal_node *n, sal_vid *x, int *axes,
                                 double *eps)
{
    if (sal_node_is(n, "Div"))
        return recognise_centred(r, n->in[0], x, axes) &&
               recognise_deviation(r, n->in[1], *x, *axes, eps);
    for (int k = 0; sal_node_is(n, "Mul") && k < 2; k++) {
        const sal_node *inverse = sal_rewrite_producer(r, n->in[1 - k], "Reciprocal");
        if (inverse != NULL && recognise_centred(r, n->in[k], x, axes) &&
            recognise_deviation(r, inverse->in[0], *x, *axes, eps))
            return true;
    }
    return false;
}

/* The constant factor or summand of node n beside value v, if it spans exactly the last `axes`
 * axes. */
static sal_vid recognise_parameter(const sal_rewrite *r, const sal_node *n, sal_vid v, sal_vid x,
                                   int axes)
{
    const sal_value *in = sal_val(r->g, x);
    for (int k = 0; k < 2; k++) {
        sal_vid c = sal_rewrite_now(r, n->in[k]);
        const sal_tensor *t = sal_value_constant(r->g, c);
        if (t == NULL || sal_rewrite_now(r, n->in[1 - k]) != v || t->rank != axes ||
            t->dtype != in->dtype)
            continue;
        bool fits = true;
        for (int i = 0; i < axes; i++)
            fits = fits && t->dims[i] == in->dims[in->rank - axes + i];
        if (fits)
            return c;
    }
    return SAL_NONE;
}

/* LayerNormalization needs a scale; where the file multiplies by none it is one. */
static sal_status recognise_ones(sal_rewrite *r, sal_vid x, int axes, sal_vid *out)
{
    const sal_value *in = sal_val(r->g, x);
    sal_tensor t = SAL_TENSOR_INIT;
    sal_status st = sal_tensor_new(&t, in->dtype, axes, in->dims + in->rank - axes, r->err);
    for (int64_t i = 0; st == SAL_OK && i < sal_tensor_count(&t); i++)
        sal_tensor_set(&t, i, 1);
    if (st == SAL_OK)
        st = sal_graph_constant(r->g, NULL, &t, out, r->err);
    sal_tensor_free(&t);
    return st;
}

/* first: by value, the only node that reads it (-1: several or none). */
static sal_status recognise_layer_norm(sal_rewrite *r, const sal_node *n, const int32_t *reader)
{
    sal_vid x, in[3] = {SAL_NONE, SAL_NONE, SAL_NONE};
    int axes;
    double eps;
    sal_status st = SAL_OK;
    if (!recognise_normalised(r, n, &x, &axes, &eps) ||
        sal_op_find(SAL_DOMAIN_ONNX, "LayerNormalization") == NULL)
        return SAL_OK;
    const sal_value *v = sal_val(r->g, x);
    for (int i = 0; i < axes; i++)
        if (v->dims[v->rank - axes + i] < 1 || v->dims[v->rank - axes + i] > 1 << 24)
            return SAL_OK;
    const sal_node *last = n, *dead[2] = {NULL, NULL};
    for (int k = 1; k < 3; k++) {
        int32_t next = sal_rewrite_single(r, last->out[0]) ? reader[last->out[0]] : -1;
        if (next < 0 || r->dead[next] || !sal_node_is(r->g->nodes[next], k == 1 ? "Mul" : "Add"))
            continue;
        in[k] =
            recognise_parameter(r, r->g->nodes[next], sal_rewrite_now(r, last->out[0]), x, axes);
        if (in[k] != SAL_NONE) {
            dead[k - 1] = last;
            last = r->g->nodes[next];
        }
    }
    in[0] = x;
    if (in[1] == SAL_NONE)
        SAL_TRY(recognise_ones(r, x, axes, &in[1]));
    sal_attr attr[] = {SAL_AI("axis", -axes), SAL_AF("epsilon", eps)};
    SAL_TRY(sal_rewrite_supplant(r, last, "LayerNormalization", last->name,
                                 in[2] == SAL_NONE ? 2 : 3, in, 2, attr));
    for (int k = 0; k < 2; k++)
        if (dead[k] != NULL)
            sal_rewrite_kill(r, dead[k]);
done:
    return st;
}

/* By value: the node that reads it last. Where only one node does, that is the one. */
static void recognise_readers(const sal_graph *g, int32_t *reader)
{
    for (size_t v = 0; v < g->n_values; v++)
        reader[v] = -1;
    for (size_t i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_in; k++)
            if (g->nodes[i]->in[k] != SAL_NONE)
                reader[g->nodes[i]->in[k]] = (int32_t)i;
}

sal_status sal_pass_recognise(sal_graph *g, sal_error *err)
{
    sal_rewrite r;
    int32_t *reader = NULL;
    sal_status st = SAL_OK;
    size_t n_nodes = g->n_nodes;
    SAL_TRY(sal_rewrite_begin(&r, g, err));
    reader = sal_malloc((g->n_values + 1) * sizeof *reader);
    if (reader == NULL)
        SAL_TRY(sal_fail_nomem(err));
    recognise_readers(g, reader);
    for (size_t i = 0; i < n_nodes; i++) {
        const sal_node *n = g->nodes[i];
        if (n->n_in != 2 || n->in[0] == SAL_NONE || n->in[1] == SAL_NONE || n->out[0] == SAL_NONE ||
            r.dead[i])
            continue;
        if (sal_node_is(n, "Div") || sal_node_is(n, "Mul"))
            SAL_TRY(recognise_layer_norm(&r, n, reader));
        if (!r.dead[i] && (sal_node_is(n, "Mul") || sal_node_is(n, "Div")))
            SAL_TRY(recognise_gelu(&r, n));
        if (!r.dead[i] && sal_node_is(n, "Mul"))
            SAL_TRY(recognise_swish(&r, n));
    }
done:
    sal_free(reader);
    st = sal_rewrite_end(&r, st);
    return st == SAL_OK && n_nodes > 0 ? sal_pass_dce(g, err) : st;
}
