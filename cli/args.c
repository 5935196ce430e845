/* Parsing by the tables. */
#include "cli.h"

#include <errno.h>
#include <math.h>

#define CLI_VERB(id, positional, least, most, help) int verb_##id(const cli_args *a);
#include "verbs.def"
#undef CLI_VERB

const cli_verb cli_verbs[VERB_COUNT] = {
#define CLI_VERB(id, positional, least, most, help) {#id, positional, least, most, help, verb_##id},
#include "verbs.def"
#undef CLI_VERB
};

const cli_option cli_options[OPT_COUNT] = {
#define V(id) (1u << VERB_##id)
#define CLI_OPTION(id, name, letter, kind, value, verbs, help)                                     \
    {name, letter, CLI_##kind, value, verbs, help},
#include "options.def"
#undef CLI_OPTION
#undef V
};

cli_verb_id cli_verb_find(const char *name)
{
    int i = 0;

    while (i < VERB_COUNT && strcmp(cli_verbs[i].name, name) != 0)
        i++;
    return (cli_verb_id)i;
}

/* ---- did you mean ---- */

/* Edits that turn a into b: letters changed, inserted, dropped, neighbours swapped. */
static size_t args_distance(const char *a, const char *b)
{
    size_t rows[3][64], n = strlen(b), m = strlen(a);

    if (n > 62 || m > 62)
        return 64;
    for (size_t j = 0; j <= n; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= m; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];

        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t best = above[j - 1] + (a[i - 1] != b[j - 1] ? 1 : 0);

            best = best < above[j] + 1 ? best : above[j] + 1;
            best = best < row[j - 1] + 1 ? best : row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = best < above2[j - 2] + 1 ? best : above2[j - 2] + 1;
            row[j] = best;
        }
    }
    return rows[m % 3][n];
}

const char *cli_similar(const char *name, const char *const *names, size_t n)
{
    size_t best = strlen(name) / 3 + 2;
    const char *found = NULL;

    for (size_t i = 0; i < n; i++) {
        size_t d = args_distance(name, names[i]);

        if (d < best) {
            best = d;
            found = names[i];
        } else if (found == NULL && strlen(name) > 2 &&
                   strncmp(name, names[i], strlen(name)) == 0) {
            found = names[i];
        }
    }
    return found;
}

/* ---- parsing ---- */

static bool args_takes(cli_verb_id verb, int option)
{
    return (cli_options[option].verbs & (1u << verb)) != 0;
}

static bool args_push(const char ***list, size_t *n, const char *value)
{
    const char **bigger = realloc(*list, (*n + 1) * sizeof(*bigger));

    if (bigger == NULL) {
        (void)cli_fail_text("out of memory");
        return false;
    }
    *list = bigger;
    (*list)[(*n)++] = value;
    return true;
}

static bool args_unknown(const cli_args *a, const char *given, size_t length)
{
    const char *names[OPT_COUNT];
    char name[64];
    size_t n = 0;

    for (int i = 0; i < OPT_COUNT; i++) {
        if (args_takes(a->verb, i))
            names[n++] = cli_options[i].name;
    }
    (void)snprintf(name, sizeof(name), "%.*s", (int)length, given);
    const char *like = cli_similar(name, names, n);
    for (int i = 0; i < OPT_COUNT; i++) {
        if (strcmp(cli_options[i].name, name) == 0) {
            (void)cli_usage(a, "%s takes no option --%s", cli_verbs[a->verb].name, name);
            return false;
        }
    }
    if (like != NULL)
        (void)cli_usage(a, "unknown option --%s; did you mean --%s?", name, like);
    else
        (void)cli_usage(a, "unknown option --%s", name);
    return false;
}

/* Option number i with `attached` (NULL: none) or the next argument as its value. */
static bool args_option(cli_args *a, int i, const char *attached, int argc, char **argv, int *at)
{
    const cli_option *o = &cli_options[i];
    const char *value = attached;

    if (o->kind == CLI_FLAG && attached != NULL) {
        (void)cli_usage(a, "--%s takes no value", o->name);
        return false;
    }
    if (o->kind == CLI_FLAG)
        value = "";
    if (value == NULL && *at + 1 >= argc) {
        (void)cli_usage(a, "--%s needs a value: %s", o->name, o->value);
        return false;
    }
    if (value == NULL)
        value = argv[++*at];
    if (a->n_values[i] > 0 && o->kind != CLI_FLAG && o->kind != CLI_LIST && o->kind != CLI_INPUTS) {
        (void)cli_usage(a, "--%s is given twice", o->name);
        return false;
    }
    return args_push(&a->values[i], &a->n_values[i], value);
}

static bool args_long(cli_args *a, int argc, char **argv, int *at)
{
    const char *name = argv[*at] + 2, *equals = strchr(name, '=');
    size_t length = equals == NULL ? strlen(name) : (size_t)(equals - name);

    for (int i = 0; i < OPT_COUNT; i++) {
        const char *o = cli_options[i].name;

        if (args_takes(a->verb, i) && strlen(o) == length && strncmp(o, name, length) == 0)
            return args_option(a, i, equals == NULL ? NULL : equals + 1, argc, argv, at);
    }
    return args_unknown(a, name, length);
}

static bool args_short(cli_args *a, int argc, char **argv, int *at)
{
    const char *text = argv[*at];

    for (int i = 0; i < OPT_COUNT; i++) {
        if (args_takes(a->verb, i) && cli_options[i].letter == text[1])
            return args_option(a, i, text[2] == '\0' ? NULL : text + 2, argc, argv, at);
    }
    (void)cli_usage(a, "unknown option %s", text);
    return false;
}

static bool args_count(const cli_args *a)
{
    const cli_verb *v = &cli_verbs[a->verb];

    if (a->n_positional < (size_t)v->least) {
        (void)cli_usage(a, "missing argument; usage: salience %s %s", v->name, v->positional);
        return false;
    }
    if (v->most >= 0 && a->n_positional > (size_t)v->most) {
        (void)cli_usage(a, "too many arguments: %s", a->positional[v->most]);
        return false;
    }
    return true;
}

bool cli_args_parse(cli_args *a, cli_verb_id verb, int argc, char **argv)
{
    bool options = true;

    *a = (cli_args){.verb = verb, .argc = argc, .argv = argv};
    for (int i = 2; i < argc; i++) {
        const char *text = argv[i];
        bool good;

        if (options && strcmp(text, "--") == 0) {
            options = false;
            continue;
        }
        if (options && strncmp(text, "--", 2) == 0)
            good = args_long(a, argc, argv, &i);
        else if (options && text[0] == '-' && text[1] != '\0')
            good = args_short(a, argc, argv, &i);
        else
            good = args_push(&a->positional, &a->n_positional, text);
        if (!good)
            return false;
    }
    return cli_has(a, OPT_help) || (verb == VERB_pull && cli_has(a, OPT_list)) || args_count(a);
}

void cli_args_free(cli_args *a)
{
    for (int i = 0; i < OPT_COUNT; i++)
        free(a->values[i]);
    free(a->positional);
    *a = (cli_args){.argc = 0};
}

/* ---- values ---- */

bool cli_has(const cli_args *a, cli_option_id o)
{
    return a->n_values[o] > 0;
}

const char *cli_value(const cli_args *a, cli_option_id o)
{
    return a->n_values[o] == 0 ? NULL : a->values[o][a->n_values[o] - 1];
}

size_t cli_numbers(const char *text, double *out, size_t most)
{
    size_t n = 0;

    while (n < most) {
        char *end;
        double v = strtod(text, &end);

        if (end == text || !isfinite(v))
            return 0;
        out[n++] = v;
        if (*end == '\0')
            return n;
        if (*end != ',')
            return 0;
        text = end + 1;
    }
    return 0;
}

bool cli_number(const cli_args *a, cli_option_id o, double least, double most, double *out)
{
    const char *text = cli_value(a, o);
    double v;

    if (text == NULL)
        return true;
    if (cli_numbers(text, &v, 1) != 1 || v < least || v > most) {
        (void)cli_usage(a, "--%s must be a number from %g to %g, not %s", cli_options[o].name,
                        least, most, text);
        return false;
    }
    *out = v;
    return true;
}

bool cli_int(const cli_args *a, cli_option_id o, int64_t least, int64_t most, int64_t *out)
{
    const char *text = cli_value(a, o);
    char *end;

    if (text == NULL)
        return true;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || v < least || v > most) {
        (void)cli_usage(a, "--%s must be a whole number from %lld to %lld, not %s",
                        cli_options[o].name, (long long)least, (long long)most, text);
        return false;
    }
    *out = v;
    return true;
}

bool cli_dtype(const cli_args *a, sal_dtype *out)
{
    const char *text = cli_value(a, OPT_dtype);

    *out = SAL_F32;
    if (text == NULL || strcmp(text, "f32") == 0 || strcmp(text, "float32") == 0)
        return true;
    *out = SAL_BF16;
    if (strcmp(text, "bf16") == 0 || strcmp(text, "bfloat16") == 0)
        return true;
    (void)cli_usage(a, "--dtype must be f32 or bf16, not %s", text);
    return false;
}

bool cli_threads(const cli_args *a, int *out)
{
    int64_t n = 0;

    if (!cli_int(a, OPT_threads, 1, 1024, &n))
        return false;
    *out = (int)n;
    return true;
}
