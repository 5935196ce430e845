/* Random graphs (random_graph.h): a pool of values, operators drawn one after the other. */
#include "support/random_graph.h"

#include "diff/diff.h"
#include "ops/builder.h"

#include <math.h>
#include <stdio.h>

enum { POOL_MAX = 96 };

typedef struct maker {
    sal_builder b;
    random_graph *r;
    sal_rng rng, data;
    sal_dtype real;
    int64_t max_elements, max_work, max_length;
    sal_vid pool[POOL_MAX];
    int n_pool;
    uint64_t constants;
} maker;

static const int64_t maker_channels[] = {1, 2, 3, 5, 8, 16, 17, 24, 40};

static int64_t maker_int(maker *m, int64_t lo, int64_t hi)
{
    return lo + (int64_t)(sal_rng_uniform(&m->rng) * (double)(hi - lo + 1));
}

static bool maker_chance(maker *m, int one_in)
{
    return maker_int(m, 1, one_in) == 1;
}

static int64_t maker_channel(maker *m)
{
    return maker_channels[maker_int(m, 0, SAL_COUNTOF(maker_channels) - 1)];
}

static const sal_value *maker_val(const maker *m, sal_vid v)
{
    return sal_val(m->b.g, v);
}

/* Put into the pool what is of use there. */
static void maker_add(maker *m, sal_vid v)
{
    if (m->b.st == SAL_OK && v != SAL_NONE && m->n_pool < POOL_MAX &&
        sal_value_count(maker_val(m, v)) <= m->max_elements)
        m->pool[m->n_pool++] = v;
}

static sal_vid maker_pick(maker *m)
{
    int from = maker_chance(m, 3) ? 0 : SAL_MAX(0, m->n_pool - 5);
    return m->pool[maker_int(m, from, m->n_pool - 1)];
}

static sal_status maker_tensor(maker *m, sal_rng *rng, int rank, const int64_t *dims, double lo,
                               double hi, sal_tensor *t)
{
    sal_status st = sal_tensor_new(t, m->real, rank, dims, m->b.err);
    for (int64_t i = 0; st == SAL_OK && i < sal_tensor_count(t); i++)
        sal_tensor_set(t, i, (double)(float)(lo + (hi - lo) * sal_rng_uniform(rng)));
    return st;
}

static sal_vid maker_const(maker *m, int rank, const int64_t *dims, double lo, double hi)
{
    sal_tensor t = SAL_TENSOR_INIT;
    sal_vid v = SAL_NONE;
    if (m->b.st == SAL_OK)
        m->b.st = maker_tensor(m, &m->rng, rank, dims, lo, hi, &t);
    if (m->b.st == SAL_OK)
        m->b.st = sal_graph_constant(m->b.g, NULL, &t, &v, m->b.err);
    sal_tensor_free(&t);
    return v;
}

static sal_vid maker_input(maker *m, int rank, const int64_t *dims, double lo, double hi)
{
    sal_vid v = SAL_NONE;
    size_t at = m->b.g->n_inputs;
    char name[32];
    if (at >= RANDOM_GRAPH_INPUTS || m->b.st != SAL_OK)
        return maker_const(m, rank, dims, lo, hi);
    snprintf(name, sizeof name, "in%zu", at);
    m->b.st = maker_tensor(m, &m->data, rank, dims, lo, hi, &m->r->in[at]);
    if (m->b.st == SAL_OK)
        m->b.st = sal_graph_input(m->b.g, name, m->real, rank, dims, &v, m->b.err);
    return v;
}

static sal_vid maker_source(maker *m, int rank, const int64_t *dims, double lo, double hi)
{
    return maker_chance(m, 4) ? maker_input(m, rank, dims, lo, hi)
                              : maker_const(m, rank, dims, lo, hi);
}

static void maker_first_input(maker *m)
{
    int64_t d[5] = {maker_int(m, 1, 3), maker_channel(m), maker_int(m, 1, m->max_length),
                    maker_int(m, 1, m->max_length), 3};
    int kind = (int)maker_int(m, 0, 9), rank = kind < 6 ? 4 : kind == 6 ? 5 : kind < 9 ? 3 : 2;
    if (rank == 5)
        d[2] = d[3] = 3;
    maker_add(m, maker_input(m, rank, d, -1.0, 1.0));
}

/* ---- windows ---- */

typedef struct maker_window {
    int n;
    int64_t kernel[3], strides[3], dilations[3], pads[6], out_pad[3];
    int64_t taps;
} maker_window;

/* False when the window does not fit the input of x. */
static bool maker_window_of(maker *m, const sal_value *x, bool pool, maker_window *w)
{
    bool plain = maker_chance(m, 3);
    memset(w, 0, sizeof *w);
    w->n = x->rank - 2;
    w->taps = 1;
    for (int i = 0; i < w->n; i++) {
        w->kernel[i] = maker_int(m, pool ? 2 : 1, 3);
        w->strides[i] = plain ? 1 : maker_int(m, 1, 2);
        w->dilations[i] = pool || plain || !maker_chance(m, 3) ? 1 : 2;
        int64_t span = (w->kernel[i] - 1) * w->dilations[i] + 1, most = pool ? w->kernel[i] - 1 : 2;
        w->pads[i] = maker_int(m, 0, SAL_MIN(most, span - 1));
        w->pads[w->n + i] = plain ? w->pads[i] : maker_int(m, 0, SAL_MIN(most, span - 1));
        w->out_pad[i] = maker_int(m, 0, w->strides[i] - 1);
        w->taps *= w->kernel[i];
        if (x->dims[2 + i] + w->pads[i] + w->pads[w->n + i] < span)
            return false;
    }
    return true;
}

static sal_vid maker_bias(maker *m, int64_t channels)
{
    return maker_chance(m, 2) ? SAL_NONE : maker_const(m, 1, &channels, -0.3, 0.3);
}

static sal_vid maker_conv(maker *m, sal_vid v, bool transposed)
{
    const sal_value *x = maker_val(m, v);
    maker_window w;
    if (x->rank < 3 || x->rank > 5 || !maker_window_of(m, x, false, &w))
        return SAL_NONE;
    int64_t in = x->dims[1], out = maker_channel(m), group = 1;
    if (maker_chance(m, 3)) { /* depthwise */
        group = in;
        out = in;
    } else if (in % 2 == 0 && out % 2 == 0 && maker_chance(m, 3)) {
        group = 2;
    }
    if (sal_value_count(x) / group * out * w.taps > m->max_work)
        return SAL_NONE;
    if (transposed)
        for (int i = 0; i < w.n; i++) {
            int64_t len = (x->dims[2 + i] - 1) * w.strides[i] + (w.kernel[i] - 1) * w.dilations[i] +
                          1 + w.out_pad[i] - w.pads[i] - w.pads[w.n + i];
            if (len < 1)
                return SAL_NONE;
        }
    int64_t dims[5] = {transposed ? in : out, (transposed ? out : in) / group};
    memcpy(dims + 2, w.kernel, (size_t)w.n * sizeof *dims);
    double scale = 1.7 / sqrt((double)(in / group * w.taps));
    sal_vid weights = maker_chance(m, 10) ? maker_input(m, x->rank, dims, -scale, scale)
                                          : maker_const(m, x->rank, dims, -scale, scale);
    sal_attr a[] = {SAL_AINTS("kernel_shape", w.kernel, w.n),
                    SAL_AINTS("strides", w.strides, w.n),
                    SAL_AINTS("dilations", w.dilations, w.n),
                    SAL_AINTS("pads", w.pads, 2 * w.n),
                    SAL_AI("group", group),
                    SAL_AINTS("output_padding", w.out_pad, w.n)};
    return sal_b_op(&m->b, transposed ? "ConvTranspose" : "Conv", 3,
                    (sal_vid[]){v, weights, maker_bias(m, out)}, transposed ? 6 : 5, a);
}

static sal_vid maker_pool(maker *m, sal_vid v)
{
    const sal_value *x = maker_val(m, v);
    maker_window w;
    if (x->rank < 3 || x->rank > 5)
        return SAL_NONE;
    if (maker_chance(m, 5))
        return sal_b1(&m->b, "GlobalAveragePool", v);
    if (!maker_window_of(m, x, true, &w))
        return SAL_NONE;
    bool average = maker_chance(m, 2);
    sal_attr a[] = {SAL_AINTS("kernel_shape", w.kernel, w.n), SAL_AINTS("strides", w.strides, w.n),
                    SAL_AINTS("pads", w.pads, 2 * w.n), SAL_AI("ceil_mode", maker_int(m, 0, 1)),
                    SAL_AI("count_include_pad", maker_int(m, 0, 1))};
    return sal_b_op(&m->b, average ? "AveragePool" : "MaxPool", 1, &v, average ? 5 : 4, a);
}

/* ---- element-wise ---- */

static sal_vid maker_unary(maker *m, sal_vid v)
{
    static const char *const ops[] = {
        "Relu",      "Relu", "Relu",     "Sigmoid", "Tanh",      "Softplus",    "Neg", "Abs",
        "Sin",       "Cos",  "Erf",      "Gelu",    "HardSwish", "HardSigmoid", "Elu", "Selu",
        "LeakyRelu", "Mish", "Softsign", "Swish",   "Celu",      "Identity",
    };
    int64_t k = maker_int(m, 0, SAL_COUNTOF(ops) + 4);
    sal_builder *b = &m->b;
    if (k < (int64_t)SAL_COUNTOF(ops))
        return sal_b1(b, ops[k], v);
    switch (k - (int64_t)SAL_COUNTOF(ops)) {
    case 0:
        return sal_b3(b, "Clip", v, sal_b_like(b, v, -0.5), sal_b_like(b, v, 0.7));
    case 1:
        return sal_b1(b, "Exp", sal_b1(b, "Tanh", v));
    case 2:
        return sal_b1(b, "Log", sal_b2(b, "Add", sal_b2(b, "Mul", v, v), sal_b_like(b, v, 0.3)));
    case 3:
        return sal_b1(b, "Sqrt", sal_b2(b, "Add", sal_b1(b, "Abs", v), sal_b_like(b, v, 0.1)));
    default:
        return sal_b2(b, "Pow", v, sal_b_like(b, v, maker_chance(m, 2) ? 2.0 : 3.0));
    }
}

/* A shape that broadcasts against x: axes are kept or 1, leading ones are sometimes left out. */
static int maker_broadcast(maker *m, const sal_value *x, int64_t *dims)
{
    int64_t d[SAL_MAX_RANK];
    int form = (int)maker_int(m, 0, 6), drop = 0;
    for (int i = 0; i < x->rank; i++) {
        bool keep = form == 0   ? true             /* everything */
                    : form <= 2 ? i == 1           /* channels */
                    : form == 3 ? i < 2            /* batch and channels */
                    : form == 4 ? i != 1           /* one map for all channels */
                    : form == 5 ? i >= x->rank - 2 /* one map */
                                : maker_chance(m, 2);
        d[i] = keep ? x->dims[i] : 1;
    }
    while (drop < x->rank && d[drop] == 1)
        drop++;
    drop = (int)maker_int(m, 0, drop);
    for (int i = drop; i < x->rank; i++)
        dims[i - drop] = d[i];
    return x->rank - drop;
}

static bool maker_broadcasts(const sal_value *x, const sal_value *y)
{
    if (y->rank > x->rank)
        return false;
    for (int i = 0; i < y->rank; i++) {
        int64_t d = x->dims[i + x->rank - y->rank];
        if (y->dims[i] != 1 && y->dims[i] != d)
            return false;
    }
    return true;
}

/* Something that broadcasts against v: an earlier value where there is one, itself, or a new
 * source. */
static sal_vid maker_operand(maker *m, sal_vid v, double lo, double hi)
{
    int64_t dims[SAL_MAX_RANK];
    if (maker_chance(m, 8))
        return v;
    for (int i = 0; i < 6 && maker_chance(m, 2); i++) {
        sal_vid other = m->pool[maker_int(m, 0, m->n_pool - 1)];
        if (maker_broadcasts(maker_val(m, v), maker_val(m, other)))
            return other;
    }
    int rank = maker_broadcast(m, maker_val(m, v), dims);
    return maker_source(m, rank, dims, lo, hi);
}

static sal_vid maker_binary(maker *m, sal_vid v)
{
    static const char *const ops[] = {"Add", "Add", "Add", "Sub", "Mul",
                                      "Mul", "Max", "Min", "Sum", "PRelu"};
    int64_t k = maker_int(m, 0, SAL_COUNTOF(ops));
    sal_builder *b = &m->b;
    sal_vid o = maker_operand(m, v, -1.0, 1.0);
    if (k == (int64_t)SAL_COUNTOF(ops))
        return sal_b2(b, "Div", v,
                      sal_b2(b, "Add", sal_b1(b, "Softplus", o), sal_b_like(b, v, 0.5)));
    if (strcmp(ops[k], "Sum") == 0)
        return sal_b3(b, "Sum", v, o, maker_operand(m, v, -1.0, 1.0));
    bool swap = maker_chance(m, 2) && strcmp(ops[k], "PRelu") != 0;
    return swap ? sal_b2(b, ops[k], o, v) : sal_b2(b, ops[k], v, o);
}

/* y = a v + c along channels, and perhaps a rectifier: what batch normalisation leaves. */
static sal_vid maker_affine(maker *m, sal_vid v)
{
    const sal_value *x = maker_val(m, v);
    int64_t dims[SAL_MAX_RANK];
    for (int i = 0; i < x->rank; i++)
        dims[i] = i == 1 ? x->dims[1] : 1;
    if (x->rank < 2)
        return SAL_NONE;
    sal_vid y = sal_b2(&m->b, "Mul", v, maker_const(m, x->rank, dims, 0.5, 1.5));
    y = sal_b2(&m->b, "Add", y, maker_const(m, x->rank, dims, -0.5, 0.5));
    return maker_chance(m, 2) ? sal_b1(&m->b, "Relu", y) : y;
}

static sal_vid maker_mask(maker *m, sal_vid v)
{
    static const char *const compare[] = {"Greater", "GreaterOrEqual", "Less", "LessOrEqual"};
    static const char *const join[] = {"And", "Or", "Xor"};
    sal_builder *b = &m->b;
    sal_vid zero = sal_b_like(b, v, 0.0);
    sal_vid mask = sal_b2(b, compare[maker_int(m, 0, 3)], v, zero);
    if (maker_chance(m, 2))
        mask = sal_b2(b, join[maker_int(m, 0, 2)], mask,
                      sal_b2(b, compare[maker_int(m, 0, 3)], v, maker_operand(m, v, -0.5, 0.5)));
    if (maker_chance(m, 4))
        mask = sal_b1(b, "Not", mask);
    switch (maker_int(m, 0, 3)) {
    case 0:
        return sal_b3(b, "Where", mask, v, zero);
    case 1:
        return sal_b3(b, "Where", mask, v, maker_operand(m, v, -1.0, 1.0));
    case 2:
        return sal_b3(b, "Where", mask, maker_operand(m, v, -1.0, 1.0), v);
    default:
        return sal_b2(b, "Mul", sal_b_cast(b, mask, m->real), v);
    }
}

/* ---- shapes ---- */

static sal_vid maker_transpose(maker *m, sal_vid v)
{
    const sal_value *x = maker_val(m, v);
    int64_t perm[SAL_MAX_RANK];
    for (int i = 0; i < x->rank; i++) {
        int64_t j = maker_int(m, 0, i);
        perm[i] = perm[j];
        perm[j] = i;
    }
    return x->rank < 2 ? SAL_NONE : sal_b_transpose(&m->b, v, perm);
}

static sal_vid maker_reshape(maker *m, sal_vid v)
{
    const sal_value *x = maker_val(m, v);
    int64_t dims[SAL_MAX_RANK];
    int rank = 0, kind = (int)maker_int(m, 0, 3);
    if (x->rank < 2)
        return SAL_NONE;
    if (kind == 0) { /* join two neighbours */
        int at = (int)maker_int(m, 0, x->rank - 2);
        for (int i = 0; i < x->rank; i++)
            if (i == at + 1)
                dims[rank - 1] *= x->dims[i];
            else
                dims[rank++] = x->dims[i];
        return sal_b_reshape(&m->b, v, rank, dims, v);
    }
    if (kind == 1 && x->rank < 5) { /* split one */
        int at = (int)maker_int(m, 0, x->rank - 1);
        for (int i = 0; i < x->rank; i++) {
            int64_t f = i == at && x->dims[i] % 2 == 0 ? 2 : 1;
            if (i == at)
                dims[rank++] = f;
            dims[rank++] = x->dims[i] / f;
        }
        return sal_b_reshape(&m->b, v, rank, dims, v);
    }
    if (kind == 2) /* other order of lengths */
        for (int i = 0; i < x->rank; i++)
            dims[i] = x->dims[x->rank - 1 - i];
    else /* 1 in the batch's place */
        for (int i = 0; i < x->rank; i++)
            dims[i] = i == 0 ? 1 : i == 1 ? x->dims[0] * x->dims[1] : x->dims[i];
    return sal_b_reshape(&m->b, v, x->rank, dims, v);
}

static sal_vid maker_slice(maker *m, sal_vid v)
{
    const sal_value *x = maker_val(m, v);
    if (x->rank < 1)
        return SAL_NONE;
    int64_t axis = maker_chance(m, 2) && x->rank > 1 ? 1 : maker_int(m, 0, x->rank - 1);
    int64_t n = x->dims[axis], start = maker_int(m, 0, n - 1), step = maker_chance(m, 4) ? 2 : 1;
    if (maker_chance(m, 2) && n > 16)
        start = n > 32 ? 16 : 8;
    return sal_b_slice(&m->b, v, axis, start, maker_int(m, start + 1, n), step);
}

static sal_vid maker_split(maker *m, sal_vid v)
{
    const sal_value *x = maker_val(m, v);
    if (x->rank < 1)
        return SAL_NONE;
    int64_t axis = maker_int(m, 0, x->rank - 1), n = x->dims[axis];
    if (n < 2)
        return SAL_NONE;
    int64_t first = maker_int(m, 1, n - 1), sizes[2] = {first, n - first};
    sal_vid out[2] = {SAL_NONE, SAL_NONE};
    sal_attr a[] = {SAL_AI("axis", axis)};
    sal_b_node(&m->b, "Split", 2, (sal_vid[]){v, sal_b_ints(&m->b, sizes, 2)}, 1, a, 2, out);
    maker_add(m, out[0]);
    return out[1];
}

static sal_vid maker_concat(maker *m, sal_vid v)
{
    const sal_value *x = maker_val(m, v);
    sal_vid in[3] = {v, v, v};
    if (x->rank < 1)
        return SAL_NONE;
    int64_t axis = maker_chance(m, 2) && x->rank > 1 ? 1 : maker_int(m, 0, x->rank - 1);
    int n = 1, wanted = (int)maker_int(m, 2, 3);
    for (int i = m->n_pool - 1; i >= 0 && n < wanted; i--) {
        const sal_value *y = maker_val(m, m->pool[i]);
        bool fits = y->rank == x->rank && m->pool[i] != v;
        for (int k = 0; fits && k < x->rank; k++)
            fits = k == axis || x->dims[k] == y->dims[k];
        if (fits)
            in[n++] = m->pool[i];
    }
    return sal_b_concat(&m->b, wanted, in, axis);
}

/* ---- products, rows, reductions ---- */

static sal_vid maker_matmul(maker *m, sal_vid v)
{
    const sal_value *x = maker_val(m, v);
    sal_builder *b = &m->b;
    if (x->rank < 2 || sal_value_count(x) * 20 > m->max_work)
        return SAL_NONE;
    int64_t k = x->dims[x->rank - 1], n = maker_int(m, 1, 20), dims[2] = {k, n};
    double scale = 1.7 / sqrt((double)k);
    int kind = (int)maker_int(m, 0, 3);
    sal_vid y;
    if (kind == 0 && x->rank == 2) {
        int64_t turned[2] = {n, k};
        sal_attr a[] = {SAL_AI("transB", 1), SAL_AF("alpha", maker_chance(m, 3) ? 0.5 : 1.0)};
        sal_vid in[3] = {v, maker_const(m, 2, turned, -scale, scale), maker_bias(m, n)};
        return sal_b_op(b, "Gemm", 3, in, 2, a);
    }
    if (kind <= 1) { /* x x^T, through a transposed view */
        int64_t perm[SAL_MAX_RANK];
        for (int i = 0; i < x->rank; i++)
            perm[i] = i < x->rank - 2 ? i : 2 * x->rank - 3 - i;
        y = sal_b2(b, "MatMul", v, sal_b_transpose(b, v, perm));
        return sal_b2(b, "Mul", y, sal_b_like(b, v, 1.0 / sqrt((double)k)));
    }
    y = sal_b2(b, "MatMul", v,
               kind == 2 ? maker_const(m, 2, dims, -scale, scale)
                         : maker_input(m, 2, dims, -scale, scale));
    if (maker_chance(m, 2))
        y = sal_b2(b, "Add", y, maker_const(m, 1, &n, -0.5, 0.5));
    if (maker_chance(m, 2))
        y = sal_b1(b, maker_chance(m, 2) ? "Gelu" : "Relu", y);
    return y;
}

static sal_vid maker_rows(maker *m, sal_vid v)
{
    const sal_value *x = maker_val(m, v);
    if (x->rank < 1)
        return SAL_NONE;
    int64_t d = x->dims[x->rank - 1];
    if (maker_chance(m, 2)) {
        sal_attr a[] = {SAL_AI("axis", maker_chance(m, 2) ? -1 : maker_int(m, 0, x->rank - 1))};
        return sal_b_op(&m->b, "Softmax", 1, &v, 1, a);
    }
    sal_attr a[] = {SAL_AI("axis", -1), SAL_AF("epsilon", 1e-2)};
    sal_vid in[3] = {v, maker_const(m, 1, &d, 0.5, 1.5),
                     maker_chance(m, 3) ? SAL_NONE : maker_const(m, 1, &d, -0.5, 0.5)};
    return sal_b_op(&m->b, "LayerNormalization", 3, in, 2, a);
}

static sal_vid maker_reduce(maker *m, sal_vid v)
{
    static const char *const ops[] = {"ReduceSum", "ReduceMean", "ReduceMean", "ReduceMax",
                                      "ReduceL2"};
    const sal_value *x = maker_val(m, v);
    int64_t axes[SAL_MAX_RANK];
    int n = 0;
    bool pixels = maker_chance(m, 2) && x->rank > 2;
    for (int i = 0; i < x->rank; i++)
        if (pixels ? i >= 2 : maker_chance(m, 2))
            axes[n++] = i;
    sal_vid y = sal_b_reduce(&m->b, ops[maker_int(m, 0, SAL_COUNTOF(ops) - 1)], v, n, axes,
                             maker_chance(m, 2));
    return sal_b1(&m->b, "Tanh", y);
}

/* ---- the graph ---- */

static void maker_step(maker *m)
{
    sal_vid v = maker_pick(m), y = SAL_NONE;
    switch (maker_int(m, 0, 25)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
        y = maker_conv(m, v, false);
        if (y != SAL_NONE && maker_chance(m, 2)) {
            maker_add(m, y);
            y = maker_binary(m, y);
        }
        break;
    case 5:
    case 6:
        y = maker_conv(m, v, true);
        break;
    case 7:
    case 8:
        y = maker_pool(m, v);
        break;
    case 9:
    case 10:
    case 11:
        y = maker_unary(m, v);
        break;
    case 12:
    case 13:
    case 14:
    case 15:
        y = maker_binary(m, v);
        break;
    case 16:
        y = maker_affine(m, v);
        break;
    case 17:
        y = maker_mask(m, v);
        break;
    case 18:
        y = maker_transpose(m, v);
        break;
    case 19:
        y = maker_reshape(m, v);
        break;
    case 20:
        y = maker_slice(m, v);
        break;
    case 21:
        y = maker_split(m, v);
        break;
    case 22:
        y = maker_concat(m, v);
        break;
    case 23:
        y = maker_matmul(m, v);
        break;
    case 24:
        y = maker_rows(m, v);
        break;
    default:
        y = maker_reduce(m, v);
        break;
    }
    maker_add(m, y);
}

static void maker_output(maker *m, sal_vid v)
{
    if (m->b.st == SAL_OK)
        m->b.st = sal_graph_add_output(m->b.g, v, m->b.err);
}

static void maker_gradient(maker *m)
{
    sal_graph *g = m->b.g;
    sal_vid wrt[RANDOM_GRAPH_INPUTS], grads[RANDOM_GRAPH_INPUTS];
    sal_vid outputs[8], seeds[8];
    int n_wrt = (int)g->n_inputs, n_out = (int)SAL_MIN(g->n_outputs, SAL_COUNTOF(outputs));
    memcpy(wrt, g->inputs, (size_t)n_wrt * sizeof *wrt);
    for (int i = 0; i < n_out && m->b.st == SAL_OK; i++) {
        const sal_value *y = sal_val(g, g->outputs[i]);
        outputs[i] = g->outputs[i];
        seeds[i] = maker_input(m, y->rank, y->dims, -1.0, 1.0);
    }
    if (m->b.st == SAL_OK)
        m->b.st = sal_differentiate(g, n_out, outputs, seeds, n_wrt, wrt, NULL, grads, m->b.err);
    for (int i = 0; i < n_wrt && m->b.st == SAL_OK; i++)
        maker_output(m, grads[i]);
}

sal_status random_graph_new(random_graph *r, uint64_t seed, uint64_t data, sal_dtype real,
                            bool gradient, sal_error *err)
{
    memset(r, 0, sizeof *r);
    maker *m = sal_calloc(1, sizeof *m);
    if (m == NULL)
        return sal_fail_nomem(err);
    m->r = r;
    m->real = real;
    m->rng = sal_rng_seed(seed, 11);
    m->data = sal_rng_seed(data, 12);
    sal_status st = sal_graph_new(&r->g, "random", err);
    if (st == SAL_OK) {
        m->b = (sal_builder)SAL_BUILDER(r->g, err, NULL);
        bool big = maker_chance(m, 10); /* enough for several threads */
        m->max_elements = big ? 40000 : 5000;
        m->max_work = big ? 6000000 : 1500000;
        m->max_length = big ? 20 : 8;
        int steps = (int)maker_int(m, 4, 16);
        for (int64_t i = maker_int(m, 1, 2); i > 0; i--)
            maker_first_input(m);
        for (int i = 0; i < steps && m->b.st == SAL_OK; i++)
            maker_step(m);
        maker_output(m, m->pool[m->n_pool - 1]);
        for (int64_t i = maker_int(m, 0, 3); i > 0; i--)
            maker_output(m, m->pool[maker_int(m, 0, m->n_pool - 1)]);
        if (maker_chance(m, 8))
            maker_output(m, m->pool[m->n_pool - 1]); /* the same value twice */
        if (gradient)
            maker_gradient(m);
        st = m->b.st;
    }
    sal_free(m);
    return st;
}

void random_graph_free(random_graph *r)
{
    for (int i = 0; i < RANDOM_GRAPH_INPUTS; i++)
        sal_tensor_free(&r->in[i]);
    sal_graph_free(r->g);
    r->g = NULL;
}
