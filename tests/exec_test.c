/* Sessions against the reference evaluation in double precision: every case of every operator,
 * alone and between convolutions, whose blocked layouts, epilogues and reorders it then meets; and
 * random graphs with their derivatives. CTest runs this program once for each instruction set
 * (SAL_CPU). SAL_TEST_OP=Name looks at one operator only, SAL_TEST_GRAPH=seed at one random graph.
 */
#include "harness.h"

#include "exec/session.h"
#include "ops/builder.h"
#include "ops/core/evaluate.h"
#include "support/op_case.h"
#include "support/random_graph.h"
#include "support/session_check.h"

static struct {
    long bare, wrapped, channels, bf16, types, refused, graphs, gradients, retried;
} exec_done;

/* ---- operators ---- */

/* How a case is embedded. */
typedef enum exec_around { AROUND_NOTHING, AROUND_CONV, AROUND_COUNT } exec_around;

typedef struct exec_case {
    op_case c;
    sal_graph *g;
    sal_tensor in[OP_CASE_MAX];
    char what[300];
    sal_error err;
} exec_case;

/* x through a 1x1 convolution that changes nothing: x comes out in the layout of convolutions. */
static sal_vid exec_conv(sal_builder *b, sal_vid x)
{
    sal_tensor t = SAL_TENSOR_INIT;
    const sal_value *v = b->st == SAL_OK ? sal_val(b->g, x) : NULL;
    if (v == NULL || !sal_dtype_is_float(v->dtype) || v->rank < 3 || v->rank > 5 ||
        sal_value_count(v) <= 0)
        return x;
    int64_t c = v->dims[1], dims[5] = {c, c, 1, 1, 1};
    sal_vid w = SAL_NONE;
    b->st = sal_tensor_new(&t, v->dtype, v->rank, dims, b->err);
    for (int64_t i = 0; b->st == SAL_OK && i < c; i++)
        sal_tensor_set(&t, i * c + i, 1.0);
    w = b->st == SAL_OK ? sal_b_tensor(b, &t) : SAL_NONE;
    sal_tensor_free(&t);
    return sal_b2(b, "Conv", x, w);
}

static sal_status exec_build(exec_case *x, sal_dtype real, exec_around around)
{
    sal_status st = SAL_OK;
    sal_vid in[OP_CASE_MAX], out[OP_CASE_MAX];
    sal_tensor t = SAL_TENSOR_INIT;
    int n_inputs = 0;
    char name[32];
    sal_builder b;
    SAL_TRY(sal_graph_new(&x->g, x->c.op->name, &x->err));
    b = (sal_builder)SAL_BUILDER(x->g, &x->err, NULL);
    for (int i = 0; i < x->c.n_in; i++) {
        in[i] = SAL_NONE;
        if (x->c.in[i].omitted)
            continue;
        snprintf(name, sizeof name, "in%d", i);
        SAL_TRY(op_case_tensor(&x->c, i, real, harness.seed, &t, &x->err));
        if (x->c.in[i].is_const) {
            SAL_TRY(sal_graph_constant(x->g, name, &t, &in[i], &x->err));
            sal_tensor_free(&t);
            continue;
        }
        SAL_TRY(sal_graph_input(x->g, name, t.dtype, t.rank, t.dims, &in[i], &x->err));
        x->in[n_inputs++] = t;
        t = (sal_tensor)SAL_TENSOR_INIT;
        if (around == AROUND_CONV)
            in[i] = exec_conv(&b, in[i]);
    }
    SAL_TRY(b.st);
    sal_b_node(&b, x->c.op->name, x->c.n_in, in, x->c.n_attr, x->c.attr, x->c.n_out, out);
    for (int i = 0; i < x->c.n_out && b.st == SAL_OK; i++)
        SAL_TRY(sal_graph_add_output(x->g, around == AROUND_CONV ? exec_conv(&b, out[i]) : out[i],
                                     &x->err));
    st = b.st;
done:
    sal_tensor_free(&t);
    return st;
}

static void exec_close(exec_case *x)
{
    session_free_all(x->in, OP_CASE_MAX);
    sal_graph_free(x->g);
    x->g = NULL;
    op_case_free(&x->c);
}

/* Element-wise operators on maps of `channels` channels: the first random input becomes [2, C, 3,
 * 5], the others take turns at the ways to broadcast. */
static void exec_set_channels(op_case *c, int64_t channels, int turn)
{
    const int64_t forms[][4] = {{2, channels, 3, 5}, {1, channels, 1, 1}, {2, channels, 1, 1},
                                {2, 1, 3, 5},        {1, 1, 1, 1},        {1, 1, 3, 5}};
    bool first = true;
    for (int i = 0; i < c->n_in; i++) {
        if (c->in[i].omitted || c->in[i].values != NULL)
            continue;
        size_t k = first ? 0 : (size_t)(turn + i) % SAL_COUNTOF(forms);
        first = false;
        c->in[i].rank = 4;
        c->in[i].is_const = k != 0 && turn % 3 == 2;
        memcpy(c->in[i].dims, forms[k], sizeof forms[k]);
    }
}

typedef struct exec_variant {
    const sal_op_desc *op;
    const char *text;
    exec_around around;
    int64_t channels; /* 0: as the case says */
    int turn;
    sal_session_opts opts;
} exec_variant;

static bool exec_open(exec_case *x, const exec_variant *v, sal_dtype real, exec_around around)
{
    memset(x, 0, sizeof *x);
    snprintf(x->what, sizeof x->what, "%s \"%s\" channels %d.%d around %d threads %d %s%s",
             v->op->name, v->text, (int)v->channels, v->turn, (int)v->around, v->opts.threads,
             sal_dtype_name(v->opts.precision), v->opts.reference ? " reference" : "");
    if (!op_case_parse(&x->c, v->op, v->text, &x->err))
        return false;
    if (v->channels > 0)
        exec_set_channels(&x->c, v->channels, v->turn);
    return exec_build(x, real, around) == SAL_OK;
}

static bool exec_finite(const sal_tensor *t)
{
    for (int64_t i = 0; i < sal_tensor_count(t); i++)
        if (!isfinite(sal_tensor_get(t, i)))
            return false;
    return true;
}

/* bfloat16 changes numbers by 1 in 256: results that jump, or that are small differences, say
 * nothing. */
static bool exec_jumps(const sal_op_desc *op)
{
    static const char *const names[] = {"Floor",    "Ceil",        "Round",         "Sign",
                                        "Mod",      "Where",       "TopK",          "IsInf",
                                        "IsNaN",    "MaxPoolGrad", "MaxPoolGather", "Resize",
                                        "Upsample", "ResizeGrad",  "Cast"};
    for (size_t i = 0; i < SAL_COUNTOF(names); i++)
        if (strcmp(op->name, names[i]) == 0)
            return true;
    return (op->flags & SAL_OP_NOGRAD) != 0;
}

static void exec_compare(const exec_variant *v, const exec_case *narrow, const sal_tensor *got,
                         const sal_tensor *want, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (v->opts.precision == SAL_BF16) {
            double c = session_cosine(&got[i], &want[i]);
            int64_t count = sal_tensor_count(&want[i]);
            if ((count == 1 || count == 2) &&
                c > -1.5) { /* no angle to speak of; numbers about 1 */
                double d = sal_tensor_get(&got[i], 0) - sal_tensor_get(&want[i], 0);
                c = fabs(d) < 0.05 ? 1.0 : c;
            }
            CHECK_MSG(c > 0.99 || (exec_jumps(v->op) && c > -1.5), "%s: output %zu has cosine %.4f",
                      narrow->what, i, c);
            continue;
        }
        double d = session_distance(&got[i], &want[i]);
        CHECK_MSG(d <= (sal_dtype_is_float(want[i].dtype) ? 1e-5 : 0.0),
                  "%s: output %zu differs by %.3g", narrow->what, i, d);
    }
}

/* True when the case could be built at all. */
static bool exec_check(const exec_variant *v)
{
    exec_case wide, narrow;
    sal_tensor want[OP_CASE_MAX] = {SAL_TENSOR_INIT}, got[OP_CASE_MAX] = {SAL_TENSOR_INIT};
    bool ok = exec_open(&wide, v, SAL_F64, AROUND_NOTHING);
    ok = ok && sal_graph_evaluate(wide.g, wide.in, want, &wide.err) == SAL_OK;
    exec_around around = v->around;
    for (size_t i = 0; ok && i < wide.g->n_outputs; i++)
        if (!exec_finite(&want[i]))
            around = AROUND_NOTHING; /* 0 * infinity: the convolution behind would spread it */
    bool built = exec_open(&narrow, v, SAL_F32, around) && ok;
    if (built) {
        sal_status st = session_outputs(narrow.g, narrow.in, &v->opts, got, &narrow.err);
        if (st == SAL_ESHAPE && (v->op->flags & SAL_OP_DATA_SHAPE) != 0)
            exec_done.refused++;
        else
            CHECK_MSG(st == SAL_OK, "%s: %s", narrow.what, narrow.err.msg);
        if (st == SAL_OK)
            exec_compare(v, &narrow, got, want, narrow.g->n_outputs);
    } else {
        CHECK_MSG(v->channels > 0, "%s: %s%s", narrow.what, wide.err.msg, narrow.err.msg);
    }
    session_free_all(want, OP_CASE_MAX);
    session_free_all(got, OP_CASE_MAX);
    exec_close(&wide);
    exec_close(&narrow);
    return built;
}

/* What is expanded when it is read never reaches the executor. */
static bool exec_skip(const sal_op_desc *op)
{
    const char *only = getenv("SAL_TEST_OP");
    return op->cases == NULL || (op->flags & SAL_OP_ON_READ) != 0 ||
           (only != NULL && strcmp(only, op->name) != 0);
}

static void exec_every_case(exec_around around, sal_session_opts opts, long *count)
{
    for (size_t i = 0; i < sal_op_count(); i++) {
        const sal_op_desc *op = sal_op_at(i);
        for (const char *const *text = op->cases; !exec_skip(op) && *text != NULL; text++)
            *count += exec_check(&(exec_variant){op, *text, around, 0, 0, opts});
    }
}

static sal_session_opts exec_opts(int threads, sal_dtype precision, bool reference)
{
    sal_session_opts o = SAL_SESSION_OPTS_INIT;
    o.threads = session_threads(threads);
    o.precision = precision;
    o.reference = reference;
    return o;
}

TEST(operators_alone)
{
    exec_every_case(AROUND_NOTHING, exec_opts(1, SAL_F32, false), &exec_done.bare);
}

TEST(operators_by_evaluator)
{
    exec_every_case(AROUND_NOTHING, exec_opts(1, SAL_F32, true), &exec_done.bare);
}

TEST(operators_between_convolutions)
{
    exec_every_case(AROUND_CONV, exec_opts(2, SAL_F32, false), &exec_done.wrapped);
}

TEST(operators_in_bfloat16)
{
    exec_every_case(AROUND_CONV, exec_opts(2, SAL_BF16, false), &exec_done.bf16);
    exec_every_case(AROUND_NOTHING, exec_opts(1, SAL_BF16, false), &exec_done.bf16);
}

/* Graphs of another float type: the session against the evaluation in that type. Activations of
 * 16-bit graphs are float32 in a session and rounded at the end, so they may be better than the
 * reference. */
static void exec_check_type(const sal_op_desc *op, const char *text, sal_dtype real, bool reference,
                            double tol)
{
    exec_case x;
    sal_tensor want[OP_CASE_MAX] = {SAL_TENSOR_INIT}, got[OP_CASE_MAX] = {SAL_TENSOR_INIT};
    exec_variant v = {op, text, AROUND_NOTHING, 0, 0, exec_opts(1, SAL_F32, reference)};
    if (exec_open(&x, &v, real, AROUND_NOTHING) &&
        sal_graph_evaluate(x.g, x.in, want, &x.err) == SAL_OK) {
        exec_done.types++;
        sal_status st = session_outputs(x.g, x.in, &v.opts, got, &x.err);
        CHECK_MSG(st == SAL_OK || (st == SAL_ESHAPE && (op->flags & SAL_OP_DATA_SHAPE) != 0),
                  "%s in %s: %s", x.what, sal_dtype_name(real), x.err.msg);
        for (size_t i = 0; st == SAL_OK && i < x.g->n_outputs; i++) {
            double d = session_distance(&got[i], &want[i]);
            bool numbers = sal_dtype_is_float(want[i].dtype);
            CHECK_MSG(got[i].dtype == want[i].dtype, "%s in %s: output %zu is %s", x.what,
                      sal_dtype_name(real), i, sal_dtype_name(got[i].dtype));
            CHECK_MSG(d <= (numbers ? tol : 0.0) || (exec_jumps(op) && real != SAL_F64),
                      "%s in %s: output %zu differs by %.3g", x.what, sal_dtype_name(real), i, d);
        }
    }
    session_free_all(want, OP_CASE_MAX);
    session_free_all(got, OP_CASE_MAX);
    exec_close(&x);
}

TEST(operators_in_other_types)
{
    for (size_t i = 0; i < sal_op_count(); i++) {
        const sal_op_desc *op = sal_op_at(i);
        for (const char *const *text = op->cases; !exec_skip(op) && *text != NULL; text++)
            for (int reference = 0; reference < 2; reference++) {
                exec_check_type(op, *text, SAL_F64, reference != 0, 1e-12);
                exec_check_type(op, *text, SAL_F16, reference != 0, 4e-3);
                exec_check_type(op, *text, SAL_BF16, reference != 0, 3e-2);
            }
    }
}

TEST(channels_and_broadcasts)
{
    static const int64_t channels[] = {1, 3, 5, 8, 16, 17, 24, 40};
    for (size_t i = 0; i < sal_op_count(); i++) {
        const sal_op_desc *op = sal_op_at(i);
        if (exec_skip(op) || (op->flags & SAL_OP_ELEMENTWISE) == 0)
            continue;
        int turn = 0;
        for (const char *const *text = op->cases; *text != NULL; text++)
            for (size_t k = 0; k < SAL_COUNTOF(channels); k++, turn++)
                exec_done.channels +=
                    exec_check(&(exec_variant){op, *text, AROUND_CONV, channels[k], turn,
                                               exec_opts(1 + turn % 2, SAL_F32, false)});
    }
}

/* ---- random graphs ---- */

/* Largest distance of the session's outputs from the reference, in units of what is allowed: 2e-5
 * (5e-5 with gradients), or more where float32 itself does worse. */
static double graph_error(uint64_t seed, uint64_t data, bool gradient, const sal_session_opts *opts,
                          char *what, size_t n)
{
    random_graph wide, narrow;
    sal_tensor want[RANDOM_GRAPH_INPUTS] = {SAL_TENSOR_INIT},
               got[RANDOM_GRAPH_INPUTS] = {SAL_TENSOR_INIT};
    sal_tensor plain[RANDOM_GRAPH_INPUTS] = {SAL_TENSOR_INIT};
    sal_error err = {0};
    double worst = (double)INFINITY;
    sal_status st = random_graph_new(&wide, seed, data, SAL_F64, gradient, &err);
    sal_status sn = random_graph_new(&narrow, seed, data, SAL_F32, gradient, &err);
    snprintf(what, n, "graph %llu: %s", (unsigned long long)seed, err.msg);
    if (st == SAL_OK && sn == SAL_OK)
        st = sal_graph_evaluate(wide.g, wide.in, want, &err);
    if (st == SAL_OK && sn == SAL_OK)
        sn = session_outputs(narrow.g, narrow.in, opts, got, &err);
    if (st == SAL_OK && sn == SAL_OK) {
        worst = 0.0;
        for (size_t i = 0; i < narrow.g->n_outputs; i++) {
            double d = session_distance(&got[i], &want[i]), allowed = gradient ? 5e-5 : 2e-5;
            if (d > allowed && plain[0].dtype == SAL_DT_NONE)
                sn = sal_graph_evaluate(narrow.g, narrow.in, plain, &err);
            if (d > allowed && sn == SAL_OK)
                allowed = fmax(allowed, 10.0 * session_distance(&plain[i], &want[i]));
            if (!(d / allowed <= worst)) {
                worst = d / allowed;
                snprintf(what, n, "graph %llu%s, output %zu (%.60s) differs by %.3g",
                         (unsigned long long)seed, gradient ? " with gradient" : "", i,
                         sal_val(narrow.g, narrow.g->outputs[i])->name, d);
            }
        }
    } else {
        snprintf(what, n, "graph %llu%s: %s", (unsigned long long)seed,
                 gradient ? " with gradient" : "", err.msg);
    }
    session_free_all(want, RANDOM_GRAPH_INPUTS);
    session_free_all(got, RANDOM_GRAPH_INPUTS);
    session_free_all(plain, RANDOM_GRAPH_INPUTS);
    random_graph_free(&wide);
    random_graph_free(&narrow);
    return worst;
}

/* A value within rounding of a kink or of a second maximum may fall on either side, which is no
 * error: a graph fails when it does with two sets of inputs. */
static void graph_check(uint64_t seed, bool gradient)
{
    char what[640], again[640];
    sal_session_opts opts = exec_opts(1 + (int)(seed % 2), SAL_F32, false);
    double e = graph_error(seed, seed, gradient, &opts, what, sizeof what);
    if (!(e <= 1.0)) {
        exec_done.retried++;
        e = graph_error(seed, seed + 1000000, gradient, &opts, again, sizeof again);
    }
    CHECK_MSG(e <= 1.0, "%s; then %s", what, again);
}

static void graph_run(uint64_t count, bool gradient, long *done)
{
    const char *one = getenv("SAL_TEST_GRAPH");
    for (uint64_t i = 0; i < count; i++, (*done)++)
        graph_check(one != NULL ? strtoull(one, NULL, 0) : harness.seed * 100000 + i, gradient);
}

TEST(random_graphs)
{
    graph_run(getenv("SAL_TEST_GRAPH") != NULL ? 1 : 400, false, &exec_done.graphs);
}

TEST(random_gradients)
{
    graph_run(getenv("SAL_TEST_GRAPH") != NULL ? 1 : 250, true, &exec_done.gradients);
}

/* Rounding may change much in a random graph; it must not make numbers that are none. */
TEST(random_graphs_in_bfloat16)
{
    const char *one = getenv("SAL_TEST_GRAPH");
    double sum = 0.0;
    long count = 0, rounded = 0;
    for (uint64_t k = 0; k < (one != NULL ? 1 : 200); k++) {
        uint64_t seed = one != NULL ? strtoull(one, NULL, 0) : harness.seed * 100000 + k;
        random_graph r;
        sal_tensor want[RANDOM_GRAPH_INPUTS] = {SAL_TENSOR_INIT},
                   got[RANDOM_GRAPH_INPUTS] = {SAL_TENSOR_INIT};
        sal_error err = {0};
        sal_session_opts o = exec_opts(1 + (int)(k % 2), SAL_BF16, false);
        sal_status st = random_graph_new(&r, seed, seed, SAL_F32, k % 2 != 0, &err);
        if (st == SAL_OK)
            st = sal_graph_evaluate(r.g, r.in, want, &err);
        if (st == SAL_OK)
            st = session_outputs(r.g, r.in, &o, got, &err);
        CHECK_MSG(st == SAL_OK, "graph %llu: %s", (unsigned long long)seed, err.msg);
        for (size_t i = 0; st == SAL_OK && i < r.g->n_outputs; i++, count++) {
            double c = session_cosine(&got[i], &want[i]);
            CHECK_MSG(c > -1.5, "graph %llu, output %zu is not finite", (unsigned long long)seed,
                      i);
            sum += c;
            rounded += session_distance(&got[i], &want[i]) > 1e-4;
        }
        session_free_all(want, RANDOM_GRAPH_INPUTS);
        session_free_all(got, RANDOM_GRAPH_INPUTS);
        random_graph_free(&r);
    }
    printf("bfloat16: %ld outputs, %ld rounded, mean cosine %.4f\n", count, rounded,
           sum / (double)count);
    CHECK(one != NULL || sum / (double)count > 0.95);
}

TEST(work_was_done)
{
    printf("cases: %ld alone, %ld between convolutions, %ld with other channels, %ld in bfloat16, "
           "%ld of other types, %ld refused; "
           "graphs: %ld, %ld with gradients, %ld tried twice\n",
           exec_done.bare, exec_done.wrapped, exec_done.channels, exec_done.bf16, exec_done.types,
           exec_done.refused, exec_done.graphs, exec_done.gradients, exec_done.retried);
    CHECK(exec_done.retried * 20 <= exec_done.graphs + exec_done.gradients + 20);
}

int main(int argc, char **argv)
{
    return harness_main(argc, argv,
                        TESTS(T(operators_alone), T(operators_by_evaluator),
                              T(operators_between_convolutions), T(operators_in_bfloat16),
                              T(operators_in_other_types), T(channels_and_broadcasts),
                              T(random_graphs), T(random_gradients), T(random_graphs_in_bfloat16),
                              T(work_was_done)));
}
