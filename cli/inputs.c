/* Opening models and getting tensors for their inputs. */
#define _POSIX_C_SOURCE 200809L
#include "cli.h"

#include <errno.h>
#include <math.h>
#include <sys/resource.h>
#include <unistd.h>

static sal_model *inputs_open(const char *name, bool lean, int *status)
{
    char path[CLI_PATH];
    sal_model *m = NULL;
    sal_error err = {SAL_OK, 0, ""};
    const char *file = cli_model_path(name, path, sizeof(path));
    sal_status st = lean ? sal_model_open_lean(&m, file, &err) : sal_model_open(&m, file, &err);

    if (st == SAL_OK)
        return m;
    if (st == SAL_EIO && strpbrk(name, "/.") == NULL && access(path, F_OK) != 0)
        *status = cli_fail_text("%s: neither a file nor a model that was pulled; `salience pull "
                                "--list` shows what can be",
                                name);
    else
        *status = cli_fail(path, st, &err);
    return NULL;
}

sal_model *cli_open(const char *name, int *status)
{
    return inputs_open(name, false, status);
}

sal_model *cli_open_lean(const char *name, int *status)
{
    return inputs_open(name, true, status);
}

static const char *inputs_names(const sal_model *m, char *buf, size_t n)
{
    size_t at = 0;
    sal_value_info v;

    buf[0] = '\0';
    for (size_t i = 0; sal_model_input(m, i, &v) && at < n; i++) {
        int length = snprintf(buf + at, n - at, "%s%s", i > 0 ? ", " : "", v.name);

        at += length > 0 ? (size_t)length : 0;
    }
    return buf;
}

/* NAME=FILE: index of the input and the file. Names may hold '=' themselves, so they are compared.
 */
static bool inputs_split(const cli_args *a, const sal_model *m, const char *text, size_t *index,
                         const char **file)
{
    size_t n = sal_model_input_count(m);
    sal_value_info v;
    char names[512];

    for (size_t i = 0; i < n && sal_model_input(m, i, &v); i++) {
        size_t length = strlen(v.name);

        if (strncmp(text, v.name, length) == 0 && text[length] == '=') {
            *index = i;
            *file = text + length + 1;
            return true;
        }
    }
    if (n == 1 && strchr(text, '=') == NULL) {
        *index = 0;
        *file = text;
        return true;
    }
    (void)cli_usage(a, "--in %s: must be NAME=FILE.npy with one of the model's inputs: %s", text,
                    inputs_names(m, names, sizeof(names)));
    return false;
}

bool cli_shape_fits(const sal_tensor *t, const sal_value_info *v, const char *file, int *status)
{
    bool fits = v->rank < 0 || v->rank == t->rank;

    for (int k = 0; fits && k < v->rank; k++)
        fits = v->dims[k] < 0 || v->dims[k] == t->dims[k];
    if (!fits)
        *status =
            cli_fail_text("%s: its shape does not fit %s, which is %s", file, v->name, v->type);
    return fits;
}

/* A tensor of another width of the same kind is converted. */
static bool inputs_fit(sal_tensor *t, const sal_value_info *v, const char *file, cli_notes *notes,
                       int *status)
{
    sal_tensor cast = SAL_TENSOR_INIT;
    sal_error err = {SAL_OK, 0, ""};
    sal_status st;

    if (!cli_shape_fits(t, v, file, status))
        return false;
    if (t->dtype == v->dtype)
        return true;
    /* numpy knows no bfloat16: it is stored as uint16. */
    if (v->dtype == SAL_BF16 && t->dtype == SAL_U16) {
        t->dtype = SAL_BF16;
        return true;
    }
    if (sal_dtype_is_float(t->dtype) != sal_dtype_is_float(v->dtype)) {
        *status = cli_fail_text("%s: holds %s, but input %s takes %s", file,
                                sal_dtype_name(t->dtype), v->name, v->type);
        return false;
    }
    cli_note_later(notes, "%s: %s converted to %s", file, sal_dtype_name(t->dtype),
                   sal_dtype_name(v->dtype));
    st = sal_tensor_cast(&cast, t, v->dtype, &err);
    if (st != SAL_OK) {
        *status = cli_fail(file, st, &err);
        return false;
    }
    sal_tensor_free(t);
    *t = cast;
    return true;
}

static bool inputs_one(cli_inputs *in, const cli_args *a, const sal_model *m, const char *text,
                       cli_notes *notes, int *status)
{
    const char *file = NULL;
    sal_error err = {SAL_OK, 0, ""};
    sal_value_info v;
    size_t index = 0;
    sal_status st;

    if (!inputs_split(a, m, text, &index, &file)) {
        *status = CLI_USAGE;
        return false;
    }
    if (!sal_model_input(m, index, &v) || in->tensors[index].dtype != SAL_DT_NONE) {
        *status = cli_usage(a, "--in %s: the input is given twice", text);
        return false;
    }
    st = sal_npy_read(&in->tensors[index], file, &err);
    if (st != SAL_OK) {
        *status = cli_fail(file, st, &err);
        return false;
    }
    return inputs_fit(&in->tensors[index], &v, file, notes, status);
}

bool cli_inputs_read(cli_inputs *in, const cli_args *a, const sal_model *m, sal_tensor *ready,
                     size_t ready_at, cli_notes *notes, int *status)
{
    sal_value_info v;

    *in = (cli_inputs){NULL, sal_model_input_count(m)};
    in->tensors = calloc(in->n + 1, sizeof(*in->tensors));
    if (in->tensors == NULL) {
        *status = cli_fail_text("out of memory");
        return false;
    }
    if (ready != NULL) {
        in->tensors[ready_at] = *ready;
        *ready = (sal_tensor)SAL_TENSOR_INIT;
    }
    for (size_t i = 0; i < a->n_values[OPT_in]; i++) {
        if (!inputs_one(in, a, m, a->values[OPT_in][i], notes, status))
            return false;
    }
    for (size_t i = 0; i < in->n; i++) {
        if (in->tensors[i].dtype == SAL_DT_NONE && sal_model_input(m, i, &v)) {
            *status =
                cli_usage(a, "no tensor for input %s %s: --in %s=FILE.npy", v.name, v.type, v.name);
            return false;
        }
    }
    return true;
}

void cli_inputs_free(cli_inputs *in)
{
    for (size_t i = 0; in->tensors != NULL && i < in->n; i++)
        sal_tensor_free(&in->tensors[i]);
    free(in->tensors);
    *in = (cli_inputs){NULL, 0};
}

/* ---- shapes without tensors ---- */

static bool inputs_shape(sal_tensor *shapes, const cli_args *a, const sal_model *m,
                         const char *text)
{
    double dims[SAL_MAX_RANK];
    const char *numbers = NULL;
    size_t index = 0, n;

    if (!inputs_split(a, m, text, &index, &numbers))
        return false;
    n = cli_numbers(numbers, dims, SAL_MAX_RANK);
    shapes[index].rank = (int32_t)n;
    for (size_t k = 0; k < n; k++) {
        if (!(dims[k] >= 0 && dims[k] <= 1e12) || dims[k] != floor(dims[k]))
            n = 0;
        else
            shapes[index].dims[k] = (int64_t)dims[k];
    }
    if (n == 0)
        (void)cli_usage(a, "--shape %s: must be NAME=N,N,.. with whole numbers", text);
    return n > 0;
}

bool cli_shapes(sal_tensor **out, const cli_args *a, const sal_model *m, int *status)
{
    size_t n = sal_model_input_count(m);
    sal_tensor *shapes = calloc(n + 1, sizeof(*shapes));
    int64_t batch = 1;
    sal_value_info v;

    *out = shapes;
    *status = CLI_USAGE;
    if (shapes == NULL) {
        *status = cli_fail_text("out of memory");
        return false;
    }
    for (size_t i = 0; i < n; i++)
        shapes[i].rank = -1;
    for (size_t i = 0; i < a->n_values[OPT_shape]; i++) {
        if (!inputs_shape(shapes, a, m, a->values[OPT_shape][i]))
            return false;
    }
    if (!cli_int(a, OPT_batch, 1, 1 << 20, &batch))
        return false;
    for (size_t i = 0; i < n && sal_model_input(m, i, &v); i++) {
        bool known = v.rank >= 0;

        if (shapes[i].rank >= 0)
            continue;
        for (int k = 0; k < v.rank; k++) {
            shapes[i].dims[k] = v.dims[k] < 0 && k == 0 ? batch : v.dims[k];
            known = known && shapes[i].dims[k] >= 0;
        }
        shapes[i].rank = known ? v.rank : -1;
        if (known && cli_has(a, OPT_batch) && v.rank > 0 && v.dims[0] >= 0 && v.dims[0] != batch) {
            *status = cli_fail_text("%s: input %s is %s: its batch cannot be changed to %lld",
                                    sal_model_path(m), v.name, v.type, (long long)batch);
            return false;
        }
    }
    *status = CLI_OK;
    return true;
}

bool cli_inputs_made(cli_inputs *in, const sal_model *m, const sal_tensor *shapes, int *status)
{
    uint64_t state = 1;
    sal_error err = {SAL_OK, 0, ""};
    sal_value_info v;
    sal_status st;

    *in = (cli_inputs){NULL, sal_model_input_count(m)};
    in->tensors = calloc(in->n + 1, sizeof(*in->tensors));
    if (in->tensors == NULL) {
        *status = cli_fail_text("out of memory");
        return false;
    }
    for (size_t i = 0; i < in->n && sal_model_input(m, i, &v); i++) {
        sal_tensor *t = &in->tensors[i];

        if (shapes[i].rank < 0) {
            *status = cli_fail_text("%s: input %s is %s: give its size, --shape %s=N,N,..",
                                    sal_model_path(m), v.name, v.type, v.name);
            return false;
        }
        st = sal_tensor_new(t, v.dtype, shapes[i].rank, shapes[i].dims, &err);
        if (st != SAL_OK) {
            *status = cli_fail(sal_model_path(m), st, &err);
            return false;
        }
        /* Integers are mostly indices or masks: 1 is a fine one of both. */
        for (int64_t k = 0; k < sal_tensor_count(t); k++) {
            state = state * 6364136223846793005U + 1442695040888963407U;
            double u = (double)(state >> 40) / (double)(1 << 24);

            sal_tensor_set(t, k, sal_dtype_is_float(v.dtype) ? u * 2.0 - 1.0 : 1.0);
        }
    }
    return true;
}

/* ---- memory ---- */

bool cli_memory(const cli_args *a)
{
    static const char units[] = "kMGT";
    const char *text = cli_value(a, OPT_memory), *unit;
    char *end;
    double v;

    if (text == NULL)
        return true;
    v = strtod(text, &end);
    unit = *end == '\0' ? NULL : strchr(units, *end == 'K' ? 'k' : *end);
    for (const char *u = units; unit != NULL && u <= unit; u++)
        v *= 1024.0;
    if (end == text || (*end != '\0' && unit == NULL) || !(v >= 1e6 && v <= 1e15)) {
        (void)cli_usage(a, "--memory must be a size of at least 1M, such as 800M or 2G, not %s",
                        text);
        exit(CLI_USAGE);
    }
    struct rlimit limit = {(rlim_t)v, (rlim_t)v};
    if (setrlimit(RLIMIT_DATA, &limit) == 0)
        return true;
    (void)cli_fail_text("--memory: the limit cannot be set: %s", strerror(errno));
    exit(CLI_FAILED);
}
