/* salience doctor: will it work, and if not, why. */
#include "cli.h"

#include <math.h>

int verb_doctor(const cli_args *a);

typedef struct doctor_method {
    const sal_method_info *info;
    bool works;
    char why_not[512];
    char layer[256];
    char notes[256];
} doctor_method;

/* One way of preparing pictures, and what the model then says. */
typedef struct doctor_recipe {
    const char *name;
    sal_preprocess pre;
    double confidence; /* probability of the top class */
    int64_t top;
} doctor_recipe;

enum { DOCTOR_RECIPES = 6 };

typedef struct doctor_job {
    const cli_args *a;
    sal_model *model;
    cli_picture picture;
    cli_inputs in;
    size_t input;
    bool given; /* inputs are there */
    cli_notes notes;
    sal_labels *labels;
    doctor_method methods[CLI_MAX_METHODS];
    size_t n_methods;
    double low, high, mean;
    doctor_recipe recipes[DOCTOR_RECIPES]; /* the first is the one found */
    size_t n_recipes;
    char warnings[8][320];
    size_t n_warnings;
} doctor_job;

static sal_explain_opts doctor_opts(const doctor_job *j, const char *method)
{
    sal_explain_opts o = SAL_EXPLAIN_OPTS_INIT;
    const sal_method_info *info = sal_method_find(method);

    o.method = method;
    o.layer = info->wants_layer ? cli_value(j->a, OPT_layer) : NULL;
    o.input = cli_value(j->a, OPT_input);
    o.output = cli_value(j->a, OPT_output);
    return o;
}

static void doctor_try(doctor_job *j, size_t i)
{
    doctor_method *m = &j->methods[i];
    sal_explain_opts o = doctor_opts(j, sal_method_at(i)->name);
    sal_explain_plan *p = NULL;
    sal_explain_target t;
    sal_error err = {SAL_OK, 0, ""};
    sal_status st;

    m->info = sal_method_at(i);
    st = sal_explain_plan_new(&p, j->model, &o, j->given ? j->in.tensors : NULL, &err);
    m->works = st == SAL_OK;
    if (st != SAL_OK) {
        (void)snprintf(m->why_not, sizeof(m->why_not), "%s", err.msg);
        return;
    }
    sal_explain_plan_target(p, &t);
    (void)snprintf(m->layer, sizeof(m->layer), "%s", t.layer == NULL ? "" : t.layer);
    (void)snprintf(m->notes, sizeof(m->notes), "%s", t.notes == NULL ? "" : t.notes);
    sal_explain_plan_free(p);
}

/* ---- the picture ---- */

static void doctor_warn(doctor_job *j, const char *text)
{
    if (j->n_warnings < sizeof(j->warnings) / sizeof(j->warnings[0]))
        (void)snprintf(j->warnings[j->n_warnings++], sizeof(j->warnings[0]), "%s", text);
}

static void doctor_range(doctor_job *j)
{
    const sal_tensor *t = &j->in.tensors[j->input];
    int64_t n = sal_tensor_count(t), bad = 0;
    double sum = 0.0;

    j->low = HUGE_VAL;
    j->high = -HUGE_VAL;
    for (int64_t i = 0; i < n; i++) {
        double v = sal_tensor_get(t, i);

        if (!isfinite(v)) {
            bad++;
            continue;
        }
        j->low = fmin(j->low, v);
        j->high = fmax(j->high, v);
        sum += v;
    }
    j->mean = n > bad ? sum / (double)(n - bad) : 0.0;
    if (bad > 0)
        doctor_warn(j, "the input tensor holds values that are not finite");
    if (n > 1 && j->low == j->high)
        doctor_warn(j, "every value of the input tensor is the same");
    else if (j->high > 20.0 || j->low < -20.0)
        doctor_warn(j, "the input tensor reaches beyond -20..20: most models want pixels scaled to "
                       "about -2.7..2.7, -1..1 or 0..1 (--mean, --std)");
}

/* Softmax of sample 0's logits: the top class. */
static void doctor_confidence(const sal_tensor *logits, int64_t classes, doctor_recipe *r)
{
    double most = -HUGE_VAL, sum = 0.0;

    r->top = -1;
    for (int64_t k = 0; k < classes; k++) {
        double v = sal_tensor_get(logits, k);

        if (v > most) {
            most = v;
            r->top = k;
        }
    }
    for (int64_t k = 0; k < classes; k++)
        sum += exp(sal_tensor_get(logits, k) - most);
    r->confidence = r->top < 0 ? 0.0 : 1.0 / sum;
}

static void doctor_recipe_add(doctor_job *j, const char *name, double mean, double std,
                              bool imagenet, bool swap)
{
    doctor_recipe *r = &j->recipes[j->n_recipes++];
    sal_preprocess usual = sal_preprocess_default(224, 224);

    *r = (doctor_recipe){.name = name, .pre = j->picture.pre};
    r->pre.rescale = 1.0F / 255.0F;
    for (int c = 0; c < 3; c++) {
        r->pre.mean[c] = imagenet ? usual.mean[c] : (float)mean;
        r->pre.std[c] = imagenet ? usual.std[c] : (float)std;
    }
    if (swap) {
        r->pre = j->picture.pre;
        r->pre.bgr = !r->pre.bgr;
    }
}

static sal_status doctor_recipe_run(doctor_job *j, sal_explain_plan *p, int64_t classes,
                                    doctor_recipe *r, sal_error *err)
{
    sal_tensor *slot = &j->in.tensors[j->input], kept = *slot, mine = SAL_TENSOR_INIT,
               logits = SAL_TENSOR_INIT, cast = SAL_TENSOR_INIT;
    sal_status st = sal_preprocess_apply(&mine, &j->picture.image, &r->pre, err);

    if (st == SAL_OK)
        st = sal_tensor_cast(&cast, &mine, kept.dtype, err);
    if (st == SAL_OK) {
        *slot = cast;
        st = sal_explain_plan_logits(p, j->in.tensors, &logits, err);
        *slot = kept;
    }
    if (st == SAL_OK)
        doctor_confidence(&logits, classes, r);
    sal_tensor_free(&mine);
    sal_tensor_free(&cast);
    sal_tensor_free(&logits);
    return st;
}

/* A wrong recipe seldom makes a model surer: others are tried beside the one found. */
static void doctor_compare(doctor_job *j)
{
    const doctor_recipe *own = &j->recipes[0], *best = own;
    char text[320];

    for (size_t i = 1; i < j->n_recipes; i++) {
        if (j->recipes[i].confidence > best->confidence)
            best = &j->recipes[i];
    }
    if (best == own || best->confidence < own->confidence * 1.5 + 0.05)
        return;
    (void)snprintf(
        text, sizeof(text),
        "with pixels prepared as \"%s\" the model would be much surer (%.0f %% instead of "
        "%.0f %%): is the preprocessing right?",
        best->name, best->confidence * 100.0, own->confidence * 100.0);
    doctor_warn(j, text);
}

static int doctor_picture(doctor_job *j)
{
    sal_explain_opts o = doctor_opts(j, "occlusion");
    sal_explain_plan *p = NULL;
    sal_explain_target t;
    sal_error err = {SAL_OK, 0, ""};
    int status = CLI_OK;
    sal_status st = sal_explain_plan_new(&p, j->model, &o, j->in.tensors, &err);

    if (st == SAL_OK) {
        sal_explain_plan_target(p, &t);
        if (!cli_labels(j->a, j->model, t.classes, &j->labels, &j->notes, &status))
            goto done;
        j->recipes[j->n_recipes++] = (doctor_recipe){.name = "as found", .pre = j->picture.pre};
        doctor_recipe_add(j, "ImageNet mean and deviation", 0.0, 1.0, true, false);
        doctor_recipe_add(j, "0..1", 0.0, 1.0, false, false);
        doctor_recipe_add(j, "-1..1", 0.5, 0.5, false, false);
        doctor_recipe_add(j, "0..255", 0.0, 1.0 / 255.0, false, false);
        doctor_recipe_add(j, "as found, red and blue exchanged", 0.0, 1.0, false, true);
        for (size_t i = 0; st == SAL_OK && i < j->n_recipes; i++)
            st = doctor_recipe_run(j, p, t.classes, &j->recipes[i], &err);
    }
    if (st != SAL_OK) {
        status = cli_fail(sal_model_path(j->model), st, &err);
        goto done;
    }
    if (t.classes > 1 && t.classes <= 100000)
        doctor_compare(j);
    else
        j->n_recipes = 0;
done:
    sal_explain_plan_free(p);
    return status;
}

/* ---- telling ---- */

static const char *doctor_label(const doctor_job *j, int64_t k)
{
    return j->labels == NULL ? "" : sal_labels_short(j->labels, (size_t)k);
}

static void doctor_print(const doctor_job *j)
{
    size_t works = 0;
    char line[256];

    for (size_t i = 0; i < j->n_methods; i++)
        works += j->methods[i].works;
    printf("%s%s%s: %zu of %zu methods work\n", cli_bold(true), sal_model_path(j->model),
           cli_bold(false), works, j->n_methods);
    for (size_t i = 0; i < j->n_methods; i++) {
        const doctor_method *m = &j->methods[i];

        printf("  %-4s %-27s %s%s%s\n", m->works ? "yes" : "no", m->info->name,
               m->works ? m->layer : m->why_not,
               m->layer[0] != '\0' && m->notes[0] != '\0' ? "; " : "", m->works ? m->notes : "");
    }
    if (j->given)
        printf("input tensor: %.4g to %.4g, mean %.4g\n", j->low, j->high, j->mean);
    if (j->picture.is_image)
        printf("preprocessing: %s (%s)\n",
               sal_preprocess_describe(&j->picture.pre, line, sizeof(line)), j->picture.source);
    for (size_t i = 0; i < j->n_recipes; i++)
        printf("  %-34s %5.1f %%  %lld %s\n", j->recipes[i].name, j->recipes[i].confidence * 100.0,
               (long long)j->recipes[i].top, doctor_label(j, j->recipes[i].top));
    for (size_t i = 0; i < j->n_warnings; i++)
        printf("warning: %s\n", j->warnings[i]);
}

static int doctor_json(const doctor_job *j)
{
    cli_text t = {NULL, 0, 0, false, 0, false, false};
    char line[256];

    json_open(&t, NULL, '{');
    json_string(&t, "file", sal_model_path(j->model));
    json_open(&t, "methods", '[');
    for (size_t i = 0; i < j->n_methods; i++) {
        const doctor_method *m = &j->methods[i];

        json_open(&t, NULL, '{');
        json_string(&t, "name", m->info->name);
        json_bool(&t, "works", m->works);
        json_string(&t, "why_not", m->works ? NULL : m->why_not);
        json_string(&t, "layer", m->layer[0] == '\0' ? NULL : m->layer);
        json_string(&t, "notes", m->notes[0] == '\0' ? NULL : m->notes);
        json_close(&t, '}');
    }
    json_close(&t, ']');
    if (j->given) {
        json_open(&t, "input", '{');
        json_number(&t, "min", j->low);
        json_number(&t, "max", j->high);
        json_number(&t, "mean", j->mean);
        json_close(&t, '}');
    }
    if (j->picture.is_image) {
        json_string(&t, "preprocessing",
                    sal_preprocess_describe(&j->picture.pre, line, sizeof(line)));
        json_string(&t, "preprocessing_source", j->picture.source);
    }
    json_open(&t, "recipes", '[');
    for (size_t i = 0; i < j->n_recipes; i++) {
        json_open(&t, NULL, '{');
        json_string(&t, "name", j->recipes[i].name);
        json_number(&t, "confidence", j->recipes[i].confidence);
        json_int(&t, "top", j->recipes[i].top);
        json_string(&t, "label", doctor_label(j, j->recipes[i].top));
        json_close(&t, '}');
    }
    json_close(&t, ']');
    json_open(&t, "warnings", '[');
    for (size_t i = 0; i < j->n_warnings; i++)
        json_string(&t, NULL, j->warnings[i]);
    json_close(&t, ']');
    json_close(&t, '}');
    return json_print(&t);
}

static int doctor_inputs(doctor_job *j)
{
    const char *path = j->a->n_positional > 1 ? j->a->positional[1] : NULL,
               *name = cli_value(j->a, OPT_input);
    sal_tensor t = SAL_TENSOR_INIT, cast = SAL_TENSOR_INIT;
    sal_error err = {SAL_OK, 0, ""};
    sal_value_info v = {.dtype = SAL_F32};
    int status = CLI_FAILED;

    if (path == NULL && !cli_has(j->a, OPT_in))
        return CLI_OK;
    for (size_t i = 0; sal_model_input(j->model, i, &v); i++) {
        j->input = i;
        if (name != NULL ? strcmp(v.name, name) == 0 : sal_dtype_is_float(v.dtype))
            break;
    }
    if (path != NULL) {
        if (!cli_picture_read(&j->picture, j->a, j->model, path, &t, &j->notes, &status))
            return status;
        sal_status st = sal_tensor_cast(&cast, &t, v.dtype, &err);
        sal_tensor_free(&t);
        if (st != SAL_OK)
            return cli_fail(path, st, &err);
    }
    if (!cli_inputs_read(&j->in, j->a, j->model, path == NULL ? NULL : &cast, j->input, &j->notes,
                         &status)) {
        sal_tensor_free(&cast);
        return status;
    }
    j->given = true;
    doctor_range(j);
    return CLI_OK;
}

int verb_doctor(const cli_args *a)
{
    doctor_job j = {.a = a, .picture = {.image = SAL_IMAGE_INIT, .pre = SAL_PREPROCESS_INIT}};
    int status = CLI_FAILED;

    j.model = cli_open(a->positional[0], &status);
    if (j.model == NULL)
        return status;
    status = doctor_inputs(&j);
    for (size_t i = 0; status == CLI_OK && i < sal_method_count() && i < CLI_MAX_METHODS; i++) {
        doctor_try(&j, i);
        j.n_methods = i + 1;
    }
    if (status == CLI_OK && j.picture.is_image)
        status = doctor_picture(&j);
    if (j.picture.is_image && j.picture.guessed)
        doctor_warn(&j, "the model does not say how pictures are prepared: the recipe is a guess");
    if (status == CLI_OK && cli_has(a, OPT_json))
        status = doctor_json(&j);
    else if (status == CLI_OK)
        doctor_print(&j);
    cli_inputs_free(&j.in);
    cli_picture_free(&j.picture);
    sal_labels_free(j.labels);
    sal_model_free(j.model);
    free(j.notes.text);
    return status;
}
