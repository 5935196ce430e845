/* Which methods, with which parameters. */
#include "cli.h"

#include <errno.h>

static bool methods_add(cli_method_opts *m, const cli_args *a, const char *name, size_t length)
{
    const char *names[CLI_MAX_METHODS], *like;
    size_t n = sal_method_count();
    char text[64];

    (void)snprintf(text, sizeof(text), "%.*s", (int)length, name);
    for (size_t i = 0; i < n && i < CLI_MAX_METHODS; i++) {
        names[i] = sal_method_at(i)->name;
        if (strcmp(names[i], text) == 0) {
            for (size_t k = 0; k < m->n; k++) {
                if (m->names[k] == names[i])
                    return true;
            }
            m->names[m->n++] = names[i];
            return true;
        }
    }
    if (sal_method_find(text) != NULL) {
        const char *own = sal_method_find(text)->name;

        return methods_add(m, a, own, strlen(own));
    }
    like = cli_similar(text, names, n < CLI_MAX_METHODS ? n : CLI_MAX_METHODS);
    if (like != NULL)
        (void)cli_usage(a, "unknown method %s; did you mean %s?", text, like);
    else
        (void)cli_usage(a, "unknown method %s; `salience list methods` shows all", text);
    return false;
}

static bool methods_names(cli_method_opts *m, const cli_args *a, const char *text)
{
    if (strcmp(text, "all") == 0) {
        m->all = true;
        for (size_t i = 0; i < sal_method_count() && i < CLI_MAX_METHODS; i++)
            m->names[m->n++] = sal_method_at(i)->name;
        return true;
    }
    while (true) {
        const char *comma = strchr(text, ',');
        size_t length = comma == NULL ? strlen(text) : (size_t)(comma - text);

        if (!methods_add(m, a, text, length))
            return false;
        if (comma == NULL)
            return true;
        text = comma + 1;
    }
}

static const sal_param_info *methods_param(const char *method, const char *name)
{
    const sal_method_info *info = sal_method_find(method);

    for (size_t i = 0; i < info->n_params; i++) {
        if (strcmp(info->params[i].name, name) == 0)
            return &info->params[i];
    }
    return NULL;
}

/* Known to one of the methods at least, and within its range. */
static bool methods_param_check(const cli_method_opts *m, const cli_args *a, const sal_param *p)
{
    const char *names[CLI_MAX_METHODS * 8], *like;
    size_t n = 0;
    bool known = false;

    for (size_t i = 0; i < m->n; i++) {
        const sal_method_info *info = sal_method_find(m->names[i]);
        const sal_param_info *q = methods_param(m->names[i], p->name);

        for (size_t k = 0; k < info->n_params && n < sizeof(names) / sizeof(names[0]); k++)
            names[n++] = info->params[k].name;
        if (q == NULL)
            continue;
        known = true;
        if (!(p->value >= q->min && p->value <= q->max) ||
            (q->kind == SAL_PARAM_INT && p->value != (double)(int64_t)p->value)) {
            (void)cli_usage(a, "--param %s=%g: must be a %s from %g to %g for %s", p->name,
                            p->value, q->kind == SAL_PARAM_INT ? "whole number" : "number", q->min,
                            q->max, m->names[i]);
            return false;
        }
    }
    if (known)
        return true;
    like = cli_similar(p->name, names, n);
    if (like != NULL)
        (void)cli_usage(a, "%s has no parameter %s; did you mean %s?",
                        m->n == 1 ? m->names[0] : "none of these methods", p->name, like);
    else
        (void)cli_usage(a, "%s has no parameter %s; `salience list methods` shows them",
                        m->n == 1 ? m->names[0] : "none of these methods", p->name);
    return false;
}

static bool methods_param_read(cli_method_opts *m, const cli_args *a, const char *text)
{
    const char *equals = strchr(text, '=');
    sal_param *p = &m->params[m->n_params];
    char *name = m->param_names[m->n_params], *end;

    if (equals == NULL || equals == text || (size_t)(equals - text) >= sizeof(m->param_names[0])) {
        (void)cli_usage(a, "--param %s: must be KEY=VALUE", text);
        return false;
    }
    if (strncmp(text, "layer=", 6) == 0)
        return true;
    if (m->n_params == CLI_MAX_PARAMS) {
        (void)cli_usage(a, "more than %d parameters", CLI_MAX_PARAMS);
        return false;
    }
    memcpy(name, text, (size_t)(equals - text));
    name[equals - text] = '\0';
    p->name = name;
    p->value = strtod(equals + 1, &end);
    if (end == equals + 1 || *end != '\0') {
        (void)cli_usage(a, "--param %s: %s is no number", text, equals + 1);
        return false;
    }
    m->n_params++;
    return methods_param_check(m, a, p);
}

/* Every method that shows a layer once for each layer asked for. */
static bool methods_layers(cli_method_opts *m, const cli_args *a)
{
    const char *layers[CLI_MAX_METHODS];
    cli_method_opts once = *m;
    size_t n = 0;

    for (size_t i = 0; i < a->n_values[OPT_layer] && n < CLI_MAX_METHODS; i++)
        layers[n++] = a->values[OPT_layer][i];
    for (size_t i = 0; i < a->n_values[OPT_param] && n < CLI_MAX_METHODS; i++) {
        if (strncmp(a->values[OPT_param][i], "layer=", 6) == 0)
            layers[n++] = a->values[OPT_param][i] + 6;
    }
    m->layer_given = n > 0;
    m->several_layers = n > 1;
    m->n = 0;
    for (size_t i = 0; i < once.n; i++) {
        size_t times = sal_method_find(once.names[i])->wants_layer && n > 0 ? n : 1;

        for (size_t k = 0; k < times; k++) {
            if (m->n == CLI_MAX_METHODS) {
                (void)cli_usage(a, "more than %d combinations of method and layer",
                                CLI_MAX_METHODS);
                return false;
            }
            m->names[m->n] = once.names[i];
            m->layers[m->n++] =
                n > 0 && sal_method_find(once.names[i])->wants_layer ? layers[k] : NULL;
        }
    }
    return true;
}

bool cli_methods(cli_method_opts *m, const cli_args *a)
{
    const char *names = cli_value(a, OPT_method), *more = cli_value(a, OPT_methods);
    int64_t seed = 1;

    *m = (cli_method_opts){.baselines = SAL_TENSOR_INIT};
    if (names != NULL && more != NULL) {
        (void)cli_usage(a, "--method and --methods are the same; give one");
        return false;
    }
    if (names == NULL)
        names = more == NULL ? "grad-cam" : more;
    if (!methods_names(m, a, names))
        return false;
    for (size_t i = 0; i < a->n_values[OPT_param]; i++) {
        if (!methods_param_read(m, a, a->values[OPT_param][i]))
            return false;
    }
    if (!methods_layers(m, a) || !cli_int(a, OPT_seed, 0, INT64_MAX, &seed))
        return false;
    m->seed = (uint64_t)seed;
    return true;
}

int cli_baselines(cli_method_opts *m, const cli_args *a)
{
    const char *path = cli_value(a, OPT_baselines);
    sal_error err = {SAL_OK, 0, ""};
    sal_tensor t = SAL_TENSOR_INIT;
    sal_status st;

    if (path == NULL)
        return CLI_OK;
    st = sal_npy_read(&t, path, &err);
    if (st == SAL_OK)
        st = sal_tensor_cast(&m->baselines, &t, SAL_F32, &err);
    sal_tensor_free(&t);
    return st == SAL_OK ? CLI_OK : cli_fail(path, st, &err);
}

void cli_methods_free(cli_method_opts *m)
{
    sal_tensor_free(&m->baselines);
}

const char *cli_method_label(const cli_method_opts *m, size_t i, char *buf, size_t n)
{
    bool layer = m->several_layers && m->layers[i] != NULL;

    (void)snprintf(buf, n, "%s%s%s", m->names[i], layer ? " " : "", layer ? m->layers[i] : "");
    return buf;
}

sal_explain_opts cli_explain_opts(const cli_method_opts *m, size_t i, const cli_args *a,
                                  sal_param *params)
{
    sal_explain_opts o = SAL_EXPLAIN_OPTS_INIT;
    const char *method = m->names[i];

    o.method = method;
    o.params = params;
    for (size_t k = 0; k < m->n_params; k++) {
        if (methods_param(method, m->params[k].name) != NULL)
            params[o.n_params++] = m->params[k];
    }
    o.layer = m->layers[i];
    o.input = cli_value(a, OPT_input);
    o.output = cli_value(a, OPT_output);
    o.probabilities = cli_has(a, OPT_probabilities);
    o.whole = cli_has(a, OPT_whole);
    o.seed = m->seed;
    o.baselines = m->baselines.data == NULL ? NULL : &m->baselines;
    return o;
}
