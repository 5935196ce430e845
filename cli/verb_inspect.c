/* salience inspect: what a model consists of. */
#include "inspect.h"

int verb_inspect(const cli_args *a);

typedef struct inspect_job {
    const cli_args *a;
    sal_model *model;
    sal_tensor *shapes;
    sal_model_stats stats;
    sal_model_op *ops;
    size_t n_ops;
} inspect_job;

const char *inspect_number(double v, const char *unit, char *buf, size_t n)
{
    static const char *const prefix[] = {"", "k", "M", "G", "T", "P"};
    size_t i = 0;

    while (v >= 1000 && i + 1 < sizeof(prefix) / sizeof(prefix[0])) {
        v /= 1000;
        i++;
    }
    (void)snprintf(buf, n, "%.*f %s%s",
                   i == 0    ? 0
                   : v < 10  ? 2
                   : v < 100 ? 1
                             : 0,
                   v, prefix[i], unit);
    return buf;
}

static void inspect_value(const char *what, const sal_value_info *v)
{
    printf("%-11s %-28s %s\n", what, v->name, v->type);
}

static const char *inspect_differentiable(const char *derivative)
{
    if (strcmp(derivative, "own") == 0)
        return "yes";
    if (strcmp(derivative, "expansion") == 0)
        return "yes, through the operators it is made of";
    return strcmp(derivative, "zero") == 0 ? "derivative is zero" : "no";
}

static int inspect_print(const inspect_job *j)
{
    const sal_model_stats *s = &j->stats;
    const char *key, *text;
    sal_value_info v;
    bool language = inspect_is_language(j->model);
    char buf[64];

    printf("%s%s%s: ", cli_bold(true), sal_model_path(j->model), cli_bold(false));
    if (language)
        printf("%s, language model", sal_model_meta(j->model, "lm.format"));
    else
        printf("ONNX, operator set %d", s->opset);
    if (s->producer != NULL)
        printf(", written by %s", s->producer);
    printf("\n");
    for (size_t i = 0; sal_model_input(j->model, i, &v); i++)
        inspect_value("input", &v);
    for (size_t i = 0; sal_model_output(j->model, i, &v); i++)
        inspect_value("output", &v);
    if (language)
        inspect_language_print(j->model);
    printf("%-11s %s", "parameters", inspect_number((double)s->parameters, "", buf, sizeof(buf)));
    printf(" (%s)\n", inspect_number((double)s->parameter_bytes, "B", buf, sizeof(buf)));
    if (s->macs >= 0)
        printf("%-11s %s multiply-adds a sample\n", "work",
               inspect_number((double)s->macs, "", buf, sizeof(buf)));
    else
        printf("%-11s depends on free sizes; --shape NAME=N,N,.. gives them\n", "work");
    for (size_t i = 0; sal_model_meta_at(j->model, i, &key, &text); i++) {
        if (!language || !inspect_language_tells(key))
            printf("%-11s %s = %.200s%s\n", "metadata", key, text, strlen(text) > 200 ? "..." : "");
    }
    printf("%-11s %zu nodes, %zu operators, all supported\n", "graph", s->nodes, j->n_ops);
    for (size_t i = 0; i < j->n_ops; i++)
        printf("  %6zu  %-24s differentiable: %s\n", j->ops[i].count, j->ops[i].name,
               inspect_differentiable(j->ops[i].derivative));
    return CLI_OK;
}

static void inspect_values_json(cli_text *t, const sal_model *m, const char *key, bool inputs)
{
    sal_value_info v;

    json_open(t, key, '[');
    for (size_t i = 0; inputs ? sal_model_input(m, i, &v) : sal_model_output(m, i, &v); i++) {
        json_open(t, NULL, '{');
        json_string(t, "name", v.name);
        json_string(t, "dtype", sal_dtype_name(v.dtype));
        json_open(t, "shape", '[');
        for (int k = 0; k < v.rank; k++)
            json_int(t, NULL, v.dims[k]);
        json_close(t, ']');
        json_string(t, "type", v.type);
        json_close(t, '}');
    }
    json_close(t, ']');
}

static int inspect_json(const inspect_job *j)
{
    cli_text t = {NULL, 0, 0, false, 0, false, false};
    const sal_model_stats *s = &j->stats;
    bool language = inspect_is_language(j->model);
    const char *key, *text;

    json_open(&t, NULL, '{');
    json_string(&t, "file", sal_model_path(j->model));
    json_string(&t, "format", language ? sal_model_meta(j->model, "lm.format") : "onnx");
    if (language)
        inspect_language_json(&t, j->model);
    else
        json_int(&t, "opset", s->opset);
    json_string(&t, "producer", s->producer);
    inspect_values_json(&t, j->model, "inputs", true);
    inspect_values_json(&t, j->model, "outputs", false);
    json_int(&t, "nodes", (int64_t)s->nodes);
    json_int(&t, "parameters", s->parameters);
    json_int(&t, "parameter_bytes", (int64_t)s->parameter_bytes);
    if (s->macs >= 0)
        json_int(&t, "macs", s->macs);
    else
        json_string(&t, "macs", NULL);
    json_open(&t, "operators", '[');
    for (size_t i = 0; i < j->n_ops; i++) {
        json_open(&t, NULL, '{');
        json_string(&t, "name", j->ops[i].name);
        json_int(&t, "count", (int64_t)j->ops[i].count);
        json_bool(&t, "supported", true);
        json_bool(&t, "differentiable",
                  strcmp(j->ops[i].derivative, "own") == 0 ||
                      strcmp(j->ops[i].derivative, "expansion") == 0);
        json_string(&t, "derivative", j->ops[i].derivative);
        json_close(&t, '}');
    }
    json_close(&t, ']');
    json_open(&t, "metadata", '{');
    for (size_t i = 0; sal_model_meta_at(j->model, i, &key, &text); i++)
        json_string(&t, key, text);
    json_close(&t, '}');
    json_close(&t, '}');
    return json_print(&t);
}

static int inspect_text(const inspect_job *j, sal_model_view view)
{
    sal_error err = {SAL_OK, 0, ""};
    char *text = NULL;
    sal_status st = sal_model_text(j->model, view, &text, &err);

    if (st != SAL_OK)
        return cli_fail(sal_model_path(j->model), st, &err);
    (void)fputs(text, stdout);
    sal_text_free(text);
    return CLI_OK;
}

static int inspect_plan(const inspect_job *j)
{
    sal_runner_opts o = SAL_RUNNER_OPTS_INIT;
    const char *path = sal_model_path(j->model);
    sal_error err = {SAL_OK, 0, ""};
    sal_runner *r = NULL;
    sal_run_stats s;
    cli_inputs in = {NULL, 0};
    char *text = NULL;
    int status = CLI_USAGE;
    sal_status st;

    if (!cli_dtype(j->a, &o.precision) || !cli_threads(j->a, &o.threads))
        return CLI_USAGE;
    if (!cli_inputs_made(&in, j->model, j->shapes, &status))
        goto done;
    st = sal_runner_new(&r, j->model, &o, &err);
    if (st == SAL_OK)
        st = sal_runner_run(r, in.tensors, NULL, &err);
    if (st == SAL_OK)
        st = sal_runner_describe(r, &text, &err);
    status = CLI_OK;
    if (st != SAL_OK) {
        status = cli_fail(path, st, &err);
        goto done;
    }
    sal_runner_stats(r, &s);
    printf("%s%zu steps, %zu on reference code; activations %.1f MB, prepared weights %.1f MB\n",
           text, s.steps, s.reference_steps, (double)s.arena_bytes / 1e6,
           (double)s.weight_bytes / 1e6);
done:
    sal_text_free(text);
    sal_runner_free(r);
    cli_inputs_free(&in);
    return status;
}

static int inspect_do(inspect_job *j)
{
    sal_error err = {SAL_OK, 0, ""};
    int status = CLI_OK;
    sal_status st;

    if (cli_has(j->a, OPT_graph))
        return inspect_text(j, SAL_VIEW_TEXT);
    if (cli_has(j->a, OPT_dot))
        return inspect_text(j, SAL_VIEW_DOT);
    if (!cli_shapes(&j->shapes, j->a, j->model, &status))
        return status;
    if (cli_has(j->a, OPT_plan))
        return inspect_plan(j);
    st =
        sal_model_get_stats(j->model, cli_has(j->a, OPT_shape) ? j->shapes : NULL, &j->stats, &err);
    if (st == SAL_OK)
        st = sal_model_ops(j->model, &j->ops, &j->n_ops, &err);
    if (st != SAL_OK)
        return cli_fail(sal_model_path(j->model), st, &err);
    return cli_has(j->a, OPT_json) ? inspect_json(j) : inspect_print(j);
}

int verb_inspect(const cli_args *a)
{
    inspect_job j = {.a = a};
    int status = CLI_FAILED;

    j.model = cli_open(a->positional[0], &status);
    if (j.model != NULL)
        status = inspect_do(&j);
    sal_text_free(j.ops);
    free(j.shapes);
    sal_model_free(j.model);
    return status;
}
