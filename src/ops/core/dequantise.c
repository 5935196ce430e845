/* From codes to real numbers (quant.h: sal_pass_dequantise).
 *
 * A first walk remembers for every tensor of codes the float tensor it stands for: FakeQuantize(x)
 * for what QuantizeLinear gives, and the same movement of that for what Reshape, Concat, MaxPool ..
 * make of codes. A DequantizeLinear with the same scale and zero point then is that tensor. Integer
 * products (MatMulInteger, ConvInteger) of dynamically quantised tensors become float products of
 * x / scale, whose factors cancel when their result is scaled. */
#include "graph/passes/passes.h"
#include "graph/passes/rewrite.h"
#include "ops/core/quant.h"

/* What a tensor of codes means: real = (code - zero) * scale. */
typedef struct deq_codes {
    sal_vid real; /* SAL_NONE: not known */
    sal_vid scale, zero;
    sal_dtype dtype;
    int64_t axis;
    bool product; /* an int32 sum of products instead: `real` holds it as floats */
} deq_codes;

typedef struct deq_walk {
    sal_graph *g;
    sal_builder b;
    deq_codes *of; /* by value, for the values that were there at the beginning */
    size_t n;
    bool changed;
} deq_walk;

static const deq_codes *deq_of(const deq_walk *w, sal_vid v)
{
    return v == SAL_NONE || (size_t)v >= w->n || w->of[v].real == SAL_NONE ? NULL : &w->of[v];
}

/* Two optional values that are the same number or list. */
static bool deq_same(const sal_graph *g, sal_vid a, sal_vid c)
{
    if (a == c)
        return true;
    const sal_tensor *x = sal_value_constant(g, a), *y = sal_value_constant(g, c);
    if (a == SAL_NONE || c == SAL_NONE) { /* an omitted zero point is 0 */
        const sal_tensor *t = a == SAL_NONE ? y : x;
        return t != NULL && sal_tensor_count(t) == 1 && sal_tensor_get(t, 0) == 0.0;
    }
    return x != NULL && y != NULL && x->dtype == y->dtype &&
           sal_tensor_count(x) == sal_tensor_count(y) &&
           memcmp(x->data, y->data, sal_tensor_bytes(x)) == 0;
}

static bool deq_single(const sal_graph *g, sal_vid v)
{
    return v == SAL_NONE || sal_value_count(sal_val(g, v)) == 1;
}

/* x -> codes: remember FakeQuantize(x). Blocks of codes stay as they are. */
static void deq_quantize(deq_walk *w, const sal_node *n, sal_vid scale, sal_vid zero)
{
    const sal_value *y = sal_val(w->g, n->out[0]), *x = sal_val(w->g, n->in[0]);
    double lo, hi;
    const sal_value *s = sal_val(w->g, scale);
    if (x->rank < 0 || s->rank < 0 || s->rank > 1 || !sal_dtype_is_float(x->dtype) ||
        !sal_quant_range(y->dtype, &lo, &hi) || y->dtype == SAL_I32)
        return;
    int64_t axis = sal_node_int(n, "axis", 1);
    w->b.origin = n->name;
    sal_vid real = sal_quant_fake(&w->b, n->in[0], scale, zero, axis, y->dtype);
    if (w->b.st == SAL_OK)
        w->of[n->out[0]] = (deq_codes){real, scale, zero, y->dtype, axis, false};
}

/* codes -> y: y is the real tensor. The node becomes an Identity, which keeps the value's name. */
static void deq_dequantize(deq_walk *w, sal_node *n)
{
    const deq_codes *c = deq_of(w, n->in[0]);
    const sal_op_desc *identity = sal_op_find(SAL_DOMAIN_ONNX, "Identity");
    int rank = sal_val(w->g, n->in[0])->rank;
    int64_t axis = sal_node_int(n, "axis", 1);
    if (c == NULL || c->product || !deq_same(w->g, c->scale, n->in[1]) ||
        !deq_same(w->g, c->zero, sal_node_in(n, 2)) || identity == NULL)
        return;
    if (!deq_single(w->g, c->scale) &&
        (axis < 0 ? axis + rank : axis) != (c->axis < 0 ? c->axis + rank : c->axis))
        return;
    sal_vid real = c->real;
    if (sal_val(w->g, real)->dtype != sal_val(w->g, n->out[0])->dtype)
        real = sal_b_cast(&w->b, real, sal_val(w->g, n->out[0])->dtype);
    if (w->b.st != SAL_OK)
        return;
    n->op = identity;
    n->in[0] = real;
    n->n_in = 1;
    n->n_attr = 0;
    w->changed = true;
}

/* Operators whose output 0 (or all outputs) holds elements of input 0 and of nothing else. */
static bool deq_moves(const sal_node *n)
{
    static const char *const names[] = {
        "Reshape", "Flatten",        "Squeeze",      "Unsqueeze",    "Transpose",     "Identity",
        "Slice",   "Split",          "Gather",       "GatherND",     "Expand",        "Tile",
        "MaxPool", "GatherElements", "DepthToSpace", "SpaceToDepth", "GlobalMaxPool",
    };
    for (size_t i = 0; i < SAL_COUNTOF(names); i++)
        if (sal_node_is(n, names[i]))
            return n->n_out == 1 || sal_node_out(n, 1) == SAL_NONE ||
                   strcmp(names[i], "Split") == 0;
    return sal_node_is(n, "Resize") && strcmp(sal_node_str(n, "mode", "nearest"), "nearest") == 0;
}

/* The node once more, on the real tensors. */
static void deq_move(deq_walk *w, const sal_node *n, const deq_codes *c, int n_in,
                     const sal_vid *in)
{
    enum { OUTPUTS_MAX = 8 };
    sal_vid out[OUTPUTS_MAX];
    if (n->n_out > OUTPUTS_MAX)
        return;
    w->b.origin = n->name;
    sal_b_node(&w->b, n->op->name, n_in, in, n->n_attr, n->attr, n->n_out, out);
    for (int i = 0; i < n->n_out && w->b.st == SAL_OK; i++)
        if (n->out[i] != SAL_NONE)
            w->of[n->out[i]] = (deq_codes){out[i], c->scale, c->zero, c->dtype, c->axis, false};
}

static void deq_movement(deq_walk *w, const sal_node *n)
{
    sal_vid in[16];
    const deq_codes *c = n->n_in > 0 ? deq_of(w, n->in[0]) : NULL;
    if (c == NULL || c->product || n->n_in > (int)SAL_COUNTOF(in) || !deq_single(w->g, c->scale))
        return;
    bool concat = sal_node_is(n, "Concat");
    if (!concat && !deq_moves(n))
        return;
    for (int i = 0; i < n->n_in; i++) {
        const deq_codes *d = deq_of(w, n->in[i]);
        in[i] = i == 0 || concat ? (d != NULL ? d->real : SAL_NONE) : n->in[i];
        if (concat && (d == NULL || d->product || !deq_same(w->g, c->scale, d->scale) ||
                       !deq_same(w->g, c->zero, d->zero)))
            return;
    }
    deq_codes copy = *c; /* w->of does not move, but the entry may be the output's */
    deq_move(w, n, &copy, n->n_in, in);
}

/* Sum of (a - zero_a)(b - zero_b) as floats: a is known as a real tensor. */
static void deq_product(deq_walk *w, const sal_node *n)
{
    const deq_codes *c = deq_of(w, n->in[0]);
    bool conv = sal_node_is(n, "ConvInteger");
    if (c == NULL || c->product || !deq_single(w->g, c->scale) ||
        !deq_same(w->g, c->zero, sal_node_in(n, 2)))
        return;
    const sal_value *wv = sal_val(w->g, n->in[1]);
    sal_vid zero = sal_node_in(n, 3);
    sal_builder *b = &w->b;
    sal_dtype real = sal_val(w->g, c->real)->dtype;
    b->origin = n->name;
    sal_vid weights = sal_b_cast(b, n->in[1], real);
    if (zero != SAL_NONE && (!conv || deq_single(w->g, zero)))
        weights = sal_b2(b, "Sub", weights, sal_b_cast(b, zero, real));
    else if (zero != SAL_NONE)
        return;
    if (wv->rank < 1 || b->st != SAL_OK)
        return;
    sal_vid codes = sal_b2(b, "Div", c->real, sal_b_cast(b, c->scale, real));
    sal_vid y = conv ? sal_b_op(b, "Conv", 2, (sal_vid[]){codes, weights}, n->n_attr, n->attr)
                     : sal_b2(b, "MatMul", codes, weights);
    if (b->st == SAL_OK)
        w->of[n->out[0]] =
            (deq_codes){y, SAL_NONE, SAL_NONE, sal_val(w->g, n->out[0])->dtype, 0, true};
}

/* Cast of such a sum to a float. */
static void deq_cast(deq_walk *w, sal_node *n)
{
    const deq_codes *c = deq_of(w, n->in[0]);
    if (c == NULL || !c->product || !sal_dtype_is_float(sal_val(w->g, n->out[0])->dtype))
        return;
    n->in[0] = c->real;
    w->changed = true;
}

static void deq_node(deq_walk *w, sal_node *n)
{
    if (n->n_in < 1 || n->in[0] == SAL_NONE || n->n_out < 1 || n->out[0] == SAL_NONE)
        return;
    if (sal_node_is(n, "QuantizeLinear"))
        deq_quantize(w, n, n->in[1], sal_node_in(n, 2));
    else if (sal_node_is(n, "DynamicQuantizeLinear") && n->n_out == 3 && n->out[1] != SAL_NONE &&
             n->out[2] != SAL_NONE)
        deq_quantize(w, n, n->out[1], n->out[2]);
    else if (sal_node_is(n, "DequantizeLinear"))
        deq_dequantize(w, n);
    else if (sal_node_is(n, "MatMulInteger") || sal_node_is(n, "ConvInteger"))
        deq_product(w, n);
    else if (sal_node_is(n, "Cast"))
        deq_cast(w, n);
    else
        deq_movement(w, n);
}

sal_status sal_pass_dequantise(sal_graph *g, sal_error *err)
{
    deq_walk w = {.g = g, .b = SAL_BUILDER(g, err, NULL), .n = g->n_values};
    size_t nodes = g->n_nodes;
    sal_rewrite r;
    bool any = false;
    sal_status st = SAL_OK;
    for (size_t i = 0; i < nodes && !any; i++)
        any = sal_node_is(g->nodes[i], "QuantizeLinear") ||
              sal_node_is(g->nodes[i], "DynamicQuantizeLinear");
    if (!any)
        return SAL_OK;
    w.of = sal_malloc((w.n + 1) * sizeof *w.of);
    if (w.of == NULL)
        return sal_fail_nomem(err);
    for (size_t i = 0; i < w.n; i++)
        w.of[i] = (deq_codes){.real = SAL_NONE};
    for (size_t i = 0; i < nodes && w.b.st == SAL_OK; i++)
        deq_node(&w, g->nodes[i]);
    SAL_TRY(w.b.st);
    /* The new nodes stand at the end: into order, then away with what nothing reads any more. */
    SAL_TRY(sal_rewrite_begin(&r, g, err));
    r.changed = true;
    SAL_TRY(sal_rewrite_end(&r, st));
    SAL_TRY(sal_pass_dce(g, err));
done:
    sal_free(w.of);
    return st;
}
