/* Differentiation of whole graphs: finite differences to second order, cut points, rule sets. */
#include "diff/diff.h"
#include "harness.h"
#include "ops/core/evaluate.h"
#include "support/nets.h"

#define STEP 1e-5

static sal_error err;

/* Evaluate one output of a graph whose inputs are given; the sum of its product with `weight`
 * (NULL: ones). */
static double eval_dot(const sal_graph *g, const sal_tensor *in, size_t output,
                       const sal_tensor *weight)
{
    sal_tensor out[8];
    double sum = 0;

    for (size_t i = 0; i < SAL_COUNTOF(out); i++)
        out[i] = (sal_tensor)SAL_TENSOR_INIT;
    CHECK_OK(sal_graph_evaluate(g, in, out, &err));
    for (int64_t k = 0; k < sal_tensor_count(&out[output]) && out[output].data != NULL; k++)
        sum += sal_tensor_get(&out[output], k) * (weight == NULL ? 1.0 : sal_tensor_get(weight, k));
    for (size_t i = 0; i < g->n_outputs; i++)
        sal_tensor_free(&out[i]);
    return sum;
}

/* <grad, direction> against the central difference of output `value` along `direction`, in input 0.
 */
static void check_directional(const sal_graph *g, const sal_tensor *in, size_t n_in, size_t value,
                              const sal_tensor *weight, size_t grad, double tol)
{
    for (uint64_t trial = 0; trial < 3; trial++) {
        sal_tensor d = SAL_TENSOR_INIT, moved[4];
        double side[2];

        CHECK(n_in <= SAL_COUNTOF(moved));
        CHECK_OK(nets_uniform(&d, SAL_F64, in[0].rank, in[0].dims, -1, 1, harness.seed * 10 + trial,
                              &err));
        for (size_t i = 0; i < n_in; i++)
            moved[i] = in[i];
        moved[0] = (sal_tensor)SAL_TENSOR_INIT;
        CHECK_OK(sal_tensor_cast(&moved[0], &in[0], SAL_F64, &err));
        for (int s = 0; s < 2; s++) {
            for (int64_t k = 0; k < sal_tensor_count(&d); k++)
                sal_tensor_set(&moved[0], k,
                               sal_tensor_get(&in[0], k) +
                                   (s == 0 ? STEP : -STEP) * sal_tensor_get(&d, k));
            side[s] = eval_dot(g, moved, value, weight);
        }
        double expected = (side[0] - side[1]) / (2 * STEP), got = eval_dot(g, in, grad, &d);

        CHECK_NEAR(got, expected, tol * fmax(fabs(expected), 1.0));
        sal_tensor_free(&moved[0]);
        sal_tensor_free(&d);
    }
}

static sal_vid gradient(sal_graph *g, sal_vid y, sal_vid seed, sal_vid x, const sal_rules *rules)
{
    sal_vid grad = SAL_NONE;

    CHECK_OK(sal_differentiate(g, 1, &y, &seed, 1, &x, rules, &grad, &err));
    return grad;
}

static void set_outputs(sal_graph *g, int n, const sal_vid *v)
{
    g->n_outputs = 0;
    for (int i = 0; i < n; i++)
        CHECK_OK(sal_graph_add_output(g, v[i], &err));
}

/* First and second order of a network in float64: d/dx <w, y>, and d/dx <v, gradient>. */
static void check_two_orders(sal_graph *g, double tol)
{
    sal_vid x = g->inputs[0], y = g->outputs[0], w, v;
    sal_tensor in[3] = {SAL_TENSOR_INIT, SAL_TENSOR_INIT, SAL_TENSOR_INIT};

    CHECK_OK(sal_graph_input(g, "w", SAL_F64, sal_val(g, y)->rank, sal_val(g, y)->dims, &w, &err));
    CHECK_OK(sal_graph_input(g, "v", SAL_F64, 4, sal_val(g, x)->dims, &v, &err));
    for (size_t i = 0; i < 3; i++)
        CHECK_OK(nets_input(g, i, 2, 5 + i, &in[i], &err));
    sal_vid first = gradient(g, y, w, x, NULL);
    if (first == SAL_NONE)
        return;
    sal_vid second = gradient(g, first, v, x, NULL), all[] = {y, first, second};
    if (second != SAL_NONE) {
        set_outputs(g, 3, all);
        check_directional(g, in, 3, 0, &in[1], 1, tol);
        check_directional(g, in, 3, 1, &in[2], 2, tol);
    }
    for (size_t i = 0; i < 3; i++)
        sal_tensor_free(&in[i]);
}

TEST(cnn_two_orders)
{
    nets_opts o = {
        .dtype = SAL_F64, .batch = 2, .bias = true, .smooth = true, .softmax = true, .seed = 1};
    sal_graph *g = NULL;

    CHECK_OK(nets_cnn(&g, &o, &err));
    if (g != NULL)
        check_two_orders(g, 1e-6);
    sal_graph_free(g);
}

TEST(cnn_two_orders_free_batch)
{
    nets_opts o = {.dtype = SAL_F64, .batch = 0, .bias = true, .smooth = true, .seed = 2};
    sal_graph *g = NULL;

    CHECK_OK(nets_cnn(&g, &o, &err));
    if (g != NULL)
        check_two_orders(g, 1e-6);
    sal_graph_free(g);
}

TEST(vit_two_orders)
{
    nets_opts o = {.dtype = SAL_F64, .batch = 0, .bias = true, .seed = 3};
    sal_graph *g = NULL;

    CHECK_OK(nets_vit(&g, &o, 2, &err));
    if (g != NULL)
        check_two_orders(g, 1e-6);
    sal_graph_free(g);
}

/* A rectifier network is piecewise linear: the gradient is exact almost everywhere. */
TEST(rectifiers)
{
    nets_opts o = {.dtype = SAL_F64, .batch = 2, .bias = true, .seed = 4};
    sal_graph *g = NULL;
    sal_tensor in = SAL_TENSOR_INIT;

    CHECK_OK(nets_cnn(&g, &o, &err));
    if (g == NULL)
        return;
    sal_vid grad = gradient(g, g->outputs[0], SAL_NONE, g->inputs[0], NULL),
            all[] = {g->outputs[0], grad};
    if (grad != SAL_NONE) {
        set_outputs(g, 2, all);
        CHECK_OK(nets_input(g, 0, 2, 9, &in, &err));
        check_directional(g, &in, 1, 0, NULL, 1, 1e-5);
    }
    sal_tensor_free(&in);
    sal_graph_free(g);
}

/* With respect to inner values: the chain rule holds across the cut, and nothing before the cut is
 * visited. */
TEST(cut_points)
{
    nets_opts o = {.dtype = SAL_F64, .batch = 2, .bias = true, .seed = 5};
    sal_graph *g = NULL;
    sal_tensor in = SAL_TENSOR_INIT;
    sal_tensor out[2] = {SAL_TENSOR_INIT, SAL_TENSOR_INIT};

    CHECK_OK(nets_cnn(&g, &o, &err));
    if (g == NULL)
        return;
    sal_vid x = g->inputs[0], y = g->outputs[0], mid = sal_graph_find(g, "pooled"), none = SAL_NONE;
    sal_vid grads[2];
    size_t before = g->n_nodes;
    sal_vid at_mid = gradient(g, y, SAL_NONE, mid, NULL);
    size_t short_way = g->n_nodes - before;
    sal_vid chained = gradient(g, mid, at_mid, x, NULL);
    before = g->n_nodes;
    sal_vid wrt[] = {x, mid};
    CHECK_OK(sal_differentiate(g, 1, &y, &none, 2, wrt, NULL, grads, &err));
    CHECK(short_way < g->n_nodes - before);
    sal_vid all[] = {chained, grads[0]};
    set_outputs(g, 2, all);
    CHECK_OK(nets_input(g, 0, 2, 9, &in, &err));
    CHECK_OK(sal_graph_evaluate(g, &in, out, &err));
    CHECK_LE(nets_rel(&out[0], &out[1]), 1e-14);
    sal_tensor_free(&in);
    sal_tensor_free(&out[0]);
    sal_tensor_free(&out[1]);
    sal_graph_free(g);
}

TEST(no_path_is_zero)
{
    static const int64_t dims[] = {2, 3};
    sal_graph *g = NULL;
    sal_vid x, z, y, none = SAL_NONE, grads[2];
    sal_tensor in[2] = {SAL_TENSOR_INIT, SAL_TENSOR_INIT};

    CHECK_OK(sal_graph_new(&g, "t", &err));
    CHECK_OK(sal_graph_input(g, "x", SAL_F64, 2, dims, &x, &err));
    CHECK_OK(sal_graph_input(g, "z", SAL_F64, 2, dims, &z, &err));
    sal_builder b = SAL_BUILDER(g, &err, NULL);
    /* Floor has derivative zero. */
    y = sal_b2(&b, "Add", sal_b2(&b, "Mul", x, x), sal_b1(&b, "Floor", z));
    CHECK_OK(b.st);
    sal_vid wrt[] = {x, z};
    CHECK_OK(sal_differentiate(g, 1, &y, &none, 2, wrt, NULL, grads, &err));
    set_outputs(g, 2, grads);
    CHECK_OK(nets_input(g, 0, 1, 1, &in[0], &err));
    CHECK_OK(nets_input(g, 1, 1, 2, &in[1], &err));
    double sum = 0;
    for (int i = 0; i < 6; i++)
        sum += 2 * sal_tensor_get(&in[0], i);
    CHECK_NEAR(eval_dot(g, in, 0, NULL), sum, 1e-12);
    CHECK_EQ(eval_dot(g, in, 1, NULL), 0);
    sal_tensor_free(&in[0]);
    sal_tensor_free(&in[1]);
    sal_graph_free(g);
}

/* The same output twice, an output that is itself wrt, and both operands the same value. */
TEST(repeated_values)
{
    static const int64_t dims[] = {3};
    sal_graph *g = NULL;
    sal_vid x, grads[1];
    sal_tensor in = SAL_TENSOR_INIT;

    CHECK_OK(sal_graph_new(&g, "t", &err));
    CHECK_OK(sal_graph_input(g, "x", SAL_F64, 1, dims, &x, &err));
    sal_builder b = SAL_BUILDER(g, &err, NULL);
    sal_vid y = sal_b2(&b, "Mul", x, x), outs[] = {y, y, x};
    CHECK_OK(sal_differentiate(g, 3, outs, NULL, 1, &x, NULL, grads, &err));
    set_outputs(g, 1, grads);
    CHECK_OK(nets_input(g, 0, 1, 3, &in, &err));
    double sum = 0;
    for (int i = 0; i < 3; i++)
        sum += 4 * sal_tensor_get(&in, i) + 1;
    CHECK_NEAR(eval_dot(g, &in, 0, NULL), sum, 1e-12);
    sal_tensor_free(&in);
    sal_graph_free(g);
}

TEST(integers_have_no_derivative)
{
    static const int64_t dims[] = {3};
    sal_graph *g = NULL;
    sal_vid x, grads[1], none = SAL_NONE;

    CHECK_OK(sal_graph_new(&g, "t", &err));
    CHECK_OK(sal_graph_input(g, "x", SAL_I64, 1, dims, &x, &err));
    CHECK_EQ(sal_differentiate(g, 1, &x, &none, 1, &x, NULL, grads, &err), SAL_ENOGRAD);
    CHECK(strstr(err.msg, "x is int64") != NULL);
    sal_graph_free(g);
}

/* ---- rule sets ---- */

/* x -> Relu -> weights, with the gradient coming in as w: the three rules by hand. */
TEST(rectifier_rules)
{
    static const int64_t dims[] = {4};
    static const double xs[] = {1, -1, 2, -2}, ws[] = {3, 4, -5, -6};
    static const double expected[3][4] = {{3, 0, -5, 0}, {3, 0, 0, 0}, {3, 4, 0, 0}};
    static const char *const names[] = {"gradient", "guided", "deconvnet"};

    for (int i = 0; i < 3; i++) {
        sal_graph *g = NULL;
        sal_vid x, w;
        sal_tensor in[2] = {SAL_TENSOR_INIT, SAL_TENSOR_INIT}, out = SAL_TENSOR_INIT;
        sal_rules rules = {.desc = sal_rules_find(names[i])};

        CHECK(rules.desc != NULL);
        CHECK_OK(sal_graph_new(&g, "t", &err));
        CHECK_OK(sal_graph_input(g, "x", SAL_F64, 1, dims, &x, &err));
        CHECK_OK(sal_graph_input(g, "w", SAL_F64, 1, dims, &w, &err));
        sal_builder b = SAL_BUILDER(g, &err, NULL);
        sal_vid grad = gradient(g, sal_b1(&b, "Relu", x), w, x, &rules);
        set_outputs(g, 1, &grad);
        CHECK_OK(sal_tensor_new(&in[0], SAL_F64, 1, dims, &err));
        CHECK_OK(sal_tensor_new(&in[1], SAL_F64, 1, dims, &err));
        for (int k = 0; k < 4; k++) {
            sal_tensor_set(&in[0], k, xs[k]);
            sal_tensor_set(&in[1], k, ws[k]);
        }
        CHECK_OK(sal_graph_evaluate(g, in, &out, &err));
        for (int k = 0; k < 4; k++)
            CHECK_EQ(sal_tensor_get(&out, k), expected[i][k]);
        sal_tensor_free(&in[0]);
        sal_tensor_free(&in[1]);
        sal_tensor_free(&out);
        sal_graph_free(g);
    }
}

static void check_relevance(sal_graph *g, double tol)
{
    sal_rules rules = {.desc = sal_rules_find("lrp-epsilon"), .p = {.epsilon = 1e-9}};
    sal_vid y = g->outputs[0], w;
    sal_tensor in[2] = {SAL_TENSOR_INIT, SAL_TENSOR_INIT};

    CHECK_OK(sal_graph_input(g, "w", SAL_F64, 2, sal_val(g, y)->dims, &w, &err));
    sal_builder b = SAL_BUILDER(g, &err, NULL);
    sal_vid start = sal_b2(&b, "Mul", w, y);
    sal_vid shares = gradient(g, y, w, g->inputs[0], &rules);
    if (shares == SAL_NONE)
        return;
    sal_vid all[] = {start, sal_b2(&b, "Mul", g->inputs[0], shares)};
    set_outputs(g, 2, all);
    for (size_t i = 0; i < 2; i++)
        CHECK_OK(nets_input(g, i, 2, 3 + i, &in[i], &err));
    double whole = eval_dot(g, in, 0, NULL);
    CHECK_NEAR(eval_dot(g, in, 1, NULL), whole, tol * fmax(fabs(whole), 1));
    sal_tensor_free(&in[0]);
    sal_tensor_free(&in[1]);
}

/* Without offsets nothing absorbs relevance: what goes in at the output arrives at the input. */
TEST(relevance_is_conserved)
{
    nets_opts o = {.dtype = SAL_F64, .batch = 2, .bias = false, .seed = 6};
    sal_graph *g = NULL;

    CHECK_OK(nets_cnn(&g, &o, &err));
    if (g != NULL)
        check_relevance(g, 1e-5);
    sal_graph_free(g);
}

/* In a network of rectifiers without offsets, relevance over input is the gradient. */
TEST(relevance_of_rectifiers)
{
    nets_opts o = {.dtype = SAL_F64, .batch = 2, .bias = false, .seed = 7};
    sal_rules rules = {.desc = sal_rules_find("lrp-epsilon"), .p = {.epsilon = 0}};
    sal_graph *g = NULL;
    sal_tensor in = SAL_TENSOR_INIT, out[2] = {SAL_TENSOR_INIT, SAL_TENSOR_INIT};

    CHECK_OK(nets_cnn(&g, &o, &err));
    if (g == NULL)
        return;
    sal_vid x = g->inputs[0], y = g->outputs[0];
    sal_vid plain = gradient(g, y, SAL_NONE, x, NULL);
    sal_vid all[] = {gradient(g, y, SAL_NONE, x, &rules), plain};
    set_outputs(g, 2, all);
    CHECK_OK(nets_input(g, 0, 2, 3, &in, &err));
    CHECK_OK(sal_graph_evaluate(g, &in, out, &err));
    CHECK_LE(nets_rel(&out[0], &out[1]), 1e-6);
    sal_tensor_free(&in);
    sal_tensor_free(&out[0]);
    sal_tensor_free(&out[1]);
    sal_graph_free(g);
}

/* Every allocation of the sweep may fail: a clean error, and nothing is lost. */
TEST(out_of_memory)
{
    static const char *const names[] = {"gradient", "lrp-epsilon"};
    nets_opts o = {.dtype = SAL_F32, .batch = 0, .bias = true, .seed = 8};

    for (int m = 0; m < 2; m++) {
        sal_status st = SAL_ENOMEM;
        long before = sal_test_live();

        for (long n = 0; st == SAL_ENOMEM && n < 100000; n += 7) {
            sal_bytes notes = {NULL, 0, 0};
            sal_rules rules = {
                .desc = sal_rules_find(names[m]), .p = {.epsilon = 1e-9}, .notes = &notes};
            sal_graph *g = NULL;
            sal_vid grad, none = SAL_NONE;

            CHECK_OK(nets_vit(&g, &o, 1, &err));
            if (g == NULL)
                return;
            sal_test_fail_after(n, true);
            st = sal_differentiate(g, 1, g->outputs, &none, 1, g->inputs, &rules, &grad, &err);
            sal_test_fail_after(-1, false);
            CHECK(st == SAL_OK || st == SAL_ENOMEM);
            sal_bytes_free(&notes);
            sal_graph_free(g);
            CHECK_EQ(sal_test_live(), before);
        }
        CHECK_EQ(st, SAL_OK);
    }
}

int main(int argc, char **argv)
{
    return harness_main(argc, argv,
                        TESTS(T(cnn_two_orders), T(cnn_two_orders_free_batch), T(vit_two_orders),
                              T(rectifiers), T(cut_points), T(no_path_is_zero), T(repeated_values),
                              T(integers_have_no_derivative), T(rectifier_rules),
                              T(relevance_is_conserved), T(relevance_of_rectifiers),
                              T(out_of_memory)));
}
