/* Convolutions of many geometries with what may follow them, forward and transposed, against the
 * reference evaluation in double precision. */
#define _POSIX_C_SOURCE 200809L
#include "harness.h"

#include "exec/isa.h"
#include "exec/session.h"
#include "ops/builder.h"
#include "ops/core/evaluate.h"
#include "support/nets.h"
#include "support/session_check.h"

enum { CONV_INPUTS = 3 };

typedef struct conv_case {
    int64_t batch, in_channels, out_channels, h, w;
    int64_t kernel[2], stride[2], pads[4];
    bool transposed, bias;
    enum { END_NONE, END_RELU, END_CLIP, END_ADD_RELU, END_ADD_KEEP, END_COUNT } end;
    int threads;
} conv_case;

/* One graph and its inputs; in double precision it holds the same float32 numbers. */
typedef struct conv_graph {
    sal_graph *g;
    sal_builder b;
    sal_error err;
    sal_tensor in[CONV_INPUTS];
    sal_dtype real;
} conv_graph;

static sal_tensor conv_numbers(conv_graph *x, sal_dtype dtype, const int64_t *dims, int rank,
                               uint64_t seed)
{
    sal_tensor narrow = SAL_TENSOR_INIT, wide = SAL_TENSOR_INIT;
    const bool real = sal_dtype_is_float(dtype);
    if (x->b.st == SAL_OK)
        x->b.st = nets_uniform(&narrow, dtype, rank, dims, real ? -1.0 : 0.0, real ? 1.0 : 1.99,
                               seed, &x->err);
    if (!real || x->real == SAL_F32 || x->b.st != SAL_OK)
        return narrow;
    x->b.st = sal_tensor_cast(&wide, &narrow, x->real, &x->err);
    sal_tensor_free(&narrow);
    return wide;
}

static sal_vid conv_input(conv_graph *x, sal_dtype dtype, const int64_t *dims, int rank)
{
    char name[16];
    sal_vid v = SAL_NONE;
    const size_t i = x->g->n_inputs;
    snprintf(name, sizeof name, "in%zu", i);
    x->in[i] = conv_numbers(x, dtype, dims, rank, 10 + i);
    if (x->b.st == SAL_OK)
        x->b.st = sal_graph_input(x->g, name, x->in[i].dtype, rank, dims, &v, &x->err);
    return v;
}

static sal_vid conv_constant(conv_graph *x, const int64_t *dims, int rank, uint64_t seed)
{
    sal_tensor t = conv_numbers(x, SAL_F32, dims, rank, seed);
    sal_vid v = x->b.st == SAL_OK ? sal_b_tensor(&x->b, &t) : SAL_NONE;
    sal_tensor_free(&t);
    return v;
}

static sal_vid conv_end(conv_graph *x, const conv_case *c, sal_vid y)
{
    if (x->b.st != SAL_OK)
        return SAL_NONE;
    const sal_value v = *sal_val(x->g, y);
    if (c->end == END_ADD_RELU || c->end == END_ADD_KEEP)
        y = sal_b2(&x->b, "Add", y, conv_input(x, SAL_F32, v.dims, v.rank));
    if (c->end == END_RELU || c->end == END_ADD_RELU)
        y = sal_b1(&x->b, "Relu", y);
    if (c->end == END_CLIP)
        y = sal_b3(&x->b, "Clip", y, sal_b_scalar(&x->b, x->real, -0.5),
                   sal_b_scalar(&x->b, x->real, 2.0));
    if (c->end == END_ADD_KEEP)
        y = sal_b3(&x->b, "Where", conv_input(x, SAL_BOOL, v.dims, v.rank), y,
                   sal_b_scalar(&x->b, x->real, 0.0));
    return y;
}

static sal_status conv_build(conv_graph *x, const conv_case *c, sal_dtype real)
{
    memset(x, 0, sizeof *x);
    x->real = real;
    sal_status st = sal_graph_new(&x->g, "conv", &x->err);
    if (st != SAL_OK)
        return st;
    x->b = (sal_builder)SAL_BUILDER(x->g, &x->err, NULL);
    const int64_t xd[4] = {c->batch, c->in_channels, c->h, c->w};
    const int64_t wd[4] = {c->transposed ? c->in_channels : c->out_channels,
                           c->transposed ? c->out_channels : c->in_channels, c->kernel[0],
                           c->kernel[1]};
    const sal_attr attr[] = {SAL_AINTS("strides", c->stride, 2), SAL_AINTS("pads", c->pads, 4)};
    sal_vid in[3];
    in[0] = conv_input(x, SAL_F32, xd, 4);
    in[1] = conv_constant(x, wd, 4, 1);
    in[2] = c->bias ? conv_constant(x, &c->out_channels, 1, 2) : SAL_NONE;
    sal_vid y = sal_b_op(&x->b, c->transposed ? "ConvTranspose" : "Conv", 3, in, 2, attr);
    y = conv_end(x, c, y);
    return x->b.st == SAL_OK ? sal_graph_add_output(x->g, y, &x->err) : x->b.st;
}

/* True when our own kernel took the convolution. */
static bool conv_is_own(const conv_graph *x, const sal_session_opts *o)
{
    sal_session *s = NULL;
    sal_bytes text = {0};
    sal_error err = {0};
    bool own = sal_session_new(&s, x->g, o, &err) == SAL_OK &&
               sal_session_describe(s, &text, &err) == SAL_OK && text.data != NULL &&
               strstr(text.data, "own:") != NULL;
    sal_bytes_free(&text);
    sal_session_free(s);
    return own;
}

static bool conv_check(const conv_case *c)
{
    conv_graph wide, narrow;
    sal_tensor want = SAL_TENSOR_INIT, got = SAL_TENSOR_INIT;
    sal_session_opts o = SAL_SESSION_OPTS_INIT;
    char what[200];
    bool own = false;
    o.threads = session_threads(c->threads);
    snprintf(what, sizeof what,
             "%s %d x %d->%d, %dx%d, kernel %dx%d, strides %d %d, pads %d %d %d %d, end %d, %d "
             "threads",
             c->transposed ? "transposed" : "forward", (int)c->batch, (int)c->in_channels,
             (int)c->out_channels, (int)c->h, (int)c->w, (int)c->kernel[0], (int)c->kernel[1],
             (int)c->stride[0], (int)c->stride[1], (int)c->pads[0], (int)c->pads[1],
             (int)c->pads[2], (int)c->pads[3], (int)c->end, c->threads);
    bool ok = conv_build(&wide, c, SAL_F64) == SAL_OK && conv_build(&narrow, c, SAL_F32) == SAL_OK;
    CHECK_MSG(ok, "%s: %s%s", what, wide.err.msg, narrow.err.msg);
    if (ok) {
        sal_error err = {0};
        CHECK_OK(sal_graph_evaluate(wide.g, wide.in, &want, &err));
        CHECK_OK(session_outputs(narrow.g, narrow.in, &o, &got, &err));
        const double d = nets_rel(&got, &want);
        CHECK_MSG(d < 2e-5, "%s: differs by %.3g", what, d);
        own = conv_is_own(&narrow, &o);
    }
    sal_tensor_free(&want);
    sal_tensor_free(&got);
    session_free_all(wide.in, CONV_INPUTS);
    session_free_all(narrow.in, CONV_INPUTS);
    sal_graph_free(wide.g);
    sal_graph_free(narrow.g);
    return own;
}

/* splitmix64 */
static int64_t conv_draw(uint64_t *state, int64_t lo, int64_t hi)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return lo + (int64_t)((z ^ (z >> 31)) % (uint64_t)(hi - lo + 1));
}

static conv_case conv_random(uint64_t *state, bool transposed)
{
    static const int64_t channels[] = {16, 32, 48, 64, 112}, outputs[] = {5, 16, 32, 40, 48, 96};
    conv_case c = {.transposed = transposed};
    c.batch = conv_draw(state, 1, 3);
    c.in_channels = channels[conv_draw(state, 0, 4)];
    c.out_channels = outputs[conv_draw(state, 0, 5)];
    for (int i = 0; i < 2; i++) {
        c.kernel[i] = conv_draw(state, 1, 4);
        c.stride[i] = transposed ? 1 : conv_draw(state, 1, 3);
        c.pads[i] = conv_draw(state, 0, c.kernel[i] - 1);
        c.pads[2 + i] = conv_draw(state, 0, c.kernel[i] - 1);
    }
    c.h = conv_draw(state, c.kernel[0], 12);
    c.w = conv_draw(state, c.kernel[1], 40);
    c.bias = conv_draw(state, 0, 1) == 1;
    c.end = conv_draw(state, 0, END_COUNT - 1);
    c.threads = (int)conv_draw(state, 1, 4);
    return c;
}

static void conv_many(bool transposed)
{
    uint64_t state = harness.seed + (transposed ? 1000 : 0);
    int own = 0;
    for (int i = 0; i < 150; i++) {
        const conv_case c = conv_random(&state, transposed);
        own += conv_check(&c);
    }
    printf("%d of 150 by our own kernel\n", own);
    CHECK(own > 20 || sal_isa()->conv_rows(1, 1) == NULL);
}

TEST(forward)
{
    conv_many(false);
}

TEST(transposed)
{
    conv_many(true);
}

/* Channels that are summed in several parts, rows in several bands, taps that all lie in the
 * padding of one side. */
TEST(large)
{
    static const conv_case cases[] = {
        {1, 512, 64, 7, 7, {3, 3}, {1, 1}, {1, 1, 1, 1}, false, true, END_ADD_RELU, 2},
        {2, 256, 48, 14, 14, {3, 3}, {2, 2}, {1, 1, 1, 1}, false, true, END_ADD_KEEP, 1},
        {1, 512, 48, 6, 6, {3, 3}, {1, 1}, {1, 1, 1, 1}, true, false, END_ADD_KEEP, 2},
        {3, 64, 32, 60, 57, {3, 3}, {1, 1}, {1, 1, 1, 1}, false, true, END_RELU, 1},
        {2, 64, 16, 90, 90, {3, 3}, {2, 2}, {1, 1, 0, 0}, false, false, END_CLIP, 2},
        {4, 32, 32, 1, 4, {3, 3}, {1, 1}, {1, 1, 1, 1}, false, true, END_RELU, 2},
        {1, 32, 32, 3, 8, {3, 3}, {2, 2}, {1, 1, 1, 1}, false, true, END_RELU, 3},
    };
    for (size_t i = 0; i < SAL_COUNTOF(cases); i++)
        CHECK(conv_check(&cases[i]) || sal_isa()->conv_rows(1, 1) == NULL);
}

int main(int argc, char **argv)
{
    return harness_main(argc, argv, TESTS(T(forward), T(transposed), T(large)));
}
