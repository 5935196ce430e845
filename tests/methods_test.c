/* Explanation methods on small networks: identities that hold exactly, completeness, layers,
 * questions. */
#include "explain/explainer.h"
#include "explain/query.h"
#include "format/onnx_read.h"
#include "harness.h"
#include "support/nets.h"

#include <jansson.h>

static sal_error err;

static const float query_a[] = {1, 0, 0, 0, 0};
static const float query_b[] = {0, 0, 0, 1, 0};
static const float query_ab[] = {1, 0, 0, -1, 0};

static sal_tensor query_of(const float *w)
{
    static const int64_t dims[] = {1, 5};
    float *data = NULL;

    memcpy(&data, &w, sizeof(data));
    return sal_tensor_borrow(SAL_F32, 2, dims, data);
}

static sal_graph *cnn(bool bias, bool smooth, bool softmax, int64_t batch, uint64_t seed)
{
    nets_opts o = {.dtype = SAL_F32,
                   .batch = batch,
                   .bias = bias,
                   .smooth = smooth,
                   .softmax = softmax,
                   .seed = seed};
    sal_graph *g = NULL;

    CHECK_OK(nets_cnn(&g, &o, &err));
    return g;
}

/* Explain `n` random samples with one method. */
static void explain_with(const sal_graph *g, const sal_explain_opts *opts, const float *query,
                         int64_t n, sal_explanation *out)
{
    sal_explainer *e = NULL;
    sal_tensor in = SAL_TENSOR_INIT, q = query_of(query);

    *out = (sal_explanation)SAL_EXPLANATION_INIT;
    CHECK_OK(nets_input(g, 0, n, 21, &in, &err));
    CHECK_OK(sal_explainer_new(&e, g, opts, NULL, &err));
    if (e != NULL)
        CHECK_OK(sal_explainer_run(e, &in, &q, out, &err));
    sal_explainer_free(e);
    sal_tensor_free(&in);
}

static void explain(const sal_graph *g, const char *method, const float *query,
                    sal_explanation *out)
{
    sal_explain_opts opts = SAL_EXPLAIN_OPTS_INIT;

    opts.method = method;
    opts.threads = 1;
    explain_with(g, &opts, query, 2, out);
}

static double value_at(const sal_tensor *t, int64_t i)
{
    return t->data == NULL || i >= sal_tensor_count(t) ? (double)NAN : sal_tensor_get(t, i);
}

/* ---- CAMs ---- */

/* GAP and a linear layer behind the map: the gradient is the same at all positions, so Grad-CAM and
 * HiResCAM agree, and their map (before the rectifier) sums to T minus the offset. */
TEST(cam_identities)
{
    sal_graph *g = cnn(true, false, false, 0, 11);
    sal_explanation a, b;

    explain(g, "grad-cam", query_a, &a);
    explain(g, "hires-cam", query_a, &b);
    CHECK(a.layer != NULL && strstr(a.layer, "features float32[N,8,6,6]") != NULL);
    CHECK_EQ(a.map.rank, 3);
    CHECK_EQ(a.map.dims[0], 2);
    CHECK_EQ(a.map.dims[1], 12);
    CHECK_EQ(a.layer_map.dims[1], 6);
    CHECK_LE(nets_rel(&a.layer_map, &b.layer_map), 1e-5);
    CHECK_LE(nets_rel(&a.map, &b.map), 1e-5);
    CHECK(!a.is_signed);
    sal_explanation_free(&a);
    sal_explanation_free(&b);
    sal_graph_free(g);
}

/* The maps by hand from the features: weights u_k = W_ak / n for Grad-CAM, relu(u_k) for LayerCAM,
 * n relu(u_k) / (2 + S_k u_k) for Grad-CAM++ (up to its epsilon). */
TEST(cam_weights)
{
    sal_graph *g = cnn(true, false, false, 0, 12);
    const sal_tensor *w = sal_val(g, sal_graph_find(g, "head.weight"))->constant;
    sal_explain_opts opts = SAL_EXPLAIN_OPTS_INIT;
    sal_explainer *e = NULL;
    sal_tensor in = SAL_TENSOR_INIT, features = SAL_TENSOR_INIT;
    static const char *const names[] = {"grad-cam", "layer-cam", "grad-cam++"};

    opts.output = "features";
    opts.method = "occlusion";
    opts.threads = 1;
    CHECK_OK(nets_input(g, 0, 2, 21, &in, &err));
    CHECK_OK(sal_explainer_new(&e, g, &opts, NULL, &err));
    CHECK_OK(sal_explainer_logits(e, &in, &features, &err));
    CHECK_EQ(sal_tensor_count(&features), 2 * 8 * 36);
    for (int m = 0; m < 3 && features.data != NULL; m++) {
        sal_explanation x;
        double worst = 0, scale = 0;

        explain(g, names[m], query_a, &x);
        for (int64_t s = 0; s < 2; s++) {
            for (int64_t p = 0; p < 36; p++) {
                double sum = 0;

                for (int64_t k = 0; k < 8; k++) {
                    double u = sal_tensor_get(w, k) / 36, total = 0, weight = u;

                    for (int64_t i = 0; i < 36; i++)
                        total += sal_tensor_get(&features, (s * 8 + k) * 36 + i);
                    if (m == 1)
                        weight = fmax(u, 0);
                    if (m == 2)
                        weight = 36 * fmax(u, 0) * u * u / (2 * u * u + total * u * u * u + 1e-6);
                    sum += weight * sal_tensor_get(&features, (s * 8 + k) * 36 + p);
                }
                worst = fmax(worst, fabs(fmax(sum, 0) - value_at(&x.layer_map, s * 36 + p)));
                scale = fmax(scale, fabs(sum));
            }
        }
        CHECK_LE(worst, 1e-5 * scale);
        sal_explanation_free(&x);
    }
    sal_tensor_free(&features);
    sal_tensor_free(&in);
    sal_explainer_free(e);
    sal_graph_free(g);
}

TEST(layer_by_name)
{
    sal_graph *g = cnn(true, false, false, 0, 13);
    sal_explain_opts opts = SAL_EXPLAIN_OPTS_INIT;
    sal_explanation x;
    sal_explainer *e = NULL;

    opts.layer = "stem";
    opts.threads = 1;
    explain_with(g, &opts, query_a, 1, &x);
    CHECK(x.layer != NULL && strncmp(x.layer, "stem ", 5) == 0);
    CHECK_EQ(x.layer_map.dims[1], 12);
    sal_explanation_free(&x);
    opts.layer = "nowhere";
    CHECK_EQ(sal_explainer_new(&e, g, &opts, NULL, &err), SAL_EINVAL);
    CHECK(strstr(err.msg, "layer nowhere") != NULL);
    opts.layer = "logits";
    CHECK_EQ(sal_explainer_new(&e, g, &opts, NULL, &err), SAL_EINVAL);
    sal_graph_free(g);
}

/* Behind the last attention only the class token matters: the map is taken before it. */
TEST(layer_of_transformer)
{
    nets_opts o = {.dtype = SAL_F32, .batch = 0, .bias = true, .seed = 14};
    sal_graph *g = NULL;
    sal_explanation x;

    CHECK_OK(nets_vit(&g, &o, 2, &err));
    explain(g, "grad-cam", query_a, &x);
    CHECK(x.layer != NULL && strncmp(x.layer, "block1.norm1 ", 13) == 0);
    CHECK(x.layer != NULL && strstr(x.layer, "(1 + 3x3 tokens)") != NULL);
    CHECK_EQ(x.layer_map.dims[1], 3);
    CHECK_EQ(x.map.dims[1], 12);
    sal_explanation_free(&x);
    sal_graph_free(g);
}

/* ---- attributions ---- */

/* T(a - b) = T(a) - T(b), and so are the maps of the linear methods. */
TEST(contrast_is_linear)
{
    static const char *const names[] = {"gradient", "gradient-x-input", "integrated-gradients",
                                        "occlusion"};
    sal_graph *g = cnn(true, false, false, 0, 15);

    for (size_t m = 0; m < SAL_COUNTOF(names); m++) {
        sal_explanation a, b, ab;

        explain(g, names[m], query_a, &a);
        explain(g, names[m], query_b, &b);
        explain(g, names[m], query_ab, &ab);
        CHECK_EQ(a.map.rank, 4);
        for (int64_t i = 0;
             i < sal_tensor_count(&a.map) && b.map.data != NULL && ab.map.data != NULL; i++)
            sal_tensor_set(&a.map, i, sal_tensor_get(&a.map, i) - sal_tensor_get(&b.map, i));
        CHECK_LE(nets_rel(&a.map, &ab.map), 2e-4);
        CHECK(a.target != NULL && b.target != NULL && ab.target != NULL);
        if (a.target != NULL && b.target != NULL && ab.target != NULL)
            CHECK_NEAR(a.target[1] - b.target[1], ab.target[1], 1e-5);
        sal_explanation_free(&a);
        sal_explanation_free(&b);
        sal_explanation_free(&ab);
    }
    sal_graph_free(g);
}

static double ig_residual(const sal_graph *g, double steps, int batch)
{
    sal_explain_opts opts = SAL_EXPLAIN_OPTS_INIT;
    sal_param p = {"steps", steps};
    sal_explanation x;
    double r = (double)INFINITY;

    opts.method = "integrated-gradients";
    opts.params = &p;
    opts.n_params = 1;
    opts.threads = 1;
    opts.batch = batch;
    explain_with(g, &opts, query_a, 1, &x);
    if (x.residual != NULL && x.baseline_target != NULL)
        r = fabs(x.residual[0]) / fmax(fabs(x.target[0] - x.baseline_target[0]), 1e-3);
    sal_explanation_free(&x);
    return r;
}

TEST(completeness)
{
    sal_graph *g = cnn(true, true, false, 0, 16), *relu = cnn(true, false, false, 0, 17);

    /* Error of the midpoint rule on a smooth function: 1/steps^2. */
    double coarse = ig_residual(g, 2, 0), fine = ig_residual(g, 16, 0);
    CHECK_LE(fine, 1e-3);
    CHECK_LE(fine, coarse / 10 + 1e-5);
    CHECK_LE(ig_residual(relu, 200, 0), 1e-2);
    CHECK_NEAR(ig_residual(g, 7, 3), ig_residual(g, 7, 0), 1e-5);
    sal_graph_free(g);
    sal_graph_free(relu);
}

/* Methods of one pass that promise a sum: without offsets all of it arrives, whatever the rule. */
TEST(sums)
{
    static const struct {
        const char *method;
        bool bias, vit;
        double tol;
    } cases[] = {
        {"lrp-epsilon", false, false, 1e-3},  {"lrp-gamma", false, false, 1e-3},
        {"lrp-z-plus", false, false, 1e-3},   {"lrp-alpha-beta", false, false, 1e-2},
        {"epsilon-plus", false, false, 1e-3}, {"epsilon-plus-flat", false, false, 1e-3},
        {"deeplift", true, false, 1e-4},      {"deeplift", true, true, 1e-3},
        {"deeplift-shap", true, false, 1e-4}, {"deeplift-shap", true, true, 1e-3},
        {"deep-taylor", false, false, 1e-3},  {"epsilon-gamma-box", false, false, 1e-3},
    };

    for (size_t i = 0; i < SAL_COUNTOF(cases); i++) {
        nets_opts o = {.dtype = SAL_F32, .batch = 0, .bias = cases[i].bias, .seed = 31};
        sal_graph *g = NULL;
        sal_explanation x;

        if (cases[i].vit)
            CHECK_OK(nets_vit(&g, &o, 2, &err));
        else
            CHECK_OK(nets_cnn(&g, &o, &err));
        explain(g, cases[i].method, query_a, &x);
        CHECK(x.residual != NULL);
        for (size_t s = 0; s < 2 && x.residual != NULL; s++) {
            double whole = x.target[s] - (x.baseline_target == NULL ? 0 : x.baseline_target[s]);

            CHECK_MSG(fabs(x.residual[s]) <= cases[i].tol * fmax(fabs(whole), 0.05),
                      "%s%s: misses %g of %g", cases[i].method, cases[i].vit ? " (vit)" : "",
                      x.residual[s], whole);
        }
        sal_explanation_free(&x);
        sal_graph_free(g);
    }
}

TEST(smooth_grad)
{
    sal_graph *g = cnn(true, true, false, 0, 18);
    sal_explain_opts opts = SAL_EXPLAIN_OPTS_INIT;
    sal_param still[] = {{"samples", 3}, {"noise", 0}}, noisy[] = {{"samples", 5}, {"noise", 0.2}};
    sal_explanation plain, a, b;

    explain(g, "gradient", query_a, &plain);
    opts.method = "smooth-grad";
    opts.threads = 1;
    opts.params = still;
    opts.n_params = 2;
    explain_with(g, &opts, query_a, 2, &a);
    CHECK_LE(nets_rel(&a.map, &plain.map), 1e-5);
    sal_explanation_free(&a);
    opts.params = noisy;
    explain_with(g, &opts, query_a, 2, &a);
    explain_with(g, &opts, query_a, 2, &b);
    CHECK_EQ(nets_rel(&a.map, &b.map), 0);
    CHECK(nets_rel(&a.map, &plain.map) > 1e-4);
    sal_explanation_free(&b);
    opts.seed = 2;
    explain_with(g, &opts, query_a, 2, &b);
    CHECK(nets_rel(&a.map, &b.map) > 1e-4);
    sal_explanation_free(&plain);
    sal_explanation_free(&a);
    sal_explanation_free(&b);
    sal_graph_free(g);
}

/* A batch gives what its samples give alone, for every method. */
TEST(batches)
{
    nets_opts vit = {.dtype = SAL_F32, .batch = 0, .bias = true, .seed = 19};
    sal_graph *convolutions = cnn(true, false, false, 0, 19), *attention = NULL;

    sal_param few = {"masks", 20};

    CHECK_OK(nets_vit(&attention, &vit, 2, &err));

    for (size_t m = 0; m < sal_method_count(); m++) {
        sal_explain_opts opts = SAL_EXPLAIN_OPTS_INIT;
        sal_explainer *e = NULL;
        sal_explanation both = SAL_EXPLANATION_INIT, one = SAL_EXPLANATION_INIT;
        sal_tensor in = SAL_TENSOR_INIT, second, q = query_of(query_ab);
        static const int64_t dims[] = {1, 3, 12, 12};
        bool attends = strstr(sal_method_at(m)->name, "attention") != NULL;
        const sal_graph *g = attends ? attention : convolutions;

        opts.method = sal_method_at(m)->name;
        opts.threads = 1;
        opts.params = &few;
        opts.n_params = strcmp(opts.method, "rise") == 0;
        CHECK_OK(nets_input(g, 0, 2, 21, &in, &err));
        CHECK_OK(sal_explainer_new(&e, g, &opts, NULL, &err));
        if (e == NULL)
            continue;
        CHECK_OK(sal_explainer_run(e, &in, &q, &both, &err));
        second = sal_tensor_borrow(SAL_F32, 4, dims, (float *)in.data + 3 * 144);
        CHECK_OK(sal_explainer_run(e, &second, &q, &one, &err));
        int64_t n = sal_tensor_count(&one.map);
        double worst = 0, scale = 0;
        CHECK_EQ(sal_tensor_count(&both.map), 2 * n);
        for (int64_t i = 0; i < n && both.map.data != NULL; i++) {
            worst =
                fmax(worst, fabs(sal_tensor_get(&both.map, n + i) - sal_tensor_get(&one.map, i)));
            scale = fmax(scale, fabs(sal_tensor_get(&one.map, i)));
        }
        CHECK_MSG(worst <= 1e-4 * scale && scale > 0, "%s: %g of %g", opts.method, worst, scale);
        sal_explanation_free(&both);
        sal_explanation_free(&one);
        sal_tensor_free(&in);
        sal_explainer_free(e);
    }
    sal_graph_free(convolutions);
    sal_graph_free(attention);
}

/* The logits are differentiated, whether or not a softmax follows. */
TEST(softmax_is_seen_through)
{
    sal_graph *with = cnn(true, false, true, 0, 20), *without = cnn(true, false, false, 0, 20);
    sal_explanation a, b;

    explain(with, "gradient", query_a, &a);
    explain(without, "gradient", query_a, &b);
    CHECK_STR(a.output, "logits");
    CHECK_LE(nets_rel(&a.map, &b.map), 1e-6);
    sal_explanation_free(&a);
    sal_explain_opts opts = SAL_EXPLAIN_OPTS_INIT;
    opts.method = "gradient";
    opts.probabilities = true;
    opts.threads = 1;
    explain_with(with, &opts, query_a, 2, &a);
    CHECK_STR(a.output, "probs");
    CHECK(nets_rel(&a.map, &b.map) > 1e-3);
    sal_explanation_free(&a);
    sal_explanation_free(&b);
    sal_graph_free(with);
    sal_graph_free(without);
}

/* ---- golden maps of captum and pytorch-grad-cam (tests/oracle/make_methods.py) ---- */

/* ---- and of zennit (tests/oracle/make_rules.py) ---- */

static void golden_path(const char *folder, const char *name, char *path, size_t n)
{
    (void)snprintf(path, n, SAL_SOURCE_DIR "/tests/golden/%s/%s", folder, name);
}

static void golden_read(const char *folder, const char *name, sal_tensor *out)
{
    char path[512];

    golden_path(folder, name, path, sizeof(path));
    *out = (sal_tensor)SAL_TENSOR_INIT;
    CHECK_OK(sal_npy_read(out, path, &err));
}

/* The noise is the oracle's own: the mean gradient over x + noise. */
static void golden_smooth_grad(const sal_graph *g, const sal_tensor *x, const sal_tensor *q,
                               const char *folder, const char *noise, sal_tensor *out)
{
    sal_explain_opts opts = SAL_EXPLAIN_OPTS_INIT;
    sal_explainer *e = NULL;
    sal_tensor add, moved = SAL_TENSOR_INIT;
    int64_t n = sal_tensor_count(x);

    opts.method = "gradient";
    opts.threads = 1;
    golden_read(folder, noise, &add);
    CHECK_OK(sal_tensor_cast(&moved, x, SAL_F32, &err));
    CHECK_OK(sal_tensor_new(out, SAL_F32, x->rank, x->dims, &err));
    CHECK_OK(sal_explainer_new(&e, g, &opts, NULL, &err));
    int64_t samples = sal_tensor_count(&add) / n;
    for (int64_t s = 0; s < samples && e != NULL; s++) {
        sal_explanation one = SAL_EXPLANATION_INIT;

        for (int64_t i = 0; i < n; i++)
            sal_tensor_set(&moved, i, sal_tensor_get(x, i) + sal_tensor_get(&add, s * n + i));
        CHECK_OK(sal_explainer_run(e, &moved, q, &one, &err));
        for (int64_t i = 0; i < n; i++)
            sal_tensor_set(out, i,
                           sal_tensor_get(out, i) + value_at(&one.map, i) / (double)samples);
        sal_explanation_free(&one);
    }
    sal_explainer_free(e);
    sal_tensor_free(&add);
    sal_tensor_free(&moved);
}

static void golden_map(const sal_graph *g, const char *folder, const json_t *c, const sal_tensor *x,
                       const sal_tensor *q, sal_tensor *out)
{
    const json_t *given = json_object_get(c, "given");
    sal_tensor baselines = SAL_TENSOR_INIT;
    sal_explain_opts opts = SAL_EXPLAIN_OPTS_INIT;
    sal_param params[SAL_METHOD_MAX_PARAMS];
    sal_explainer *e = NULL;
    sal_explanation r = SAL_EXPLANATION_INIT;
    const char *key;
    json_t *value;
    const char *kind = json_string_value(json_object_get(c, "kind"));
    bool layer = strcmp(kind, "cam-layer") == 0 || strcmp(kind, "layer") == 0;

    opts.method = json_string_value(json_object_get(c, "method"));
    opts.threads = 1;
    json_object_foreach(json_object_get(c, "params"), key, value)
    {
        if (json_is_string(value))
            opts.layer = json_string_value(value);
        else
            params[opts.n_params++] = (sal_param){key, json_number_value(value)};
    }
    opts.params = params;
    if (given != NULL) {
        golden_read(folder, json_string_value(given), &baselines);
        opts.baselines = &baselines;
    }
    CHECK_OK(sal_explainer_new(&e, g, &opts, NULL, &err));
    if (e != NULL)
        CHECK_OK(sal_explainer_run(e, x, q, &r, &err));
    *out = sal_tensor_ref(layer ? &r.layer_map : &r.map);
    sal_explanation_free(&r);
    sal_explainer_free(e);
    sal_tensor_free(&baselines);
}

static void golden_folder(const char *folder)
{
    static const int64_t q_dims[] = {1, 5};
    json_error_t bad;
    char path[512];
    golden_path(folder, "meta.json", path, sizeof(path));
    json_t *meta = json_load_file(path, 0, &bad), *c;
    float weights[5] = {0};
    sal_tensor x, q = sal_tensor_borrow(SAL_F32, 2, q_dims, weights);
    sal_graph *g = NULL;
    size_t i;

    CHECK(meta != NULL);
    golden_path(folder, "model.onnx", path, sizeof(path));
    CHECK_OK(sal_onnx_read(&g, path, &err));
    golden_read(folder, "input.npy", &x);
    weights[json_integer_value(json_object_get(meta, "target"))] = 1;
    json_array_foreach(json_object_get(meta, "cases"), i, c)
    {
        const char *file = json_string_value(json_object_get(c, "file"));
        const json_t *noise = json_object_get(c, "noise"),
                     *absolute = json_object_get(c, "absolute");
        sal_tensor expected, got = SAL_TENSOR_INIT;

        golden_read(folder, file, &expected);
        if (noise != NULL)
            golden_smooth_grad(g, &x, &q, folder, json_string_value(noise), &got);
        else
            golden_map(g, folder, c, &x, &q, &got);
        double r = nets_pearson(&got, &expected), worst = 0;
        CHECK_MSG(r >= json_number_value(json_object_get(c, "pearson")), "%s: Pearson %.7f", file,
                  r);
        for (int64_t k = 0; k < sal_tensor_count(&expected); k++)
            worst = fmax(worst, fabs(value_at(&got, k) - sal_tensor_get(&expected, k)));
        if (absolute != NULL)
            CHECK_MSG(worst <= json_number_value(absolute), "%s: off by %g, may be %g", file, worst,
                      json_number_value(absolute));
        sal_tensor_free(&expected);
        sal_tensor_free(&got);
    }
    sal_graph_free(g);
    sal_tensor_free(&x);
    json_decref(meta);
}

TEST(goldens)
{
    golden_folder("methods");
}

TEST(goldens_of_rules)
{
    golden_folder("rules");
    golden_folder("transformer");
}

/* ---- perturbation ---- */

/* Class 0 reads patch A, class 1 patch B, both read patch C; class 2 reads nothing. */
static sal_graph *planted(void)
{
    static const int64_t one = 1, w_dims[] = {64, 3};
    sal_graph *g = NULL;
    sal_vid x;
    sal_tensor w = SAL_TENSOR_INIT;

    CHECK_OK(sal_graph_new(&g, "planted", &err));
    int64_t dims[] = {sal_dim_symbol(g, "N"), 1, 8, 8};
    CHECK_OK(sal_graph_input(g, "image", SAL_F32, 4, dims, &x, &err));
    CHECK_OK(sal_tensor_new(&w, SAL_F32, 2, w_dims, &err));
    for (int64_t i = 0; i < 2; i++) {
        for (int64_t k = 0; k < 2; k++) {
            sal_tensor_set(&w, (i * 8 + k) * 3, 1);               /* A: rows 0-1, columns 0-1 */
            sal_tensor_set(&w, ((i + 6) * 8 + k + 6) * 3 + 1, 1); /* B: rows 6-7, columns 6-7 */
            sal_tensor_set(&w, (i * 8 + k + 6) * 3, 1);           /* C: rows 0-1, columns 6-7 */
            sal_tensor_set(&w, (i * 8 + k + 6) * 3 + 1, 1);
        }
    }
    sal_builder b = SAL_BUILDER(g, &err, NULL);
    sal_attr axis = SAL_AI("axis", one);
    sal_vid y =
        sal_b2(&b, "MatMul", sal_b_op(&b, "Flatten", 1, &x, 1, &axis), sal_b_tensor(&b, &w));
    CHECK_OK(b.st);
    CHECK_OK(sal_graph_add_output(g, y, &err));
    sal_tensor_free(&w);
    return g;
}

TEST(planted_patches)
{
    static const char *const names[] = {"gradient-x-input", "integrated-gradients", "occlusion",
                                        "rise", "lrp-epsilon"};
    static const int64_t q_dims[] = {1, 3}, x_dims[] = {1, 1, 8, 8};
    float why[] = {1, 0, 0}, contrast[] = {1, -1, 0};
    sal_graph *g = planted();
    sal_tensor x = SAL_TENSOR_INIT;

    CHECK_OK(sal_tensor_new(&x, SAL_F32, 4, x_dims, &err));
    for (int64_t i = 0; i < 64; i++)
        sal_tensor_set(&x, i, 1);
    for (size_t m = 0; m < SAL_COUNTOF(names); m++) {
        bool rise = strcmp(names[m], "rise") == 0, occlusion = strcmp(names[m], "occlusion") == 0;
        sal_explain_opts opts = SAL_EXPLAIN_OPTS_INIT;
        sal_param p[] = {{rise ? "masks" : "window", rise ? 4000 : 2},
                         {rise ? "cells" : "stride", rise ? 4 : 1}};
        sal_explainer *e = NULL;

        opts.method = names[m];
        opts.threads = 1;
        opts.params = p;
        opts.n_params = rise || occlusion ? 2 : 0;
        CHECK_OK(sal_explainer_new(&e, g, &opts, NULL, &err));
        for (int k = 0; k < 2 && e != NULL; k++) {
            sal_explanation out = SAL_EXPLANATION_INIT;
            sal_tensor q = sal_tensor_borrow(SAL_F32, 2, q_dims, k == 0 ? why : contrast);

            CHECK_OK(sal_explainer_run(e, &x, &q, &out, &err));
            double a = value_at(&out.map, 0), b = value_at(&out.map, 63), c = value_at(&out.map, 7);
            if (k == 0)
                CHECK_MSG(a > b && c > b && (rise || fabs(a - c) < 1e-3), "%s: %g %g %g", names[m],
                          a, b, c);
            else
                CHECK_MSG(a > c && c > b, "%s: %g %g %g", names[m], a, c, b);
            sal_explanation_free(&out);
        }
        sal_explainer_free(e);
    }
    sal_tensor_free(&x);
    sal_graph_free(g);
}

/* Clipped windows at the edge, several windows over one element: against a direct computation. */
TEST(occlusion_windows)
{
    sal_graph *g = planted();
    static const int64_t q_dims[] = {1, 3};
    float why[] = {1, 0, 0};
    sal_param p[] = {{"window", 3}, {"stride", 2}, {"baseline", 0.5}};
    sal_explain_opts opts = SAL_EXPLAIN_OPTS_INIT;
    sal_explainer *e = NULL;
    sal_explanation out = SAL_EXPLANATION_INIT;
    sal_tensor x = SAL_TENSOR_INIT, q = sal_tensor_borrow(SAL_F32, 2, q_dims, why);
    const sal_tensor *w = sal_val(g, g->nodes[1]->in[1])->constant;

    opts.method = "occlusion";
    opts.params = p;
    opts.n_params = 3;
    opts.threads = 1;
    CHECK_OK(nets_input(g, 0, 1, 31, &x, &err));
    CHECK_OK(sal_explainer_new(&e, g, &opts, NULL, &err));
    CHECK_OK(sal_explainer_run(e, &x, &q, &out, &err));
    double sum[64] = {0}, covered[64] = {0};
    for (int64_t r = 0; r < 8 - 1; r += 2) {
        for (int64_t c = 0; c < 8 - 1; c += 2) {
            double loss = 0;

            for (int64_t i = 0; i < 9; i++) {
                int64_t u = r + i / 3, v = c + i % 3;

                if (u < 8 && v < 8)
                    loss +=
                        sal_tensor_get(w, (u * 8 + v) * 3) * (sal_tensor_get(&x, u * 8 + v) - 0.5);
            }
            for (int64_t i = 0; i < 9; i++) {
                int64_t u = r + i / 3, v = c + i % 3;

                if (u < 8 && v < 8) {
                    sum[u * 8 + v] += loss;
                    covered[u * 8 + v] += 1;
                }
            }
        }
    }
    for (int64_t i = 0; i < 64; i++)
        CHECK_NEAR(value_at(&out.map, i), sum[i] / covered[i], 1e-5);
    sal_explanation_free(&out);
    sal_tensor_free(&x);
    sal_explainer_free(e);
    sal_graph_free(g);
}

/* Logits without a batch: windows still cover all channels. The model adds up both. */
TEST(occlusion_without_batch)
{
    static const int64_t dims[] = {1, 2, 8, 8}, w_dims[] = {128, 3}, classes = 3, one = 1;
    float why[] = {1, 0, 0};
    sal_graph *g = NULL;
    sal_vid x;
    sal_tensor w = SAL_TENSOR_INIT, in = SAL_TENSOR_INIT,
               q = sal_tensor_borrow(SAL_F32, 1, &classes, why);
    sal_explain_opts opts = SAL_EXPLAIN_OPTS_INIT;
    sal_explainer *e = NULL;
    sal_explanation out = SAL_EXPLANATION_INIT;

    CHECK_OK(sal_graph_new(&g, "unbatched", &err));
    CHECK_OK(sal_graph_input(g, "image", SAL_F32, 4, dims, &x, &err));
    CHECK_OK(sal_tensor_new(&w, SAL_F32, 2, w_dims, &err));
    for (int64_t i = 0; i < 128; i++)
        sal_tensor_set(&w, i * 3, 1);
    sal_builder b = SAL_BUILDER(g, &err, NULL);
    sal_attr axis = SAL_AI("axis", one);
    sal_vid y =
        sal_b2(&b, "MatMul", sal_b_op(&b, "Flatten", 1, &x, 1, &axis), sal_b_tensor(&b, &w));
    y = sal_b_reshape(&b, y, 1, &classes, y);
    CHECK_OK(b.st);
    CHECK_OK(sal_graph_add_output(g, y, &err));
    CHECK_OK(nets_input(g, 0, 1, 17, &in, &err));
    sal_param p[] = {{"window", 1}};
    opts.method = "occlusion";
    opts.params = p;
    opts.n_params = 1;
    opts.threads = 1;
    CHECK_OK(sal_explainer_new(&e, g, &opts, NULL, &err));
    CHECK_OK(sal_explainer_run(e, &in, &q, &out, &err));
    for (int64_t i = 0; i < 64; i++) {
        double sum = value_at(&in, i) + value_at(&in, 64 + i);

        CHECK_NEAR(value_at(&out.map, i), sum, 1e-4);
        CHECK_NEAR(value_at(&out.map, 64 + i), sum, 1e-4);
    }
    sal_explanation_free(&out);
    sal_explainer_free(e);
    sal_tensor_free(&in);
    sal_tensor_free(&w);
    sal_graph_free(g);
}

/* ---- parameters, cancelling ---- */

TEST(parameters_are_checked)
{
    sal_graph *g = cnn(true, false, false, 0, 22);
    sal_explain_opts opts = SAL_EXPLAIN_OPTS_INIT;
    sal_explainer *e = NULL;
    sal_param p = {"steps", 2.5};

    opts.method = "no-such";
    CHECK_EQ(sal_explainer_new(&e, g, &opts, NULL, &err), SAL_EINVAL);
    CHECK(strstr(err.msg, "unknown method no-such") != NULL);
    opts.method = "integrated-gradients";
    opts.params = &p;
    opts.n_params = 1;
    CHECK_EQ(sal_explainer_new(&e, g, &opts, NULL, &err), SAL_EINVAL);
    p.value = 0;
    CHECK_EQ(sal_explainer_new(&e, g, &opts, NULL, &err), SAL_EINVAL);
    p.name = "masks";
    CHECK_EQ(sal_explainer_new(&e, g, &opts, NULL, &err), SAL_EINVAL);
    CHECK(e == NULL);
    sal_graph_free(g);
}

static bool stop_at_half(void *ctx, double done)
{
    *(double *)ctx = done;
    return done < 0.5;
}

TEST(cancelling)
{
    sal_graph *g = cnn(true, false, false, 0, 23);
    sal_explain_opts opts = SAL_EXPLAIN_OPTS_INIT;
    sal_explainer *e = NULL;
    sal_explanation out;
    double last = 0;
    sal_tensor in = SAL_TENSOR_INIT, q = query_of(query_a);

    opts.method = "integrated-gradients";
    opts.threads = 1;
    opts.progress = stop_at_half;
    opts.progress_ctx = &last;
    CHECK_OK(nets_input(g, 0, 1, 21, &in, &err));
    CHECK_OK(sal_explainer_new(&e, g, &opts, NULL, &err));
    if (e != NULL)
        CHECK_EQ(sal_explainer_run(e, &in, &q, &out, &err), SAL_ECANCELLED);
    CHECK(last >= 0.5 && last < 1);
    CHECK(out.map.data == NULL && out.target == NULL);
    sal_explainer_free(e);
    sal_tensor_free(&in);
    sal_graph_free(g);
}

/* ---- questions ---- */

static sal_labels *pets(void)
{
    static const char text[] = "tabby cat\nsamoyed dog\nbeagle dog\ncar\ncup\n";
    sal_labels *l = NULL;

    CHECK_OK(sal_labels_read_memory(&l, text, sizeof(text) - 1, "pets", &err));
    return l;
}

TEST(questions)
{
    sal_labels *labels = pets();
    static const char *const dog[] = {"dog"}, *const cat[] = {"cat"}, *const pair[] = {"3", "4"};
    static const char *const second[] = {"top2"}, *const far[] = {"9"}, *const bird[] = {"bird"};
    static const int64_t dims[] = {2, 5}, classes = 5;
    float z[] = {1, 2, 3, 0, 0, 0, 5, 4, 9, 0};
    sal_tensor logits = sal_tensor_borrow(SAL_F32, 2, dims, z);
    sal_query q;

    CHECK(sal_query_needs_logits(&(sal_question){dog, 1, cat, 1, NULL}, labels));
    CHECK(!sal_query_needs_logits(&(sal_question){cat, 1, pair, 2, NULL}, labels));
    CHECK(sal_query_needs_logits(&(sal_question){NULL, 0, cat, 1, NULL}, labels));
    /* Several classes are dogs: of the first sample it is 2, of the second 1. */
    CHECK_OK(sal_query_resolve(&q, &(sal_question){dog, 1, cat, 1, NULL}, 1, &classes, &logits,
                               labels, &err));
    CHECK_EQ(q.rows, 2);
    CHECK_EQ(q.why[0], 2);
    CHECK_EQ(q.why[1], 1);
    CHECK_STR(q.text.data, "why 2 beagle dog, not 0 tabby cat");
    CHECK(q.notes.data != NULL && strstr(q.notes.data, "dog fits 2 classes") != NULL);
    CHECK_EQ(sal_tensor_get(&q.weights, 0), -1);
    CHECK_EQ(sal_tensor_get(&q.weights, 2), 1);
    CHECK_EQ(sal_tensor_get(&q.weights, 6), 1);
    sal_query_free(&q);
    /* Foils are averaged. */
    CHECK_OK(sal_query_resolve(&q, &(sal_question){cat, 1, pair, 2, NULL}, 1, &classes, NULL,
                               labels, &err));
    CHECK_EQ(q.rows, 1);
    CHECK_EQ(sal_tensor_get(&q.weights, 3), -0.5);
    sal_query_free(&q);
    CHECK_OK(sal_query_resolve(&q, &(sal_question){NULL, 0, second, 1, NULL}, 1, &classes, &logits,
                               NULL, &err));
    CHECK_EQ(q.why[0], 2);
    CHECK_EQ(q.foil[0], 1);
    CHECK_EQ(q.why[1], 3);
    CHECK_EQ(q.foil[1], 1);
    sal_query_free(&q);
    CHECK_EQ(sal_query_resolve(&q, &(sal_question){far, 1, NULL, 0, NULL}, 1, &classes, NULL, NULL,
                               &err),
             SAL_EINVAL);
    sal_query_free(&q);
    CHECK_EQ(sal_query_resolve(&q, &(sal_question){bird, 1, NULL, 0, NULL}, 1, &classes, NULL,
                               labels, &err),
             SAL_EINVAL);
    sal_query_free(&q);
    CHECK_EQ(sal_query_resolve(&q, &(sal_question){cat, 1, cat, 1, NULL}, 1, &classes, NULL, labels,
                               &err),
             SAL_EINVAL);
    sal_query_free(&q);
    sal_labels_free(labels);
}

TEST(questions_about_elements)
{
    static const char *const one[] = {"mask[1,2,0]"}, *const wrong[] = {"1,9,0"};
    static const int64_t dims[] = {2, 3, 4};
    sal_query q;

    CHECK_OK(
        sal_query_resolve(&q, &(sal_question){one, 1, NULL, 0, NULL}, 3, dims, NULL, NULL, &err));
    CHECK_EQ(q.why[0], 12 + 8);
    sal_query_free(&q);
    CHECK_EQ(
        sal_query_resolve(&q, &(sal_question){wrong, 1, NULL, 0, NULL}, 3, dims, NULL, NULL, &err),
        SAL_EINVAL);
    sal_query_free(&q);
}

/* A set of elements weighs each by its share; a region cuts it. */
TEST(questions_about_sets)
{
    static const char *const range[] = {"mask[1,0:2,2]"}, *const all[] = {"sum(mask[0])"},
                             *const class_1[] = {"1"}, *const wrong[] = {"mask[1,2:5,0]"},
                             *const odd[] = {"mask[1,a]"}, *const many[] = {"mask[0,0,0,0]"};
    static const int64_t dims[] = {2, 3, 4}, shape[] = {1, 2, 3, 4}, region_dims[] = {3, 4};
    uint8_t inside[12] = {0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1};
    float values[24] = {0};
    sal_tensor region = sal_tensor_borrow(SAL_U8, 2, region_dims, inside);
    sal_tensor logits = sal_tensor_borrow(SAL_F32, 4, shape, values);
    sal_query q;

    CHECK_OK(
        sal_query_resolve(&q, &(sal_question){range, 1, NULL, 0, NULL}, 3, dims, NULL, NULL, &err));
    for (int64_t k = 0; k < 24; k++)
        CHECK_EQ(sal_tensor_get(&q.weights, k), k == 14 || k == 18 ? 0.5 : 0);
    CHECK_EQ(q.why[0], 14);
    CHECK_STR(q.text.data, "why mask[1,0:2,2]");
    sal_query_free(&q);
    CHECK_OK(sal_query_resolve(&q, &(sal_question){all, 1, class_1, 1, NULL}, 3, dims, NULL, NULL,
                               &err));
    for (int64_t k = 0; k < 24; k++)
        CHECK_EQ(sal_tensor_get(&q.weights, k), k == 1 ? 0 : k < 12 ? 1 : 0);
    sal_query_free(&q);
    CHECK_OK(sal_query_resolve(&q, &(sal_question){class_1, 1, NULL, 0, &region}, 3, dims, NULL,
                               NULL, &err));
    for (int64_t k = 0; k < 24; k++)
        CHECK_NEAR(sal_tensor_get(&q.weights, k), k > 11 && inside[k - 12] != 0 ? 1.0 / 3 : 0,
                   1e-7);
    sal_query_free(&q);
    values[12 + 5] = 3; /* class 1 is larger in the region, class 0 elsewhere */
    values[0] = 9;
    CHECK_OK(sal_query_resolve(&q, &(sal_question){NULL, 0, NULL, 0, &region}, 3, dims, &logits,
                               NULL, &err));
    CHECK_EQ(q.why[0], 1);
    sal_query_free(&q);
    CHECK_EQ(
        sal_query_resolve(&q, &(sal_question){wrong, 1, NULL, 0, NULL}, 3, dims, NULL, NULL, &err),
        SAL_EINVAL);
    sal_query_free(&q);
    CHECK_EQ(
        sal_query_resolve(&q, &(sal_question){odd, 1, NULL, 0, NULL}, 3, dims, NULL, NULL, &err),
        SAL_EINVAL);
    sal_query_free(&q);
    CHECK_EQ(
        sal_query_resolve(&q, &(sal_question){many, 1, NULL, 0, NULL}, 3, dims, NULL, NULL, &err),
        SAL_EINVAL);
    sal_query_free(&q);
    memset(inside, 0, sizeof(inside));
    CHECK_EQ(sal_query_resolve(&q, &(sal_question){class_1, 1, NULL, 0, &region}, 3, dims, NULL,
                               NULL, &err),
             SAL_EINVAL);
    sal_query_free(&q);
}

int main(int argc, char **argv)
{
    return harness_main(
        argc, argv,
        TESTS(T(cam_identities), T(cam_weights), T(layer_by_name), T(layer_of_transformer),
              T(contrast_is_linear), T(completeness), T(sums), T(smooth_grad), T(batches),
              T(softmax_is_seen_through), T(goldens), T(goldens_of_rules), T(planted_patches),
              T(occlusion_windows), T(occlusion_without_batch), T(parameters_are_checked),
              T(cancelling), T(questions), T(questions_about_elements), T(questions_about_sets)));
}
