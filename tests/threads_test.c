/* One model shared by threads, each with a runner and explanation plans of its own: the same bytes
 * as one thread alone gets, with a model that keeps its weights and with a lean one. */
#define _POSIX_C_SOURCE 200809L
#include "harness.h"

#include "base/base.h"

#include <pthread.h>
#include <salience/salience.h>

#define MODEL SAL_SOURCE_DIR "/tests/golden/methods/model.onnx"

enum { THREADS = 8, METHODS = 5, ROUNDS = 2 };

static const char *const methods[METHODS] = {"gradient", "grad-cam", "integrated-gradients",
                                             "occlusion", "lime"};

static sal_error err;

/* What one thread finds out. */
typedef struct threads_result {
    sal_tensor output;       /* of the runner */
    sal_tensor map[METHODS]; /* of the methods */
} threads_result;

typedef struct threads_job {
    const sal_model *model;
    const sal_tensor *input;
    const threads_result *want; /* NULL: the first, whose results are kept */
    threads_result got;
    int first; /* the method it begins with: all are at work at once */
    int wrong;
    sal_status st;
    sal_error err;
} threads_job;

static bool threads_same(const sal_tensor *a, const sal_tensor *b)
{
    return a != NULL && a->data != NULL && b->data != NULL &&
           sal_tensor_bytes(a) == sal_tensor_bytes(b) &&
           memcmp(a->data, b->data, sal_tensor_bytes(a)) == 0;
}

static sal_status threads_run(threads_job *job)
{
    sal_runner_opts o = SAL_RUNNER_OPTS_INIT;
    sal_runner *r = NULL;

    o.threads = 1;
    sal_status st = sal_runner_new(&r, job->model, &o, &job->err);
    for (int k = 0; k < ROUNDS && st == SAL_OK; k++) {
        st = sal_runner_run(r, job->input, NULL, &job->err);
        if (st == SAL_OK && job->want != NULL)
            job->wrong += !threads_same(sal_runner_output(r, 0), &job->want->output);
    }
    if (st == SAL_OK && job->want == NULL)
        st = sal_tensor_cast(&job->got.output, sal_runner_output(r, 0), SAL_F32, &job->err);
    sal_runner_free(r);
    return st;
}

static sal_status threads_explain(threads_job *job, int method)
{
    static const char *const why[] = {"top"}, *const foil[] = {"top2"};
    static const sal_param few[] = {{"samples", 40}, {"steps", 4}};
    const sal_question q = {.why = why, .n_why = 1, .not_ = foil, .n_not = 1};
    sal_explain_opts o = SAL_EXPLAIN_OPTS_INIT;
    sal_explain_plan *p = NULL;
    sal_asked asked = SAL_ASKED_INIT;

    o.method = methods[method];
    o.threads = 1;
    o.seed = 3;
    o.params = method == 4 ? &few[0] : &few[1];
    o.n_params = method == 4 || method == 2;
    sal_status st = sal_explain_plan_new(&p, job->model, &o, NULL, &job->err);
    if (st == SAL_OK)
        st = sal_explain_plan_ask(p, job->input, &q, NULL, NULL, &asked, &job->err);
    for (int k = 0; k < ROUNDS && st == SAL_OK; k++) {
        sal_explanation e = SAL_EXPLANATION_INIT;
        st = sal_explain_plan_run(p, job->input, &asked.weights, &e, &job->err);
        if (st == SAL_OK && job->want != NULL)
            job->wrong += !threads_same(&e.map, &job->want->map[method]);
        else if (st == SAL_OK && k == 0)
            st = sal_tensor_cast(&job->got.map[method], &e.map, SAL_F32, &job->err);
        sal_explanation_free(&e);
    }
    sal_asked_free(&asked);
    sal_explain_plan_free(p);
    return st;
}

static void *threads_main(void *arg)
{
    threads_job *job = arg;

    job->st = threads_run(job);
    for (int k = 0; k < METHODS && job->st == SAL_OK; k++)
        job->st = threads_explain(job, (job->first + k) % METHODS);
    return NULL;
}

static void threads_share(bool lean)
{
    static const int64_t dims[] = {1, 3, 32, 32};
    sal_tensor input = SAL_TENSOR_INIT;
    sal_model *m = NULL, *other = NULL;
    pthread_t id[THREADS];
    threads_job alone, job[THREADS];
    bool started[THREADS] = {false};
    sal_rng rng = sal_rng_seed(harness.seed, 3);

    memset(&alone, 0, sizeof alone);
    CHECK_OK(sal_tensor_new(&input, SAL_F32, 4, dims, &err));
    for (int64_t i = 0; i < sal_tensor_count(&input); i++)
        ((float *)input.data)[i] = (float)sal_rng_normal(&rng);
    CHECK_OK(sal_model_open(&other, MODEL, &err));
    CHECK_OK(lean ? sal_model_open_lean(&m, MODEL, &err) : sal_model_open(&m, MODEL, &err));
    alone.model = other;
    alone.input = &input;
    (void)threads_main(&alone);
    CHECK_MSG(alone.st == SAL_OK, "%s", alone.err.msg);
    for (int i = 0; i < THREADS && harness.failures == 0; i++) {
        memset(&job[i], 0, sizeof job[i]);
        job[i].model = m;
        job[i].input = &input;
        job[i].want = &alone.got;
        job[i].first = i;
        started[i] = pthread_create(&id[i], NULL, threads_main, &job[i]) == 0;
        CHECK(started[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        if (!started[i])
            continue;
        CHECK_EQ(pthread_join(id[i], NULL), 0);
        CHECK_MSG(job[i].st == SAL_OK, "thread %d: %s", i, job[i].err.msg);
        CHECK_EQ(job[i].wrong, 0);
    }
    sal_model_free(m);
    sal_model_free(other);
    sal_tensor_free(&input);
    sal_tensor_free(&alone.got.output);
    for (int k = 0; k < METHODS; k++)
        sal_tensor_free(&alone.got.map[k]);
}

TEST(model_shared)
{
    threads_share(false);
}

TEST(lean_model_shared)
{
    threads_share(true);
}

int main(int argc, char **argv)
{
    return harness_main(argc, argv, TESTS(T(model_shared), T(lean_model_shared)));
}
