/* Methods that remove features: superpixels against scikit-image, the axioms of Shapley values, the
 * caller's features. */
#include "explain/explainer.h"
#include "explain/slic.h"
#include "explain/surrogate.h"
#include "harness.h"
#include "support/nets.h"

static sal_error err;

/* ---- superpixels ---- */

static double pairs(double n)
{
    return n * (n - 1) / 2;
}

/* Adjusted Rand index of two partitions of n elements: 1 for equal ones, 0 for chance. */
static double rand_index(const int32_t *a, size_t na, const int32_t *b, size_t nb, size_t n)
{
    double *both = sal_calloc(na * nb, sizeof(*both)), *rows = sal_calloc(na, sizeof(*rows));
    double *columns = sal_calloc(nb, sizeof(*columns)), same = 0, left = 0, right = 0;

    for (size_t i = 0; i < n; i++) {
        both[(size_t)a[i] * nb + (size_t)b[i]]++;
        rows[a[i]]++;
        columns[b[i]]++;
    }
    for (size_t i = 0; i < na * nb; i++)
        same += pairs(both[i]);
    for (size_t i = 0; i < na; i++)
        left += pairs(rows[i]);
    for (size_t i = 0; i < nb; i++)
        right += pairs(columns[i]);
    double chance = left * right / pairs((double)n);
    sal_free(both);
    sal_free(rows);
    sal_free(columns);
    return (same - chance) / ((left + right) / 2 - chance);
}

/* Elements of label l that can be reached from the first of them. */
static size_t reached(const int32_t *labels, int64_t h, int64_t w, int32_t l)
{
    static const int64_t dy[] = {0, 0, -1, 1}, dx[] = {-1, 1, 0, 0};
    uint8_t *seen = sal_calloc((size_t)(h * w), 1);
    int64_t *stack = sal_calloc((size_t)(h * w), sizeof(*stack)), top = 0;
    size_t n = 0;

    for (int64_t p = 0; p < h * w && top == 0; p++) {
        if (labels[p] == l) {
            stack[top++] = p;
            seen[p] = 1;
        }
    }
    while (top > 0) {
        int64_t p = stack[--top];

        n++;
        for (int k = 0; k < 4; k++) {
            int64_t y = p / w + dy[k], x = p % w + dx[k], q = y * w + x;

            if (y < 0 || y >= h || x < 0 || x >= w || seen[q] || labels[q] != l)
                continue;
            seen[q] = 1;
            stack[top++] = q;
        }
    }
    sal_free(seen);
    sal_free(stack);
    return n;
}

TEST(superpixels)
{
    sal_tensor pixels = SAL_TENSOR_INIT, theirs = SAL_TENSOR_INIT;
    sal_slic_opts opts = SAL_SLIC_OPTS_INIT;
    size_t count = 0, expected = 0, size[256] = {0};

    CHECK_OK(sal_npy_read(&pixels, SAL_SOURCE_DIR "/tests/golden/slic/pixels.npy", &err));
    CHECK_OK(sal_npy_read(&theirs, SAL_SOURCE_DIR "/tests/golden/slic/labels.npy", &err));
    int64_t h = pixels.dims[1], w = pixels.dims[2];
    size_t n = (size_t)(h * w);
    int32_t *labels = sal_calloc(n, sizeof(*labels));
    opts.segments = 40;
    CHECK_OK(sal_slic(pixels.data, 3, h, w, &opts, labels, &count, &err));
    for (size_t i = 0; i < n; i++) {
        expected = SAL_MAX(expected, (size_t)((const int32_t *)theirs.data)[i] + 1);
        CHECK(labels[i] >= 0 && (size_t)labels[i] < count);
        size[labels[i]]++;
    }
    CHECK_MSG(count + 5 >= expected && count <= expected + 5, "%zu segments, expected %zu", count,
              expected);
    for (size_t l = 0; l < count; l++)
        CHECK_EQ(reached(labels, h, w, (int32_t)l), size[l]);
    double r = rand_index(labels, count, theirs.data, expected, n);
    CHECK_MSG(r >= 0.9, "adjusted Rand index %.3f", r);
    sal_free(labels);
    sal_tensor_free(&pixels);
    sal_tensor_free(&theirs);
}

/* ---- linear models ---- */

TEST(surrogates)
{
    static const double truth[] = {2, -1, 0, 0.5};
    sal_surrogate s;
    double b[4];

    CHECK_OK(sal_surrogate_new(&s, 4, &err));
    for (int i = 0; i < 16; i++) {
        uint8_t z[4];
        double y = 3;

        for (int k = 0; k < 4; k++) {
            z[k] = (uint8_t)(i >> k & 1);
            y += truth[k] * z[k];
        }
        sal_surrogate_add(&s, z, y, 1 + i);
    }
    CHECK_OK(sal_surrogate_fit(&s, 0, 0, b, &err));
    for (int k = 0; k < 4; k++)
        CHECK_NEAR(b[k], truth[k], 1e-9);
    CHECK_OK(sal_surrogate_fit(&s, 0, 1e-9, b, &err));
    for (int k = 0; k < 4; k++)
        CHECK_NEAR(b[k], truth[k], 1e-6);
    CHECK_OK(sal_surrogate_fit(&s, 0, 100, b, &err));
    for (int k = 0; k < 4; k++)
        CHECK_EQ(b[k], 0);
    CHECK_OK(sal_surrogate_fit_sum(&s, 7, b, &err));
    CHECK_NEAR(b[0] + b[1] + b[2] + b[3], 7, 1e-9);
    sal_surrogate_free(&s);
}

/* ---- methods ---- */

/* T = sum w x: the value of a feature is what it adds. */
static sal_graph *linear(sal_tensor *w)
{
    static const int64_t w_dims[] = {48, 1};
    sal_graph *g = NULL;
    sal_vid x;

    CHECK_OK(sal_graph_new(&g, "linear", &err));
    int64_t dims[] = {sal_dim_symbol(g, "N"), 3, 4, 4};
    CHECK_OK(sal_graph_input(g, "image", SAL_F32, 4, dims, &x, &err));
    CHECK_OK(nets_uniform(w, SAL_F32, 2, w_dims, -1, 1, 41, &err));
    sal_builder b = SAL_BUILDER(g, &err, NULL);
    sal_vid y = sal_b2(&b, "MatMul", sal_b1(&b, "Flatten", x), sal_b_tensor(&b, w));
    CHECK_OK(b.st);
    CHECK_OK(sal_graph_add_output(g, y, &err));
    return g;
}

static void run(const sal_graph *g, const sal_explain_opts *opts, const sal_tensor *x,
                const float *query, int64_t classes, sal_explanation *out)
{
    const int64_t q_dims[] = {1, classes};
    float weights[8];
    sal_explainer *e = NULL;

    *out = (sal_explanation)SAL_EXPLANATION_INIT;
    memcpy(weights, query, (size_t)classes * sizeof(*weights));
    sal_tensor q = sal_tensor_borrow(SAL_F32, 2, q_dims, weights);
    CHECK_OK(sal_explainer_new(&e, g, opts, NULL, &err));
    if (e != NULL)
        CHECK_OK(sal_explainer_run(e, x, &q, out, &err));
    sal_explainer_free(e);
}

/* On a linear model all four methods give each feature what it adds to the target. LIME needs no
 * penalty for that. */
TEST(linear_models_are_exact)
{
    static const char *const names[] = {"feature-ablation", "shapley-value-sampling", "kernel-shap",
                                        "lime"};
    static const float one[] = {1};
    sal_tensor w = SAL_TENSOR_INIT, x = SAL_TENSOR_INIT;
    sal_graph *g = linear(&w);

    CHECK_OK(nets_input(g, 0, 1, 42, &x, &err));
    for (size_t m = 0; m < SAL_COUNTOF(names); m++) {
        sal_param p[] = {{"grid", 2}, {"baseline", 0.25}, {"segments", 0}, {"ridge", 0}};
        sal_explain_opts opts = SAL_EXPLAIN_OPTS_INIT;
        sal_explanation out;

        opts.method = names[m];
        opts.params = p;
        opts.n_params = strcmp(names[m], "lime") == 0 ? 4 : 3;
        opts.threads = 1;
        run(g, &opts, &x, one, 1, &out);
        for (int64_t f = 0; f < 4 && out.map.data != NULL; f++) {
            int64_t row = f / 2 * 2, column = f % 2 * 2;
            double adds = 0;

            for (int64_t i = 0; i < 12; i++) {
                int64_t k = (i / 4 * 4 + row + i % 4 / 2) * 4 + column + i % 2;

                adds += sal_tensor_get(&w, k) * (sal_tensor_get(&x, k) - 0.25);
            }
            double got = sal_tensor_get(&out.map, row * 4 + column);
            CHECK_MSG(fabs(got - adds) <= 1e-5, "%s: %g, expected %g", names[m], got, adds);
        }
        sal_explanation_free(&out);
    }
    sal_tensor_free(&w);
    sal_tensor_free(&x);
    sal_graph_free(g);
}

/* The features' values sum to T(x) - T(baseline), however few the samples. */
TEST(efficiency)
{
    static const char *const names[] = {"shapley-value-sampling", "kernel-shap"};
    static const float query[] = {1, 0, 0, -1, 0};
    nets_opts o = {.dtype = SAL_F32, .batch = 0, .bias = true, .seed = 43};
    sal_graph *g = NULL;
    sal_tensor x = SAL_TENSOR_INIT, zero = SAL_TENSOR_INIT;

    CHECK_OK(nets_cnn(&g, &o, &err));
    CHECK_OK(nets_input(g, 0, 1, 44, &x, &err));
    CHECK_OK(sal_tensor_new(&zero, SAL_F32, x.rank, x.dims, &err));
    for (size_t m = 0; m < SAL_COUNTOF(names); m++) {
        sal_param p[] = {{"grid", 4}, {"samples", 30}};
        sal_explain_opts opts = SAL_EXPLAIN_OPTS_INIT;
        sal_explanation out, none;
        double sum = 0;

        opts.method = names[m];
        opts.params = p;
        opts.n_params = 2;
        opts.threads = 1;
        run(g, &opts, &x, query, 5, &out);
        run(g, &opts, &zero, query, 5, &none);
        for (int64_t f = 0; f < 16 && out.map.data != NULL; f++)
            sum += sal_tensor_get(&out.map, f / 4 * 36 + f % 4 * 3);
        if (out.target != NULL && none.target != NULL)
            CHECK_NEAR(sum, out.target[0] - none.target[0], 1e-5);
        sal_explanation_free(&out);
        sal_explanation_free(&none);
    }
    sal_tensor_free(&x);
    sal_tensor_free(&zero);
    sal_graph_free(g);
}

TEST(given_features)
{
    static const int64_t dims[] = {4, 4}, wrong_dims[] = {5, 4};
    static const float one[] = {1};
    int32_t labels[20] = {7, 7, 0, 0, 7, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3};
    sal_tensor w = SAL_TENSOR_INIT, x = SAL_TENSOR_INIT;
    sal_tensor mask = sal_tensor_borrow(SAL_I32, 2, dims, labels);
    sal_tensor wrong = sal_tensor_borrow(SAL_I32, 2, wrong_dims, labels);
    sal_graph *g = linear(&w);
    sal_explain_opts opts = SAL_EXPLAIN_OPTS_INIT;
    sal_explanation out;
    static const int64_t q_dims[] = {1, 1};
    float weight = 1;
    sal_tensor q = sal_tensor_borrow(SAL_F32, 2, q_dims, &weight);
    sal_explainer *e = NULL;
    double adds = 0;

    CHECK_OK(nets_input(g, 0, 1, 42, &x, &err));
    opts.method = "feature-ablation";
    opts.features = &mask;
    opts.threads = 1;
    run(g, &opts, &x, one, 1, &out);
    for (int64_t c = 0; c < 3; c++) {
        for (int64_t k = 0; k < 4; k++) {
            int64_t at = (c * 4 + k / 2) * 4 + k % 2;

            adds += sal_tensor_get(&w, at) * sal_tensor_get(&x, at);
        }
    }
    CHECK(out.map.data != NULL);
    if (out.map.data != NULL)
        CHECK_NEAR(sal_tensor_get(&out.map, 5), adds, 1e-5);
    sal_explanation_free(&out);
    opts.features = &wrong;
    CHECK_OK(sal_explainer_new(&e, g, &opts, NULL, &err));
    CHECK_EQ(sal_explainer_run(e, &x, &q, &out, &err), SAL_ESHAPE);
    sal_explainer_free(e);
    labels[2] = -1;
    opts.features = &mask;
    CHECK_OK(sal_explainer_new(&e, g, &opts, NULL, &err));
    CHECK_EQ(sal_explainer_run(e, &x, &q, &out, &err), SAL_EINVAL);
    sal_explainer_free(e);
    sal_tensor_free(&w);
    sal_tensor_free(&x);
    sal_graph_free(g);
}

int main(int argc, char **argv)
{
    return harness_main(argc, argv,
                        TESTS(T(superpixels), T(surrogates), T(linear_models_are_exact),
                              T(efficiency), T(given_features)));
}
