/* salience bench: how long a model, its gradient or a method takes. */
#include "cli.h"

#include <sys/resource.h>

int verb_bench(const cli_args *a);

typedef struct bench_job {
    const cli_args *a;
    sal_model *model;
    cli_inputs in;
    cli_method_opts methods;
    const char *method; /* NULL: the model itself */
    sal_runner *runner;
    sal_explain_plan *plan;
    sal_asked asked;
    sal_explanation last;
    sal_dtype precision;
    int threads;
    int64_t repeat; /* 0: chosen */
    double *ms;
    size_t n;
    sal_run_stats stats;
    cli_notes notes;
} bench_job;

static sal_status bench_once(bench_job *j, sal_error *err)
{
    if (j->method == NULL)
        return sal_runner_run(j->runner, j->in.tensors, NULL, err);
    sal_explanation_free(&j->last);
    return sal_explain_plan_run(j->plan, j->in.tensors, &j->asked.weights, &j->last, err);
}

/* Prepare, and run once: planning is no part of the times. */
static sal_status bench_prepare(bench_job *j, sal_error *err)
{
    sal_runner_opts ro = SAL_RUNNER_OPTS_INIT;
    sal_param params[CLI_MAX_PARAMS];
    sal_question top = {NULL, 0, NULL, 0, NULL};
    sal_status st;

    if (j->method == NULL) {
        ro.threads = j->threads;
        ro.precision = j->precision;
        st = sal_runner_new(&j->runner, j->model, &ro, err);
        return st == SAL_OK ? bench_once(j, err) : st;
    }
    sal_explain_opts o = cli_explain_opts(&j->methods, 0, j->a, params);
    o.threads = j->threads;
    o.precision = j->precision;
    st = sal_explain_plan_new(&j->plan, j->model, &o, j->in.tensors, err);
    if (st == SAL_OK)
        st = sal_explain_plan_ask(j->plan, j->in.tensors, &top, NULL, NULL, &j->asked, err);
    return st == SAL_OK ? bench_once(j, err) : st;
}

static int bench_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static sal_status bench_time(bench_job *j, sal_error *err)
{
    enum { MOST = 100000 };
    double began = cli_seconds();
    size_t cap = 0;
    sal_status st = SAL_OK;

    /* A second warm-up: the first run touched fresh memory. */
    st = bench_once(j, err);
    began = cli_seconds();
    while (st == SAL_OK && j->n < MOST) {
        double now = cli_seconds();
        bool enough = j->repeat > 0 ? j->n >= (size_t)j->repeat
                                    : (j->n >= 5 && (now - began > 3.0 || j->n >= 100));

        if (enough)
            break;
        if (j->n == cap) {
            double *bigger = realloc(j->ms, (cap = cap * 2 + 64) * sizeof(*bigger));

            if (bigger == NULL)
                return SAL_ENOMEM;
            j->ms = bigger;
        }
        st = bench_once(j, err);
        j->ms[j->n++] = (cli_seconds() - now) * 1e3;
    }
    if (st == SAL_OK && j->n > 0)
        qsort(j->ms, j->n, sizeof(*j->ms), bench_compare);
    return st;
}

/* ---- profile ---- */

typedef struct bench_step {
    double ms;
    const char *text;
    int length;
} bench_step;

static int bench_slower(const void *a, const void *b)
{
    double x = ((const bench_step *)a)->ms, y = ((const bench_step *)b)->ms;

    return x > y ? -1 : x < y;
}

static void bench_lines(bench_step *steps, size_t n, const char *text)
{
    for (size_t i = 0; i < n && *text != '\0'; i++) {
        const char *end = strchr(text, '\n');

        steps[i].text = text;
        steps[i].length = (int)(end == NULL ? strlen(text) : (size_t)(end - text));
        text += steps[i].length + (end == NULL ? 0 : 1);
    }
}

/* The best time of every step over a few runs, the slowest first. */
static int bench_profile(bench_job *j)
{
    enum { RUNS = 5 };
    size_t n = j->stats.steps;
    double *ms = calloc(n + 1, sizeof(*ms)), all = 0.0;
    bench_step *steps = calloc(n + 1, sizeof(*steps));
    sal_error err = {SAL_OK, 0, ""};
    char *text = NULL;
    sal_status st = ms == NULL || steps == NULL ? SAL_ENOMEM : SAL_OK;

    for (int k = 0; st == SAL_OK && k < RUNS; k++) {
        st = j->method == NULL
                 ? sal_runner_profile(j->runner, j->in.tensors, NULL, ms, &err)
                 : sal_explain_plan_profile(j->plan, j->in.tensors, &j->asked.weights, ms, &err);
        for (size_t i = 0; st == SAL_OK && i < n; i++)
            steps[i].ms = k == 0 || ms[i] < steps[i].ms ? ms[i] : steps[i].ms;
    }
    if (st == SAL_OK)
        st = j->method == NULL ? sal_runner_describe(j->runner, &text, &err)
                               : sal_explain_plan_describe(j->plan, &text, &err);
    if (st == SAL_OK) {
        bench_lines(steps, n, text);
        for (size_t i = 0; i < n; i++)
            all += steps[i].ms;
        qsort(steps, n, sizeof(*steps), bench_slower);
        for (size_t i = 0; i < n; i++)
            printf("%9.3f ms %5.1f %%  %.*s\n", steps[i].ms, 100.0 * steps[i].ms / all,
                   steps[i].length, steps[i].text);
    }
    sal_text_free(text);
    free(ms);
    free(steps);
    return st == SAL_OK ? CLI_OK : cli_fail(sal_model_path(j->model), st, &err);
}

/* ---- telling ---- */

static int bench_tell(const bench_job *j)
{
    struct rusage use;
    const sal_tensor *first = &j->in.tensors[0];
    double median = j->n == 0 ? 0.0 : (j->ms[(j->n - 1) / 2] + j->ms[j->n / 2]) / 2;

    (void)getrusage(RUSAGE_SELF, &use);
    if (!cli_has(j->a, OPT_json))
        printf("%s, %s: median %.2f ms, minimum %.2f ms of %zu runs; %zu steps, %zu on reference "
               "code; peak memory %.0f MB (activations %.0f, prepared weights %.0f)\n",
               sal_model_path(j->model), j->method == NULL ? "forward" : j->method, median,
               j->ms[0], j->n, j->stats.steps, j->stats.reference_steps,
               (double)use.ru_maxrss / 1024.0, (double)j->stats.arena_bytes / 1048576.0,
               (double)j->stats.weight_bytes / 1048576.0);
    printf("{\"median_ms\": %.4f, \"min_ms\": %.4f, \"peak_rss_mb\": %.1f, \"arena_mb\": %.1f, "
           "\"weights_mb\": %.1f, \"scratch_mb\": %.1f, \"reference_nodes\": %zu, "
           "\"steps\": %zu, \"runs\": %zu, \"batch\": %lld, \"threads\": %d, \"dtype\": \"%s\", "
           "\"what\": \"%s\"}\n",
           median, j->ms[0], (double)use.ru_maxrss / 1024.0,
           (double)j->stats.arena_bytes / 1048576.0, (double)j->stats.weight_bytes / 1048576.0,
           (double)j->stats.scratch_bytes / 1048576.0, j->stats.reference_steps, j->stats.steps,
           j->n, (long long)(first->rank > 0 ? first->dims[0] : 1),
           j->threads > 0 ? j->threads : sal_threads(), j->precision == SAL_BF16 ? "bf16" : "f32",
           j->method == NULL ? "forward" : j->method);
    return CLI_OK;
}

/* The last map, so that what was timed can be compared with what others compute. */
static int bench_write(const bench_job *j)
{
    static const cli_option_id options[] = {OPT_raw, OPT_raw_layer};
    const sal_tensor *maps[] = {&j->last.map, &j->last.layer_map};
    sal_error err = {SAL_OK, 0, ""};

    for (size_t i = 0; i < 2; i++) {
        const char *path = cli_value(j->a, options[i]);

        if (path == NULL)
            continue;
        if (maps[i]->data == NULL)
            return cli_fail_text("--raw-layer: %s works on no layer", j->method);
        sal_status st = sal_npy_write(maps[i], path, &err);
        if (st != SAL_OK)
            return cli_fail(NULL, st, &err);
    }
    return CLI_OK;
}

static int bench_options(bench_job *j)
{
    const cli_args *a = j->a;

    if (!cli_dtype(a, &j->precision) || !cli_threads(a, &j->threads) ||
        !cli_int(a, OPT_repeat, 1, 100000, &j->repeat) || !cli_methods(&j->methods, a))
        return CLI_USAGE;
    if (cli_has(a, OPT_grad) && cli_has(a, OPT_method))
        return cli_usage(a, "--grad is --method gradient; give one");
    if (j->methods.n != 1)
        return cli_usage(a, "one method at a time");
    if (cli_has(a, OPT_grad)) {
        j->methods.names[0] = "gradient";
        j->methods.layers[0] = NULL;
    }
    if (cli_has(a, OPT_grad) || cli_has(a, OPT_method))
        j->method = j->methods.names[0];
    if (j->method == NULL && (cli_has(a, OPT_raw) || cli_has(a, OPT_raw_layer)))
        return cli_usage(a, "a map needs --method");
    if (cli_has(a, OPT_in) && (cli_has(a, OPT_shape) || cli_has(a, OPT_batch)))
        return cli_usage(a, "the files of --in have their own shape, without --shape and --batch");
    return CLI_OK;
}

static bool bench_inputs(bench_job *j, int *status)
{
    sal_tensor *shapes = NULL;
    bool made;

    if (cli_has(j->a, OPT_in))
        return cli_inputs_read(&j->in, j->a, j->model, NULL, 0, &j->notes, status);
    made = cli_shapes(&shapes, j->a, j->model, status) &&
           cli_inputs_made(&j->in, j->model, shapes, status);
    free(shapes);
    return made;
}

static int bench_run(bench_job *j)
{
    sal_error err = {SAL_OK, 0, ""};
    int status = CLI_FAILED;
    sal_status st;

    j->model = cli_open_lean(j->a->positional[0], &status);
    if (j->model == NULL)
        return status;
    if (!bench_inputs(j, &status))
        return status;
    st = bench_prepare(j, &err);
    if (st == SAL_OK)
        st = bench_time(j, &err);
    if (st != SAL_OK)
        return cli_fail(sal_model_path(j->model), st, &err);
    if (j->method == NULL)
        sal_runner_stats(j->runner, &j->stats);
    else
        sal_explain_plan_stats(j->plan, &j->stats);
    status = cli_has(j->a, OPT_profile) ? bench_profile(j) : CLI_OK;
    if (status == CLI_OK)
        status = bench_write(j);
    cli_notes_flush(&j->notes, j->a);
    return status == CLI_OK ? bench_tell(j) : status;
}

int verb_bench(const cli_args *a)
{
    bench_job j = {.a = a, .last = SAL_EXPLANATION_INIT, .asked = SAL_ASKED_INIT};
    int status = bench_options(&j);

    if (status == CLI_OK)
        status = bench_run(&j);
    sal_explanation_free(&j.last);
    sal_asked_free(&j.asked);
    sal_explain_plan_free(j.plan);
    sal_runner_free(j.runner);
    cli_inputs_free(&j.in);
    sal_model_free(j.model);
    free(j.ms);
    return status;
}
