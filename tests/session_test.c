/* Sessions as objects: repeatable to the byte, usable from several threads, clean when memory runs
 * out or inputs are wrong, and right in the corners of planning: outputs that are inputs, empty
 * tensors, long chains, reuse in place. */
#define _POSIX_C_SOURCE 200809L
#include "harness.h"

#include "diff/diff.h"
#include "exec/session.h"
#include "graph/passes/passes.h"
#include "ops/builder.h"
#include "ops/core/evaluate.h"
#include "support/nets.h"
#include "support/session_check.h"

#include <pthread.h>

enum { MAX_OUT = 16 };

static sal_session_opts opts_of(int threads, sal_dtype precision)
{
    sal_session_opts o = SAL_SESSION_OPTS_INIT;
    o.threads = session_threads(threads);
    o.precision = precision;
    return o;
}

/* ---- graphs ---- */

/* The network's output and its derivative by the image. */
static sal_graph *net_with_gradient(bool vit)
{
    sal_graph *g = NULL;
    sal_error err = {0};
    nets_opts o = {.dtype = SAL_F32, .batch = 2, .bias = true, .seed = 5};
    sal_vid grad = SAL_NONE, seed = SAL_NONE;
    sal_status st = vit ? nets_vit(&g, &o, 1, &err) : nets_cnn(&g, &o, &err);
    if (st == SAL_OK)
        st = sal_differentiate(g, 1, g->outputs, &seed, 1, g->inputs, NULL, &grad, &err);
    if (st == SAL_OK)
        st = sal_graph_add_output(g, grad, &err);
    CHECK_MSG(st == SAL_OK, "%s", err.msg);
    return g;
}

/* A graph under construction with its inputs' contents. */
typedef struct toy {
    sal_graph *g;
    sal_builder b;
    sal_error err;
    sal_tensor in[4];
} toy;

static void toy_open(toy *t)
{
    sal_error err = {0};
    memset(t, 0, sizeof *t);
    CHECK_OK(sal_graph_new(&t->g, "toy", &err));
    t->b = (sal_builder)SAL_BUILDER(t->g, &t->err, NULL);
}

static sal_vid toy_input(toy *t, sal_dtype dtype, int rank, const int64_t *dims)
{
    size_t at = t->g->n_inputs;
    sal_vid v = SAL_NONE;
    char name[16];
    sal_error err = {0};
    snprintf(name, sizeof name, "in%zu", at);
    CHECK_OK(sal_graph_input(t->g, name, dtype, rank, dims, &v, &err));
    CHECK_OK(nets_uniform(&t->in[at], dtype, rank, dims, sal_dtype_is_float(dtype) ? -1.0 : 0.0,
                          sal_dtype_is_float(dtype) ? 1.0
                          : dtype == SAL_BOOL       ? 1.99
                                                    : 100.0,
                          at + 1, &err));
    return v;
}

static void toy_output(toy *t, sal_vid v)
{
    sal_error err = {0};
    CHECK_MSG(t->b.st == SAL_OK, "%s", t->err.msg);
    if (t->b.st == SAL_OK)
        CHECK_OK(sal_graph_add_output(t->g, v, &err));
}

static void toy_close(toy *t)
{
    session_free_all(t->in, 4);
    sal_graph_free(t->g);
}

/* Session = evaluation, in one and two threads and by evaluators. */
static void toy_check(toy *t, double tol)
{
    sal_tensor want[MAX_OUT] = {SAL_TENSOR_INIT};
    sal_error err = {0};
    CHECK_OK(sal_graph_evaluate(t->g, t->in, want, &err));
    for (int mode = 0; mode < 3; mode++) {
        sal_tensor got[MAX_OUT] = {SAL_TENSOR_INIT};
        sal_session_opts o = opts_of(1 + mode % 2, SAL_F32);
        o.reference = mode == 2;
        CHECK_OK(session_outputs(t->g, t->in, &o, got, &err));
        for (size_t i = 0; i < t->g->n_outputs; i++) {
            double d = session_distance(&got[i], &want[i]);
            CHECK_MSG(d <= tol && got[i].dtype == want[i].dtype,
                      "mode %d, output %zu: %.3g apart, %s and %s", mode, i, d,
                      sal_dtype_name(got[i].dtype), sal_dtype_name(want[i].dtype));
        }
        session_free_all(got, MAX_OUT);
    }
    session_free_all(want, MAX_OUT);
}

/* ---- repeatable ---- */

static bool same_bytes(const sal_tensor *a, const sal_tensor *b)
{
    return sal_tensor_bytes(a) == sal_tensor_bytes(b) &&
           memcmp(a->data, b->data, sal_tensor_bytes(a)) == 0;
}

static void check_repeats(bool vit, int threads, sal_dtype precision)
{
    sal_graph *g = net_with_gradient(vit);
    sal_session *s = NULL;
    sal_error err = {0};
    sal_tensor in = SAL_TENSOR_INIT, first[2] = {SAL_TENSOR_INIT}, other = SAL_TENSOR_INIT;
    sal_session_opts o = opts_of(threads, precision);
    CHECK_OK(nets_input(g, 0, 2, 3, &in, &err));
    CHECK_OK(nets_input(g, 0, 2, 4, &other, &err));
    CHECK_OK(session_outputs(g, &in, &o, first, &err));
    for (int k = 0; k < 3; k++) {
        CHECK_OK(sal_session_new(&s, g, &o, &err));
        for (int run = 0; run < 3; run++) {
            CHECK_OK(sal_session_run(s, &other, &err)); /* leaves other numbers everywhere */
            CHECK_OK(sal_session_run(s, &in, &err));
            CHECK(same_bytes(sal_session_output(s, 0), &first[0]));
            CHECK(same_bytes(sal_session_output(s, 1), &first[1]));
        }
        sal_session_free(s);
    }
    session_free_all(first, 2);
    sal_tensor_free(&in);
    sal_tensor_free(&other);
    sal_graph_free(g);
}

TEST(same_bytes_every_time)
{
    for (int vit = 0; vit < 2; vit++)
        for (int threads = 1; threads <= 3; threads++) {
            check_repeats(vit != 0, threads, SAL_F32);
            check_repeats(vit != 0, threads, SAL_BF16);
        }
}

/* ---- threads ---- */

typedef struct runner {
    const sal_graph *g;
    const sal_tensor *in, *want;
    int threads;
    long wrong;
    sal_status st;
} runner;

static void *runner_main(void *arg)
{
    runner *r = arg;
    sal_error err = {0};
    for (int k = 0; k < 4 && r->st == SAL_OK; k++) {
        sal_session *s = NULL;
        sal_session_opts o = opts_of(r->threads, SAL_F32);
        r->st = sal_session_new(&s, r->g, &o, &err);
        for (int run = 0; run < 10 && r->st == SAL_OK; run++) {
            r->st = sal_session_run(s, r->in, &err);
            for (size_t i = 0; i < 2 && r->st == SAL_OK; i++)
                r->wrong += !same_bytes(sal_session_output(s, i), &r->want[i]);
        }
        sal_session_free(s);
    }
    return NULL;
}

TEST(two_threads_at_once)
{
    for (int vit = 0; vit < 2; vit++)
        for (int threads = 1; threads <= session_threads(2); threads++) {
            sal_graph *g = net_with_gradient(vit != 0);
            sal_error err = {0};
            sal_tensor in = SAL_TENSOR_INIT, want[2] = {SAL_TENSOR_INIT};
            sal_session_opts o = opts_of(threads, SAL_F32);
            pthread_t id[3];
            runner r[3];
            CHECK_OK(nets_input(g, 0, 2, 3, &in, &err));
            CHECK_OK(session_outputs(g, &in, &o, want, &err));
            for (int i = 0; i < 3; i++) {
                r[i] = (runner){g, &in, want, threads, 0, SAL_OK};
                CHECK_EQ(pthread_create(&id[i], NULL, runner_main, &r[i]), 0);
            }
            for (int i = 0; i < 3; i++) {
                pthread_join(id[i], NULL);
                CHECK_EQ(r[i].st, SAL_OK);
                CHECK_EQ(r[i].wrong, 0);
            }
            session_free_all(want, 2);
            sal_tensor_free(&in);
            sal_graph_free(g);
        }
}

/* ---- life times ---- */

TEST(graph_may_go_first)
{
    sal_graph *g = net_with_gradient(true);
    sal_session *s = NULL;
    sal_error err = {0};
    sal_tensor in = SAL_TENSOR_INIT, want[2] = {SAL_TENSOR_INIT};
    sal_session_opts o = opts_of(2, SAL_F32);
    CHECK_OK(nets_input(g, 0, 2, 3, &in, &err));
    CHECK_OK(session_outputs(g, &in, &o, want, &err));
    CHECK_OK(sal_session_new(&s, g, &o, &err));
    sal_graph_free(g);
    CHECK_OK(sal_session_run(s, &in, &err));
    CHECK(same_bytes(sal_session_output(s, 0), &want[0]));
    CHECK(sal_session_output(s, 2) == NULL);
    sal_session_free(s);
    sal_session_free(NULL);
    session_free_all(want, 2);
    sal_tensor_free(&in);
}

/* Outputs stay when the inputs' memory goes, also where an output is an input. */
TEST(outputs_outlive_inputs)
{
    const int64_t dims[] = {2, 3}, flat[] = {6};
    for (int reference = 0; reference < 2; reference++) {
        toy t;
        sal_session *s = NULL;
        sal_error err = {0};
        sal_session_opts o = opts_of(1, SAL_F32);
        o.reference = reference != 0;
        toy_open(&t);
        sal_vid x = toy_input(&t, SAL_F32, 2, dims), k = toy_input(&t, SAL_I64, 2, dims);
        toy_output(&t, x);
        toy_output(&t, sal_b_reshape(&t.b, x, 1, flat, x));
        toy_output(&t, sal_b1(&t.b, "Identity", x));
        toy_output(&t, k);
        toy_output(&t, x);
        CHECK_OK(sal_session_new(&s, t.g, &o, &err));
        CHECK_OK(sal_session_run(s, t.in, &err));
        double first = sal_tensor_get(&t.in[0], 0), last = sal_tensor_get(&t.in[1], 5);
        memset(t.in[0].data, 0x55, sal_tensor_bytes(&t.in[0]));
        memset(t.in[1].data, 0x55, sal_tensor_bytes(&t.in[1]));
        for (size_t i = 0; i < 3; i++)
            CHECK_NEAR(sal_tensor_get(sal_session_output(s, i), 0), first, 0.0);
        CHECK_NEAR(sal_tensor_get(sal_session_output(s, 3), 5), last, 0.0);
        CHECK_NEAR(sal_tensor_get(sal_session_output(s, 4), 0), first, 0.0);
        sal_session_free(s);
        toy_close(&t);
    }
}

/* ---- memory runs out ---- */

/* Every allocation of planning fails in turn. Returns how many there were. */
static long sweep(const sal_graph *g, const sal_tensor *in, const sal_session_opts *o, bool sticky)
{
    long n = 0;
    sal_status st = SAL_ENOMEM;
    for (; st == SAL_ENOMEM && n < 20000; n++) {
        sal_session *s = NULL;
        sal_error err = {0};
        long before = sal_test_live();
        sal_test_fail_after(n, sticky);
        sal_status planned = sal_session_new(&s, g, o, &err);
        st = planned == SAL_OK ? sal_session_run(s, in, &err) : planned;
        sal_test_fail_after(-1, false);
        CHECK_MSG(st == SAL_OK || st == SAL_ENOMEM, "allocation %ld: %d: %s", n, (int)st, err.msg);
        CHECK_MSG(planned == SAL_OK || s == NULL, "allocation %ld: a session and an error", n);
        sal_session_free(s);
        CHECK_MSG(sal_test_live() == before, "allocation %ld: %ld left behind", n,
                  sal_test_live() - before);
    }
    CHECK_EQ(st, SAL_OK);
    return n;
}

TEST(running_out_of_memory)
{
    for (int vit = 0; vit < 2; vit++) {
        sal_graph *g = net_with_gradient(vit != 0);
        sal_error err = {0};
        sal_tensor in = SAL_TENSOR_INIT;
        CHECK_OK(nets_input(g, 0, 2, 3, &in, &err));
        for (int mode = 0; mode < 3; mode++) {
            sal_session_opts o = opts_of(1, mode == 1 ? SAL_BF16 : SAL_F32);
            o.reference = mode == 2;
            long n = sweep(g, &in, &o, false), k = sweep(g, &in, &o, true);
            printf("%s, mode %d: %ld and %ld allocations\n", vit ? "transformer" : "convolutions",
                   mode, n, k);
        }
        sal_tensor_free(&in);
        sal_graph_free(g);
    }
}

/* ---- errors ---- */

TEST(wrong_inputs)
{
    const int64_t dims[] = {2, 3, 4, 4}, other[] = {2, 3, 4, 5};
    toy t;
    sal_session *s = NULL;
    sal_error err = {0};
    toy_open(&t);
    sal_vid x = toy_input(&t, SAL_F32, 4, dims);
    toy_output(&t, sal_b1(&t.b, "Relu", x));
    CHECK_OK(sal_session_new(&s, t.g, NULL, &err));
    float room[200] = {0.0f};
    sal_tensor good = sal_tensor_borrow(SAL_F32, 4, dims, room), bad = good;
    CHECK_OK(sal_session_run(s, &good, &err));
    bad = sal_tensor_borrow(SAL_F32, 4, other, room);
    CHECK_EQ(sal_session_run(s, &bad, &err), SAL_ESHAPE);
    CHECK(strstr(err.msg, "in0") != NULL && strstr(err.msg, "float32[2,3,4,4]") != NULL);
    bad = sal_tensor_borrow(SAL_F32, 3, dims, room);
    CHECK_EQ(sal_session_run(s, &bad, &err), SAL_ESHAPE);
    bad = sal_tensor_borrow(SAL_I32, 4, dims, room);
    CHECK_EQ(sal_session_run(s, &bad, &err), SAL_ESHAPE);
    bad = sal_tensor_borrow(SAL_F32, 4, dims, NULL);
    CHECK(sal_session_run(s, &bad, &err) != SAL_OK);
    CHECK_EQ(sal_session_run(s, &bad, NULL) == SAL_OK, 0);
    CHECK_OK(sal_session_run(s, &good, &err)); /* an error leaves the session usable */
    sal_session_free(s);
    toy_close(&t);
}

TEST(shapes_must_be_fixed)
{
    sal_graph *g = NULL;
    sal_session *s = NULL;
    sal_error err = {0};
    sal_vid x = SAL_NONE;
    CHECK_OK(sal_graph_new(&g, "open", &err));
    const int64_t dims[] = {sal_dim_symbol(g, "N"), 3};
    CHECK_OK(sal_graph_input(g, "x", SAL_F32, 2, dims, &x, &err));
    sal_builder b = SAL_BUILDER(g, &err, NULL);
    CHECK_OK(sal_graph_add_output(g, sal_b1(&b, "Relu", x), &err));
    CHECK_EQ(sal_session_new(&s, g, NULL, &err), SAL_ESHAPE);
    CHECK(s == NULL && strstr(err.msg, "input x") != NULL);
    sal_graph_free(g);
    /* an input that nobody reads, or that is an output itself */
    CHECK_OK(sal_graph_new(&g, "open", &err));
    const int64_t more[] = {sal_dim_symbol(g, "N"), 3};
    CHECK_OK(sal_graph_input(g, "x", SAL_F32, 2, more, &x, &err));
    CHECK_OK(sal_graph_add_output(g, x, &err));
    CHECK_EQ(sal_session_new(&s, g, NULL, &err), SAL_ESHAPE);
    CHECK(s == NULL);
    sal_graph_free(g);
}

/* ---- corners of planning ---- */

TEST(constants_and_repeated_outputs)
{
    const int64_t dims[] = {2, 5};
    toy t;
    toy_open(&t);
    sal_vid x = toy_input(&t, SAL_F32, 2, dims);
    sal_vid c = sal_b_scalar(&t.b, SAL_F32, 2.5);
    sal_vid folded = sal_b2(&t.b, "Add", c, c), y = sal_b2(&t.b, "Mul", x, x);
    sal_vid outs[] = {c, folded, y, x, y, sal_b2(&t.b, "Add", y, x), sal_b_ints(&t.b, dims, 2), y};
    for (size_t i = 0; i < sizeof outs / sizeof *outs; i++)
        toy_output(&t, outs[i]);
    toy_check(&t, 1e-6);
    toy_close(&t);
}

/* Layers that treat each token alone and a Gather of one: afterwards only that token is computed,
 * before what mixes tokens (here a Softmax over them) all are. */
TEST(one_token_is_enough)
{
    const int64_t dims[] = {2, 5, 4}, w1[] = {4, 6}, w2[] = {6, 4}, row[] = {4};
    sal_error err = {0};
    toy t;
    sal_tensor c[4] = {SAL_TENSOR_INIT}, want[MAX_OUT] = {SAL_TENSOR_INIT};
    sal_vid v[4];
    toy_open(&t);
    sal_vid x = toy_input(&t, SAL_F32, 3, dims);
    CHECK_OK(nets_uniform(&c[0], SAL_F32, 2, w1, -1.0, 1.0, 7, &err));
    CHECK_OK(nets_uniform(&c[1], SAL_F32, 2, w2, -1.0, 1.0, 8, &err));
    CHECK_OK(nets_uniform(&c[2], SAL_F32, 1, row, -1.0, 1.0, 9, &err));
    for (int i = 0; i < 3; i++)
        CHECK_OK(sal_graph_constant(t.g, NULL, &c[i], &v[i], &err));
    const sal_attr over = SAL_AI("axis", 1), last = SAL_AI("axis", -1);
    sal_vid mixed = sal_b_op(&t.b, "Softmax", 1, &x, 1, &over);
    sal_vid norm = sal_b_op(&t.b, "LayerNormalization", 2, (sal_vid[]){mixed, v[2]}, 1, &last);
    sal_vid hidden = sal_b1(&t.b, "Gelu", sal_b2(&t.b, "MatMul", norm, v[0]));
    sal_vid back = sal_b2(&t.b, "MatMul", hidden, v[1]);
    sal_vid sum = sal_b2(&t.b, "Add", sal_b2(&t.b, "Add", v[2], back), mixed);
    sal_vid index = sal_b_scalar(&t.b, SAL_I64, -2.0);
    sal_vid token = sal_b_op(&t.b, "Gather", 2, (sal_vid[]){sum, index}, 1, &over);
    toy_output(&t, token);
    CHECK_OK(sal_graph_evaluate(t.g, t.in, want, &err));
    CHECK_OK(sal_pass_narrow(t.g, &err));
    CHECK_EQ(sal_val(t.g, mixed)->dims[1], 5);
    CHECK_EQ(sal_val(t.g, norm)->dims[1], 1);
    CHECK_EQ(sal_val(t.g, hidden)->dims[1], 1);
    CHECK_EQ(sal_val(t.g, sum)->dims[1], 1);
    for (int mode = 0; mode < 2; mode++) {
        sal_tensor got[MAX_OUT] = {SAL_TENSOR_INIT};
        sal_session_opts o = opts_of(1, SAL_F32);
        o.reference = mode == 1;
        CHECK_OK(session_outputs(t.g, t.in, &o, got, &err));
        CHECK(session_distance(&got[0], &want[0]) <= 1e-5);
        session_free_all(got, MAX_OUT);
    }
    session_free_all(want, MAX_OUT);
    session_free_all(c, 4);
    toy_close(&t);
}

TEST(no_nodes_at_all)
{
    toy t;
    toy_open(&t);
    toy_output(&t, toy_input(&t, SAL_F32, 0, NULL));
    toy_check(&t, 0.0);
    toy_close(&t);
}

TEST(scalars)
{
    toy t;
    toy_open(&t);
    sal_vid x = toy_input(&t, SAL_F32, 0, NULL), y = toy_input(&t, SAL_F32, 0, NULL);
    sal_vid z = sal_b2(&t.b, "Mul", sal_b1(&t.b, "Exp", x), y);
    toy_output(&t, sal_b2(&t.b, "Add", z, z));
    toy_output(&t, sal_b3(&t.b, "Where", sal_b2(&t.b, "Greater", x, y), x, y));
    toy_output(&t, sal_b_reduce(&t.b, "ReduceSum", z, 0, NULL, false));
    toy_output(&t, sal_b_unsqueeze(&t.b, z, 1, (const int64_t[]){0}));
    toy_check(&t, 1e-6);
    toy_close(&t);
}

TEST(empty_tensors)
{
    const int64_t none[] = {2, 0, 4, 4}, some[] = {2, 3, 4, 4}, rows[] = {0, 4}, matrix[] = {4, 3};
    toy t;
    toy_open(&t);
    sal_vid e = toy_input(&t, SAL_F32, 4, none), x = toy_input(&t, SAL_F32, 4, some);
    sal_vid r = toy_input(&t, SAL_F32, 2, rows), m = toy_input(&t, SAL_F32, 2, matrix);
    toy_output(&t, sal_b1(&t.b, "Relu", e));
    toy_output(&t, sal_b_concat(&t.b, 3, (const sal_vid[]){e, x, e}, 1));
    toy_output(&t, sal_b_concat(&t.b, 2, (const sal_vid[]){x, sal_b1(&t.b, "Neg", e)}, 1));
    toy_output(&t, sal_b_slice(&t.b, x, 1, 3, 3, 1));
    toy_output(&t, sal_b_transpose(&t.b, e, (const int64_t[]){1, 0, 3, 2}));
    toy_output(&t, sal_b2(&t.b, "MatMul", r, m));
    toy_output(&t, sal_b_reduce(&t.b, "ReduceSum", e, 1, (const int64_t[]){1}, false));
    toy_output(&t, sal_b1(&t.b, "Softmax", r));
    toy_output(&t, sal_b2(&t.b, "Add", sal_b1(&t.b, "Exp", r), sal_b_slice(&t.b, r, 1, 0, 1, 1)));
    toy_output(&t, sal_b_cast(&t.b, e, SAL_I64));
    toy_check(&t, 1e-6);
    toy_close(&t);
}

TEST(product_over_nothing)
{
    const int64_t a[] = {3, 0}, b[] = {0, 4};
    toy t;
    toy_open(&t);
    sal_vid x = toy_input(&t, SAL_F32, 2, a), y = toy_input(&t, SAL_F32, 2, b);
    sal_vid z = sal_b2(&t.b, "MatMul", x, y);
    toy_output(&t,
               sal_b1(&t.b, "Relu", sal_b2(&t.b, "Add", z, sal_b_like(&t.b, z, 1.0)))); /* all 1 */
    toy_check(&t, 0.0);
    toy_close(&t);
}

/* More element-wise nodes, operands and outputs than one group takes. */
TEST(long_chains)
{
    const int64_t dims[] = {2, 5, 3, 3};
    toy t;
    toy_open(&t);
    sal_vid x = toy_input(&t, SAL_F32, 4, dims), y = x, kept[5];
    for (int i = 0; i < 100; i++) {
        sal_vid other = i % 3 == 0 ? x : i % 3 == 1 ? y : sal_b_like(&t.b, y, 0.01 * (i + 1));
        y = sal_b2(&t.b, i % 2 == 0 ? "Add" : "Mul", y, other);
        y = sal_b1(&t.b, i % 2 == 0 ? "Tanh" : "Sigmoid", y);
        if (i % 20 == 0)
            kept[i / 20] = y;
    }
    for (int i = 0; i < 5; i++)
        toy_output(&t, kept[i]);
    toy_output(&t, y);
    toy_check(&t, 2e-6);
    toy_close(&t);
}

TEST(wide_sums)
{
    const int64_t dims[] = {3, 7};
    toy t;
    toy_open(&t);
    sal_vid x = toy_input(&t, SAL_F32, 2, dims), in[40];
    for (int n = 2; n <= 40;
         n += n < 14 ? 1 : 13) { /* beyond the operands of one instruction group */
        for (int i = 0; i < n; i++)
            in[i] = i % 2 == 0 ? x : sal_b_like(&t.b, x, 0.5 * i);
        if (n == 12 || n == 40)
            toy_output(&t, sal_b_op(&t.b, "Sum", n, in, 0, NULL));
        if (n == 13)
            toy_output(&t, sal_b_op(&t.b, "Max", n, in, 0, NULL));
    }
    /* a chain of sums: more instructions than a group holds, of few operands */
    sal_vid y = x;
    for (int k = 0; k < 20; k++) {
        for (int i = 0; i < 12; i++)
            in[i] = i % 2 == 0 ? y : x;
        y = sal_b1(&t.b, "Tanh", sal_b_op(&t.b, "Sum", 12, in, 0, NULL));
    }
    toy_output(&t, y);
    toy_check(&t, 1e-5);
    toy_close(&t);
}

/* Nobody may write over a value that is still read, however it is seen: whole, reshaped, cut or
 * transposed. */
TEST(reuse_in_place)
{
    const int64_t dims[] = {4, 8}, turned[] = {8, 4};
    toy t;
    toy_open(&t);
    sal_vid x = toy_input(&t, SAL_F32, 2, dims);
    sal_vid y = sal_b1(&t.b, "Tanh", x), view = sal_b_reshape(&t.b, y, 2, turned, y);
    sal_vid half = sal_b_slice(&t.b, y, 1, 0, 4, 1), z = sal_b1(&t.b, "Softmax", y);
    sal_vid back = sal_b_transpose(&t.b, view, (const int64_t[]){1, 0});
    toy_output(&t, sal_b1(&t.b, "Softmax", view));
    toy_output(&t, sal_b2(&t.b, "Add", back, z));
    toy_output(&t, sal_b2(&t.b, "Sub", half, sal_b_slice(&t.b, z, 1, 4, 8, 1)));
    sal_vid same = sal_b2(&t.b, "Add", z, z), more = sal_b2(&t.b, "Mul", same, same);
    toy_output(&t, sal_b2(&t.b, "MatMul", more, sal_b_reshape(&t.b, more, 2, turned, more)));
    toy_output(&t, sal_b2(&t.b, "Add", sal_b_reshape(&t.b, more, 2, turned, more), view));
    toy_check(&t, 2e-6);
    toy_close(&t);
}

/* Integers keep all their digits, whatever moves them. */
TEST(integers)
{
    const sal_dtype types[] = {SAL_I32, SAL_I64, SAL_U8, SAL_BOOL, SAL_I8};
    const int64_t dims[] = {2, 17, 3, 5}, merged[] = {2, 17, 15};
    for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
        toy t;
        toy_open(&t);
        sal_vid x = toy_input(&t, types[k], 4, dims);
        for (int64_t i = 0; types[k] == SAL_I32 && i < sal_tensor_count(&t.in[0]); i++)
            ((int32_t *)t.in[0].data)[i] = 16777217 + (int32_t)i; /* float32 does not hold these */
        for (int64_t i = 0; types[k] == SAL_I64 && i < sal_tensor_count(&t.in[0]); i++)
            ((int64_t *)t.in[0].data)[i] = (1ll << 40) + i;
        sal_vid y = sal_b_transpose(&t.b, x, (const int64_t[]){0, 2, 3, 1});
        toy_output(&t, y);
        toy_output(&t, sal_b_transpose(&t.b, y, (const int64_t[]){3, 1, 0, 2}));
        toy_output(&t, sal_b_reshape(&t.b, x, 3, merged, x));
        toy_output(&t, sal_b_slice(&t.b, x, 1, 1, 16, 3));
        toy_output(&t, sal_b_concat(&t.b, 2, (const sal_vid[]){x, x}, 1));
        toy_output(&t, sal_b_cast(&t.b, y, SAL_F32));
        toy_output(&t, sal_b_cast(&t.b, x, SAL_I64));
        toy_output(&t, sal_b2(&t.b, "Equal", x, x));
        toy_check(&t, 0.0);
        toy_close(&t);
    }
}

/* Split hands out views: those that a reader cannot take are copied. */
TEST(views_of_views)
{
    const int64_t dims[] = {2, 6, 24}, sizes[] = {8, 8, 8}, heads[] = {2, 6, 2, 4},
                  joined[] = {2, 6, 8};
    toy t;
    toy_open(&t);
    sal_vid x = toy_input(&t, SAL_F32, 3, dims), part[3], turned[3];
    sal_attr a[] = {SAL_AI("axis", 2)};
    sal_b_node(&t.b, "Split", 2, (sal_vid[]){sal_b1(&t.b, "Tanh", x), sal_b_ints(&t.b, sizes, 3)},
               1, a, 3, part);
    for (int i = 0; i < 3; i++)
        turned[i] = sal_b_transpose(&t.b, sal_b_reshape(&t.b, part[i], 4, heads, part[i]),
                                    (const int64_t[]){0, 2, 1, 3});
    sal_vid k = sal_b_transpose(&t.b, turned[1], (const int64_t[]){0, 1, 3, 2});
    sal_vid p = sal_b1(&t.b, "Softmax", sal_b2(&t.b, "MatMul", turned[0], k));
    sal_vid o =
        sal_b_transpose(&t.b, sal_b2(&t.b, "MatMul", p, turned[2]), (const int64_t[]){0, 2, 1, 3});
    toy_output(&t, sal_b_reshape(&t.b, o, 3, joined, o));
    toy_output(&t, part[1]);
    toy_output(&t, k);
    toy_output(&t, sal_b2(&t.b, "Add", part[0], part[2]));
    toy_output(&t, sal_b1(&t.b, "Relu", sal_b_unsqueeze(&t.b, part[2], 1, (const int64_t[]){1})));
    toy_output(&t, sal_b_concat(&t.b, 2, (const sal_vid[]){part[2], part[0]}, 1));
    toy_output(&t, sal_b_reduce(&t.b, "ReduceMean", turned[2], 1, (const int64_t[]){2}, false));
    toy_check(&t, 2e-6);
    toy_close(&t);
}

/* Scale and bias that lie in the memory of the row itself. */
TEST(rows_that_scale_themselves)
{
    const int64_t dims[] = {1, 8}, flat[] = {8}, map[] = {1, 5, 3, 3}, one = 5;
    toy t;
    toy_open(&t);
    sal_vid x = toy_input(&t, SAL_F32, 2, dims), m = toy_input(&t, SAL_F32, 4, map);
    sal_vid y = sal_b1(&t.b, "Tanh", x), same = sal_b_reshape(&t.b, y, 1, flat, y);
    sal_attr a[] = {SAL_AI("axis", -1), SAL_AF("epsilon", 1e-2)};
    toy_output(&t, sal_b_op(&t.b, "LayerNormalization", 3, (sal_vid[]){y, same, same}, 2, a));
    /* a product that scales by its own input, and scalars on either side of a subtraction */
    int64_t shape[] = {5, 5, 1, 1};
    sal_tensor w = SAL_TENSOR_INIT;
    sal_error err = {0};
    CHECK_OK(nets_uniform(&w, SAL_F32, 4, shape, -1.0, 1.0, 9, &err));
    sal_vid c = sal_b2(&t.b, "Conv", m, sal_b_tensor(&t.b, &w));
    toy_output(&t, sal_b2(&t.b, "Sub", c, sal_b_like(&t.b, c, 0.25)));
    sal_vid d = sal_b2(&t.b, "Conv", m, sal_b_tensor(&t.b, &w));
    toy_output(&t, sal_b2(&t.b, "Sub", sal_b_like(&t.b, c, 0.25), sal_b1(&t.b, "Neg", d)));
    toy_output(
        &t, sal_b_reshape(&t.b, sal_b2(&t.b, "Mul", c, m), 4, (const int64_t[]){1, one, 9, 1}, c));
    sal_tensor_free(&w);
    toy_check(&t, 3e-6);
    toy_close(&t);
}

/* An output that nobody names. */
TEST(omitted_outputs)
{
    const int64_t dims[] = {2, 6}, sizes[] = {1, 2, 3};
    toy t;
    toy_open(&t);
    sal_error err = {0};
    sal_vid x = toy_input(&t, SAL_F32, 2, dims), parts[3] = {SAL_NONE, SAL_NONE, SAL_NONE};
    sal_attr a[] = {SAL_AI("axis", 1)};
    CHECK_OK(sal_graph_value(t.g, "left", NULL, &parts[0], &err));
    CHECK_OK(sal_graph_value(t.g, "right", NULL, &parts[2], &err));
    sal_node *node = NULL;
    CHECK_OK(sal_graph_node(t.g, sal_op_find("", "Split"), "split", 2,
                            (sal_vid[]){sal_b1(&t.b, "Tanh", x), sal_b_ints(&t.b, sizes, 3)}, 3,
                            parts, 1, a, &node, &err));
    CHECK_OK(sal_node_infer(t.g, node, &err));
    toy_output(&t, parts[0]);
    toy_output(&t, sal_b1(&t.b, "Relu", parts[2]));
    toy_check(&t, 1e-6);
    toy_close(&t);
}

/* A maximum of rounded values must be found among them again. */
TEST(max_pool_gradient_in_bfloat16)
{
    const int64_t dims[] = {1, 3, 8, 8}, two[] = {2, 2};
    toy t;
    sal_error err = {0};
    sal_vid grad = SAL_NONE, seed = SAL_NONE;
    sal_tensor want[MAX_OUT] = {SAL_TENSOR_INIT}, got[MAX_OUT] = {SAL_TENSOR_INIT};
    sal_session_opts o = opts_of(1, SAL_BF16);
    toy_open(&t);
    sal_vid x = toy_input(&t, SAL_F32, 4, dims);
    sal_attr a[] = {SAL_AINTS("kernel_shape", two, 2), SAL_AINTS("strides", two, 2)};
    sal_vid y = sal_b_op(&t.b, "MaxPool", 1, &x, 2, a);
    toy_output(&t, y);
    CHECK_OK(sal_differentiate(t.g, 1, &y, &seed, 1, &x, NULL, &grad, &err));
    toy_output(&t, grad);
    CHECK_OK(sal_graph_evaluate(t.g, t.in, want, &err));
    CHECK_OK(session_outputs(t.g, t.in, &o, got, &err));
    CHECK(session_cosine(&got[1], &want[1]) > 0.95);
    session_free_all(want, MAX_OUT);
    session_free_all(got, MAX_OUT);
    toy_close(&t);
}

TEST(bfloat16_networks)
{
    for (int vit = 0; vit < 2; vit++) {
        sal_graph *g = net_with_gradient(vit != 0);
        sal_error err = {0};
        sal_tensor in = SAL_TENSOR_INIT, want[2] = {SAL_TENSOR_INIT}, got[2] = {SAL_TENSOR_INIT};
        sal_session_opts o = opts_of(2, SAL_BF16);
        CHECK_OK(nets_input(g, 0, 2, 3, &in, &err));
        CHECK_OK(sal_graph_evaluate(g, &in, want, &err));
        CHECK_OK(session_outputs(g, &in, &o, got, &err));
        CHECK_LE(0.999, session_cosine(&got[0], &want[0]));
        CHECK_LE(0.9, session_cosine(&got[1], &want[1]));
        session_free_all(want, 2);
        session_free_all(got, 2);
        sal_tensor_free(&in);
        sal_graph_free(g);
    }
}

TEST(describe_and_profile)
{
    sal_graph *g = net_with_gradient(false);
    sal_session *s = NULL;
    sal_error err = {0};
    sal_bytes text = {NULL, 0, 0};
    sal_session_stats stats;
    sal_tensor in = SAL_TENSOR_INIT;
    double ms[512];
    CHECK_OK(nets_input(g, 0, 2, 3, &in, &err));
    CHECK_OK(sal_session_new(&s, g, NULL, &err));
    sal_session_get_stats(s, &stats);
    CHECK(stats.steps > 5 && stats.steps < 512 && stats.arena_bytes > 0 && stats.weight_bytes > 0);
    CHECK_EQ(stats.reference_steps, 0);
    CHECK_OK(sal_session_describe(s, &text, &err));
    size_t lines = 0;
    for (size_t i = 0; i < text.len; i++)
        lines += text.data[i] == '\n';
    CHECK_EQ(lines, stats.steps);
    CHECK_OK(sal_session_profile(s, &in, ms, &err));
    for (size_t i = 0; i < stats.steps; i++)
        CHECK(ms[i] >= 0.0 && sal_session_step_text(s, i) != NULL);
    sal_bytes_free(&text);
    sal_session_free(s);
    sal_tensor_free(&in);
    sal_graph_free(g);
}

int main(int argc, char **argv)
{
    return harness_main(
        argc, argv,
        TESTS(T(same_bytes_every_time), T(two_threads_at_once), T(graph_may_go_first),
              T(outputs_outlive_inputs), T(running_out_of_memory), T(wrong_inputs),
              T(shapes_must_be_fixed), T(constants_and_repeated_outputs), T(one_token_is_enough),
              T(no_nodes_at_all), T(scalars), T(empty_tensors), T(product_over_nothing),
              T(long_chains), T(wide_sums), T(reuse_in_place), T(integers), T(views_of_views),
              T(rows_that_scale_themselves), T(omitted_outputs), T(max_pool_gradient_in_bfloat16),
              T(bfloat16_networks), T(describe_and_profile)));
}
