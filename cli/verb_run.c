/* salience run, salience grad: tensors in, tensors out. */
#define _POSIX_C_SOURCE 200809L
#include "cli.h"

#include <errno.h>

int verb_run(const cli_args *a);
int verb_grad(const cli_args *a);

typedef struct run_job {
    const cli_args *a;
    sal_model *model;
    cli_inputs in;
    cli_notes notes;
    sal_runner *runner;
    sal_tensor seed;
    cli_text json;
} run_job;

static void run_json(cli_text *t, const char *name, const char *path, const sal_tensor *x)
{
    json_open(t, NULL, '{');
    json_string(t, "name", name);
    json_string(t, "file", path);
    json_string(t, "dtype", sal_dtype_name(x->dtype));
    json_open(t, "shape", '[');
    for (int i = 0; i < x->rank; i++)
        json_int(t, NULL, x->dims[i]);
    json_close(t, ']');
    json_close(t, '}');
}

static int run_write(run_job *j, const char *prefix, const char *name, const sal_tensor *x)
{
    char path[CLI_PATH];
    sal_error err = {SAL_OK, 0, ""};
    sal_status st;

    (void)cli_npy_path(cli_value(j->a, OPT_out), prefix, name, path, sizeof(path));
    st = sal_npy_write(x, path, &err);
    if (st != SAL_OK)
        return cli_fail(path, st, &err);
    if (cli_has(j->a, OPT_json)) {
        run_json(&j->json, name, path, x);
        return CLI_OK;
    }
    printf("%s  %s[", path, sal_dtype_name(x->dtype));
    for (int i = 0; i < x->rank; i++)
        printf("%s%lld", i > 0 ? "," : "", (long long)x->dims[i]);
    printf("]\n");
    return CLI_OK;
}

static int run_folder(const cli_args *a)
{
    const char *out = cli_value(a, OPT_out);

    if (!cli_make_folder(out))
        return cli_fail_text("%s: the folder cannot be made: %s", out, strerror(errno));
    return CLI_OK;
}

/* Order of names as they stand in file names. */
static int run_compare(const void *a, const void *b)
{
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;

    for (;; x++, y++) {
        char c = *x == '/' || *x == ':' ? '_' : *x, d = *y == '/' || *y == ':' ? '_' : *y;

        if (c != d)
            return c < d ? -1 : 1;
        if (c == '\0')
            return 0;
    }
}

/* Values whose names differ only in what a file name cannot hold would overwrite each other. Sorts
 * the names. */
static int run_collide(const run_job *j, const char **names, size_t n)
{
    char path[CLI_PATH];

    qsort((void *)names, n, sizeof(*names), run_compare);
    for (size_t i = 1; i < n; i++)
        if (run_compare(&names[i - 1], &names[i]) == 0 && strcmp(names[i - 1], names[i]) != 0)
            return cli_fail_text(
                "%s: %s and %s would both be written to %s; rename one of them",
                sal_model_path(j->model), names[i - 1], names[i],
                cli_npy_path(cli_value(j->a, OPT_out), "", names[i], path, sizeof(path)));
    return CLI_OK;
}

static int run_outputs_collide(const run_job *j)
{
    const char **names;
    sal_value_info v;
    size_t n = 0;
    int status;

    while (sal_model_output(j->model, n, &v))
        n++;
    names = calloc(n + 1, sizeof(*names));
    if (names == NULL)
        return cli_fail_text("%s: out of memory", sal_model_path(j->model));
    for (size_t i = 0; sal_model_output(j->model, i, &v); i++)
        names[i] = v.name;
    status = run_collide(j, names, n);
    free((void *)names);
    return status;
}

/* Options that run and grad share; false (told why). */
static bool run_options(const cli_args *a, sal_runner_opts *o)
{
    *o = (sal_runner_opts)SAL_RUNNER_OPTS_INIT;
    if (!cli_has(a, OPT_out))
        return cli_usage(a, "where to? --out DIR"), false;
    return cli_dtype(a, &o->precision) && cli_threads(a, &o->threads);
}

static int run_begin(run_job *j, const sal_runner_opts *o, int status)
{
    sal_error err = {SAL_OK, 0, ""};
    const char *path = sal_model_path(j->model);
    sal_status st = sal_runner_new(&j->runner, j->model, o, &err);

    (void)status;
    if (st == SAL_OK)
        st = sal_runner_run(j->runner, j->in.tensors, j->seed.data == NULL ? NULL : &j->seed, &err);
    if (st != SAL_OK)
        return cli_fail(path, st, &err);
    cli_notes_flush(&j->notes, j->a);
    return run_folder(j->a);
}

static void run_free(run_job *j)
{
    sal_runner_free(j->runner);
    sal_tensor_free(&j->seed);
    cli_inputs_free(&j->in);
    sal_model_free(j->model);
    free(j->notes.text);
    cli_text_free(&j->json);
}

/* ---- run ---- */

int verb_run(const cli_args *a)
{
    run_job j = {.a = a, .seed = SAL_TENSOR_INIT};
    sal_runner_opts o;
    sal_value_info v;
    int status = CLI_FAILED;

    if (!run_options(a, &o))
        return CLI_USAGE;
    j.model = cli_open_lean(a->positional[0], &status);
    if (j.model != NULL && (status = run_outputs_collide(&j)) == CLI_OK &&
        cli_inputs_read(&j.in, a, j.model, NULL, 0, &j.notes, &status))
        status = run_begin(&j, &o, status);
    else if (status == CLI_OK)
        status = CLI_FAILED;
    json_open(&j.json, NULL, '[');
    for (size_t i = 0; j.runner != NULL && status == CLI_OK && sal_model_output(j.model, i, &v);
         i++)
        status = run_write(&j, "", v.name, sal_runner_output(j.runner, i));
    json_close(&j.json, ']');
    if (status == CLI_OK && cli_has(a, OPT_json))
        status = json_print(&j.json);
    run_free(&j);
    return status;
}

/* ---- grad ---- */

static bool grad_name(const run_job *j, const char *option, const char *name)
{
    const char *like;
    sal_value_info v;

    if (sal_model_value(j->model, name, &v))
        return true;
    like = sal_model_similar(j->model, name);
    if (like != NULL)
        (void)cli_usage(j->a, "%s %s: the model has no such value; did you mean %s?", option, name,
                        like);
    else
        (void)cli_usage(j->a,
                        "%s %s: the model has no such value; `salience inspect --graph` shows "
                        "all",
                        option, name);
    return false;
}

static bool grad_names(const run_job *j, sal_runner_opts *o)
{
    const char *rules = cli_value(j->a, OPT_rules), *names[32];
    sal_rule_info r;
    size_t n = 0;

    o->of = cli_value(j->a, OPT_of);
    o->wrt = j->a->values[OPT_wrt];
    o->n_wrt = j->a->n_values[OPT_wrt];
    o->rules = rules;
    if (!grad_name(j, "--of", o->of))
        return false;
    for (size_t i = 0; i < o->n_wrt; i++) {
        if (!grad_name(j, "--wrt", o->wrt[i]))
            return false;
    }
    for (size_t i = 0; rules != NULL && sal_rule_at(i, &r) && n < 32; i++) {
        if (strcmp(r.name, rules) == 0)
            return true;
        names[n++] = r.name;
    }
    if (rules == NULL)
        return true;
    const char *like = cli_similar(rules, names, n);
    (void)cli_usage(j->a, "unknown rule set %s%s%s%s", rules, like == NULL ? "" : "; did you mean ",
                    like == NULL ? "" : like, like == NULL ? "" : "?");
    return false;
}

static bool grad_seed(run_job *j, int *status)
{
    const char *path = cli_value(j->a, OPT_seed);
    sal_error err = {SAL_OK, 0, ""};
    sal_tensor t = SAL_TENSOR_INIT;
    sal_value_info v;
    sal_status st;

    if (path == NULL)
        return true;
    st = sal_npy_read(&t, path, &err);
    if (st == SAL_OK && sal_model_value(j->model, cli_value(j->a, OPT_of), &v)) {
        if (!cli_shape_fits(&t, &v, path, status)) {
            sal_tensor_free(&t);
            return false;
        }
        st = sal_tensor_cast(&j->seed, &t, v.dtype, &err);
    }
    sal_tensor_free(&t);
    if (st != SAL_OK)
        *status = cli_fail(path, st, &err);
    return st == SAL_OK;
}

static int grad_collide(const run_job *j, const sal_runner_opts *o)
{
    const char **names = calloc(o->n_wrt + 1, sizeof(*names));
    int status;

    if (names == NULL)
        return cli_fail_text("%s: out of memory", sal_model_path(j->model));
    for (size_t i = 0; i < o->n_wrt; i++)
        names[i] = o->wrt[i];
    status = run_collide(j, names, o->n_wrt);
    free((void *)names);
    return status;
}

int verb_grad(const cli_args *a)
{
    run_job j = {.a = a, .seed = SAL_TENSOR_INIT};
    sal_runner_opts o;
    int status = CLI_FAILED;

    if (!run_options(a, &o))
        return CLI_USAGE;
    if (!cli_has(a, OPT_of) || !cli_has(a, OPT_wrt))
        return cli_usage(a, "of what, by what? --of VALUE --wrt VALUE");
    j.model = cli_open_lean(a->positional[0], &status);
    if (j.model != NULL) {
        if (!grad_names(&j, &o))
            status = CLI_USAGE;
        else if ((status = grad_collide(&j, &o)) == CLI_OK && grad_seed(&j, &status) &&
                 cli_inputs_read(&j.in, a, j.model, NULL, 0, &j.notes, &status))
            status = run_begin(&j, &o, status);
        else if (status == CLI_OK)
            status = CLI_FAILED;
    }
    json_open(&j.json, NULL, '[');
    for (size_t i = 0; j.runner != NULL && status == CLI_OK && i < o.n_wrt; i++)
        status = run_write(&j, "grad.", o.wrt[i], sal_runner_output(j.runner, i));
    json_close(&j.json, ']');
    if (status == CLI_OK && cli_has(a, OPT_json))
        status = json_print(&j.json);
    run_free(&j);
    return status;
}
