/* A lean model gives the same bytes as one that keeps its weights, for every size asked for in
 * turn, and notices when the file it reads again has changed. */
#include "base/base.h"
#include "harness.h"

#include <salience/salience.h>
#include <stdio.h>
#include <unistd.h>

#define MODEL SAL_SOURCE_DIR "/tests/golden/methods/model.onnx"
#define COPY  SAL_TEST_TMP "/lean.onnx"

static sal_error err;

/* Two different samples. */
static void make_input(sal_tensor *out)
{
    static const int64_t dims[] = {2, 3, 32, 32};
    CHECK_OK(sal_tensor_new(out, SAL_F32, 4, dims, &err));
    sal_rng r = sal_rng_seed(5, 0);
    for (int64_t i = 0; out->data != NULL && i < sal_tensor_count(out); i++)
        ((float *)out->data)[i] = (float)sal_rng_normal(&r);
}

static sal_tensor samples(const sal_tensor *all, int64_t n)
{
    sal_tensor t = *all;
    t.buffer = NULL;
    t.dims[0] = n;
    return t;
}

static void copy_model(void)
{
    sal_file f;
    CHECK_OK(sal_file_open(&f, MODEL, &err));
    CHECK_OK(sal_file_write(COPY, f.data, f.size, &err));
    sal_file_close(&f);
}

static bool same(const sal_tensor *a, const sal_tensor *b)
{
    return a->data != NULL && b->data != NULL && sal_tensor_bytes(a) == sal_tensor_bytes(b) &&
           memcmp(a->data, b->data, sal_tensor_bytes(a)) == 0;
}

static void check_runner(const sal_model *lean, const sal_model *whole, const sal_tensor *all)
{
    sal_runner_opts o = SAL_RUNNER_OPTS_INIT;
    sal_runner *a = NULL, *b = NULL;
    o.threads = 1;
    CHECK_OK(sal_runner_new(&a, lean, &o, &err));
    CHECK_OK(sal_runner_new(&b, whole, &o, &err));
    for (int64_t n = 2; n >= 1 && a != NULL && b != NULL; n--) {
        sal_tensor in = samples(all, n);
        CHECK_OK(sal_runner_run(a, &in, NULL, &err));
        CHECK_OK(sal_runner_run(b, &in, NULL, &err));
        CHECK(same(sal_runner_output(a, 0), sal_runner_output(b, 0)));
    }
    sal_runner_free(a);
    sal_runner_free(b);
}

static void check_method(const sal_model *lean, const sal_model *whole, const sal_tensor *all,
                         const char *method)
{
    static const char *const why[] = {"top"};
    const sal_question q = {.why = why, .n_why = 1};
    sal_explain_opts o = SAL_EXPLAIN_OPTS_INIT;
    sal_explain_plan *a = NULL, *b = NULL;
    sal_asked asked = SAL_ASKED_INIT;
    o.method = method;
    o.threads = 1;
    CHECK_OK(sal_explain_plan_new(&a, lean, &o, NULL, &err));
    CHECK_OK(sal_explain_plan_new(&b, whole, &o, NULL, &err));
    for (int64_t n = 2; n >= 1 && a != NULL && b != NULL; n--) {
        sal_tensor in = samples(all, n);
        sal_explanation x = SAL_EXPLANATION_INIT, y = SAL_EXPLANATION_INIT;
        CHECK_OK(sal_explain_plan_ask(a, &in, &q, NULL, NULL, &asked, &err));
        CHECK_OK(sal_explain_plan_run(a, &in, &asked.weights, &x, &err));
        CHECK_OK(sal_explain_plan_run(b, &in, &asked.weights, &y, &err));
        CHECK_MSG(same(&x.map, &y.map) && same(&x.logits, &y.logits), "%s, %d samples", method,
                  (int)n);
        sal_explanation_free(&x);
        sal_explanation_free(&y);
        sal_asked_free(&asked);
    }
    sal_explain_plan_free(a);
    sal_explain_plan_free(b);
}

TEST(same_as_with_weights)
{
    sal_model *lean = NULL, *whole = NULL;
    sal_model_stats s, t;
    sal_tensor in = SAL_TENSOR_INIT;
    CHECK_OK(sal_model_open_lean(&lean, MODEL, &err));
    CHECK_OK(sal_model_open(&whole, MODEL, &err));
    make_input(&in);
    check_runner(lean, whole, &in);
    for (const char *const *m = (const char *const[]){"gradient", "grad-cam", "lrp-epsilon", "rise",
                                                      "integrated-gradients", NULL};
         *m != NULL; m++)
        check_method(lean, whole, &in, *m);
    CHECK_OK(sal_model_get_stats(lean, NULL, &s, &err));
    CHECK_OK(sal_model_get_stats(whole, NULL, &t, &err));
    CHECK_EQ(s.parameter_bytes, t.parameter_bytes);
    CHECK_EQ(s.macs, t.macs);
    sal_model_free(lean);
    sal_model_free(whole);
    sal_tensor_free(&in);
}

/* The first plan needs no file; the second reads it again. */
TEST(the_file_may_not_change)
{
    sal_model *m = NULL;
    sal_runner_opts o = SAL_RUNNER_OPTS_INIT;
    sal_runner *r = NULL;
    sal_tensor in = SAL_TENSOR_INIT;
    o.threads = 1;
    copy_model();
    make_input(&in);
    CHECK_OK(sal_model_open_lean(&m, COPY, &err));
    CHECK_OK(sal_runner_new(&r, m, &o, &err));
    copy_model();
    sal_tensor one = samples(&in, 1), two = samples(&in, 2);
    CHECK_OK(sal_runner_run(r, &one, NULL, &err));
    CHECK_EQ(sal_runner_run(r, &two, NULL, &err), SAL_EIO);
    CHECK_MSG(strstr(err.msg, "changed") != NULL, "%s", err.msg);
    CHECK_OK(sal_runner_run(r, &one, NULL, &err)); /* its plan is there */
    (void)unlink(COPY);
    CHECK_EQ(sal_runner_run(r, &two, NULL, &err), SAL_EIO);
    CHECK_MSG(strstr(err.msg, "gone") != NULL, "%s", err.msg);
    sal_runner_free(r);
    sal_model_free(m);
    CHECK_EQ(sal_model_open_lean(&m, COPY, &err), SAL_EIO);
    CHECK(m == NULL);
    sal_tensor_free(&in);
}

int main(int argc, char **argv)
{
    return harness_main(argc, argv, TESTS(T(same_as_with_weights), T(the_file_may_not_change)));
}
