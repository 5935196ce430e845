/* Exported explanations: the graph gives what the method gives, also after a round trip through
 * ONNX. The files stay in the tests' folder for tests/python/export_ort_test.py. */
#include "exec/session.h"
#include "explain/explainer.h"
#include "explain/export.h"
#include "format/onnx_read.h"
#include "format/onnx_write.h"
#include "graph/passes/passes.h"
#include "harness.h"
#include "ops/core/evaluate.h"
#include "support/nets.h"

#include <errno.h>
#include <sys/stat.h>

static sal_error err;

static const float weights[] = {0.5F, -1, 0, 0.5F, 0, 0, 1, 0, 0, 0};

/* Run a graph with inputs [image, query]; the outputs are copied. */
static void run_graph(const sal_graph *g, const sal_tensor *in, sal_tensor *out)
{
    sal_bound bound[2] = {{.input = 0}, {.input = 1}};
    sal_fold how = SAL_FOLD_EXEC(sal_node_eval);
    sal_session_opts so = SAL_SESSION_OPTS_INIT;
    sal_session *s = NULL;
    sal_graph *fixed = NULL;

    for (int i = 0; i < 2; i++) {
        bound[i].rank = in[i].rank;
        memcpy(bound[i].dims, in[i].dims, sizeof(bound[i].dims));
    }
    so.threads = 1;
    CHECK_OK(sal_graph_bind(&fixed, g, 2, bound, &how, &err));
    if (fixed != NULL)
        CHECK_OK(sal_session_new(&s, fixed, &so, &err));
    if (s != NULL)
        CHECK_OK(sal_session_run(s, in, &err));
    for (size_t i = 0; i < 2; i++) {
        out[i] = (sal_tensor)SAL_TENSOR_INIT;
        if (s != NULL)
            CHECK_OK(sal_tensor_cast(&out[i], sal_session_output(s, i), SAL_F32, &err));
    }
    sal_session_free(s);
    sal_graph_free(fixed);
}

static bool is_standard(const sal_graph *g)
{
    for (size_t i = 0; i < g->n_nodes; i++) {
        const char *domain = g->nodes[i]->op->domain;

        if (domain != NULL && domain[0] != '\0')
            return false;
    }
    return true;
}

static void write_case(const char *net, const char *method, const sal_graph *g,
                       const sal_tensor *in, const sal_tensor *map)
{
    char path[512];
    const char *names[] = {"image", "query", "saliency"};
    const sal_tensor *tensors[] = {&in[0], &in[1], map};

    (void)snprintf(path, sizeof(path), SAL_TEST_TMP "/export");
    CHECK(mkdir(path, 0777) == 0 || errno == EEXIST);
    (void)snprintf(path, sizeof(path), SAL_TEST_TMP "/export/%s_%s", net, method);
    CHECK(mkdir(path, 0777) == 0 || errno == EEXIST);
    (void)snprintf(path, sizeof(path), SAL_TEST_TMP "/export/%s_%s/model.onnx", net, method);
    CHECK_OK(sal_onnx_write(g, path, &err));
    for (int i = 0; i < 3; i++) {
        (void)snprintf(path, sizeof(path), SAL_TEST_TMP "/export/%s_%s/%s.npy", net, method,
                       names[i]);
        CHECK_OK(sal_npy_write(tensors[i], path, &err));
    }
}

/* Explain two samples, with one question for both or one for each, and compare with the exported
 * graph. */
static void check_method(const char *net, const sal_graph *model, const sal_method_info *info,
                         int64_t rows)
{
    sal_explain_opts opts = SAL_EXPLAIN_OPTS_INIT;
    sal_param few[] = {{"samples", 4}, {"steps", 6}};
    int64_t dims[] = {rows, 5};
    sal_explainer *e = NULL;
    sal_explanation r = SAL_EXPLANATION_INIT;
    sal_graph *g = NULL, *again = NULL;
    sal_bytes file = {NULL, 0, 0};
    sal_tensor in[2] = {SAL_TENSOR_INIT, SAL_TENSOR_INIT}, out[2], back[2];

    CHECK_OK(sal_tensor_new(&in[1], SAL_F32, 2, dims, &err));
    memcpy(in[1].data, weights, (size_t)rows * 5 * sizeof(float));
    CHECK_OK(nets_input(model, 0, 2, 41, &in[0], &err));
    opts.method = info->name;
    opts.threads = 1;
    opts.params = strcmp(info->name, "smooth-grad") == 0 ? few : few + 1;
    opts.n_params =
        strcmp(info->name, "smooth-grad") == 0 || strcmp(info->name, "integrated-gradients") == 0;
    CHECK_OK(sal_export_graph(&g, model, &opts, NULL, &err));
    CHECK_OK(sal_explainer_new(&e, model, &opts, NULL, &err));
    if (g == NULL || e == NULL)
        goto done;
    CHECK_OK(sal_explainer_run(e, in, &in[1], &r, &err));
    CHECK(is_standard(g));
    CHECK_EQ(g->n_inputs, 2);
    CHECK_EQ(g->n_outputs, 2);
    CHECK_STR(sal_val(g, g->inputs[1])->name, "query");
    CHECK_STR(sal_val(g, g->outputs[0])->name, sal_val(model, model->outputs[0])->name);
    CHECK_STR(sal_val(g, g->outputs[1])->name, "saliency");
    CHECK(sal_val(g, g->inputs[0])->dims[0] < 0);
    run_graph(g, in, out);
    CHECK_MSG(nets_rel(&out[1], &r.map) <= 1e-4, "%s %s: %g", net, info->name,
              nets_rel(&out[1], &r.map));
    CHECK_OK(sal_onnx_write_memory(g, &file, &err));
    CHECK_OK(sal_onnx_read_memory(&again, file.data, file.len, "export", NULL, &err));
    if (again != NULL) {
        run_graph(again, in, back);
        CHECK_LE(nets_rel(&back[1], &out[1]), 1e-5);
        CHECK_LE(nets_rel(&back[0], &out[0]), 1e-5);
        sal_tensor_free(&back[0]);
        sal_tensor_free(&back[1]);
    }
    if (rows == 1)
        write_case(net, info->name, g, in, &r.map);
    sal_tensor_free(&out[0]);
    sal_tensor_free(&out[1]);
done:
    sal_bytes_free(&file);
    sal_explanation_free(&r);
    sal_explainer_free(e);
    sal_graph_free(g);
    sal_graph_free(again);
    sal_tensor_free(&in[0]);
    sal_tensor_free(&in[1]);
}

static void check_all(const char *net, const sal_graph *model)
{
    for (size_t m = 0; model != NULL && m < sal_method_count(); m++) {
        if (!sal_method_at(m)->exportable)
            continue;
        if (strcmp(net, "vit") == 0 && strcmp(sal_method_at(m)->name, "cam") == 0) {
            sal_explain_opts opts = SAL_EXPLAIN_OPTS_INIT;
            sal_graph *g = NULL;

            opts.method = "cam"; /* a class token is no average */
            CHECK_EQ(sal_export_graph(&g, model, &opts, NULL, &err), SAL_EUNSUPPORTED);
            CHECK(g == NULL);
            continue;
        }
        if (strcmp(net, "cnn") == 0 && strstr(sal_method_at(m)->name, "attention") != NULL)
            continue;
        check_method(net, model, sal_method_at(m), 1);
        check_method(net, model, sal_method_at(m), 2);
    }
}

TEST(cnn)
{
    nets_opts o = {.dtype = SAL_F32, .batch = 0, .bias = true, .softmax = true, .seed = 51};
    sal_graph *g = NULL;

    CHECK_OK(nets_cnn(&g, &o, &err));
    check_all("cnn", g);
    sal_graph_free(g);
}

TEST(transformer)
{
    nets_opts o = {.dtype = SAL_F32, .batch = 0, .bias = true, .seed = 52};
    sal_graph *g = NULL;

    CHECK_OK(nets_vit(&g, &o, 2, &err));
    check_all("vit", g);
    sal_graph_free(g);
}

/* Perturbation methods have no graph; unrolled ones need a free batch. Names that are taken are
 * worked around. */
TEST(refusals)
{
    nets_opts o = {.dtype = SAL_F32, .batch = 1, .bias = true, .seed = 53};
    sal_explain_opts opts = SAL_EXPLAIN_OPTS_INIT;
    sal_graph *g = NULL, *out = NULL;

    CHECK_OK(nets_cnn(&g, &o, &err));
    opts.method = "rise";
    CHECK_EQ(sal_export_graph(&out, g, &opts, NULL, &err), SAL_EUNSUPPORTED);
    CHECK(out == NULL);
    opts.method = "integrated-gradients";
    CHECK_EQ(sal_export_graph(&out, g, &opts, NULL, &err), SAL_EUNSUPPORTED);
    CHECK(strstr(err.msg, "first dimension") != NULL);
    opts.method = "grad-cam";
    CHECK_OK(sal_graph_rename(g, sal_graph_find(g, "stem"), "query", &err));
    CHECK_OK(sal_export_graph(&out, g, &opts, NULL, &err));
    if (out != NULL)
        CHECK_STR(sal_val(out, out->inputs[1])->name, "query");
    sal_graph_free(out);
    sal_graph_free(g);
}

/* Every allocation may fail while a method is prepared, run and exported. */
static void check_out_of_memory(const char *method, bool export)
{
    static const float why[] = {1, 0, 0, 0, 0};
    nets_opts o = {.dtype = SAL_F32, .batch = 0, .bias = true, .seed = 54};
    sal_param few = {"steps", 2};
    sal_explain_opts opts = SAL_EXPLAIN_OPTS_INIT;
    int64_t dims[] = {1, 5};
    sal_tensor x = SAL_TENSOR_INIT, q = SAL_TENSOR_INIT;
    sal_graph *model = NULL;
    sal_status st = SAL_ENOMEM;

    CHECK_OK(nets_cnn(&model, &o, &err));
    CHECK_OK(nets_input(model, 0, 1, 41, &x, &err));
    CHECK_OK(sal_tensor_new(&q, SAL_F32, 2, dims, &err));
    memcpy(q.data, why, sizeof(why));
    opts.method = method;
    opts.threads = 1;
    opts.params = &few;
    opts.n_params = strcmp(method, "integrated-gradients") == 0;
    long before = sal_test_live();
    for (long n = 0; st == SAL_ENOMEM && n < 100000; n += n < 100 ? 1 : 11) {
        sal_explainer *e = NULL;
        sal_graph *g = NULL;
        sal_explanation r = SAL_EXPLANATION_INIT;

        sal_test_fail_after(n, true);
        if (export) {
            st = sal_export_graph(&g, model, &opts, NULL, &err);
        } else {
            st = sal_explainer_new(&e, model, &opts, &x, &err);
            if (st == SAL_OK)
                st = sal_explainer_run(e, &x, &q, &r, &err);
        }
        sal_test_fail_after(-1, false);
        CHECK_MSG(st == SAL_OK || st == SAL_ENOMEM, "%s: allocation %ld: %s", method, n, err.msg);
        sal_explanation_free(&r);
        sal_explainer_free(e);
        sal_graph_free(g);
        CHECK_EQ(sal_test_live(), before);
    }
    CHECK_EQ(st, SAL_OK);
    sal_tensor_free(&x);
    sal_tensor_free(&q);
    sal_graph_free(model);
}

TEST(out_of_memory)
{
    check_out_of_memory("grad-cam", true);
    check_out_of_memory("integrated-gradients", true);
    check_out_of_memory("grad-cam", false);
    check_out_of_memory("integrated-gradients", false);
}

int main(int argc, char **argv)
{
    return harness_main(argc, argv, TESTS(T(cnn), T(transformer), T(refusals), T(out_of_memory)));
}
