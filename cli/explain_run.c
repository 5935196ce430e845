/* Loading, asking and explaining: what `explain` and `diff` share. */
#include "explain_job.h"

/* ---- hashes, beside the work ---- */

static void *explain_hash(void *ctx)
{
    job_hashes *h = ctx;

    if (sal_file_sha256(h->model, h->model_hex, NULL) != SAL_OK)
        h->model_hex[0] = '\0';
    if (h->image == NULL || sal_file_sha256(h->image, h->image_hex, NULL) != SAL_OK)
        h->image_hex[0] = '\0';
    return NULL;
}

static void explain_hash_begin(explain_job *j)
{
    j->hashes.model = j->model_path;
    j->hashes.image = j->image_path;
    if (cli_has(j->a, OPT_text) || cli_has(j->a, OPT_prompt))
        j->hashes.image = NULL;
    if (pthread_create(&j->hashes.thread, NULL, explain_hash, &j->hashes) == 0)
        j->hashes.running = true;
    else
        (void)explain_hash(&j->hashes);
}

/* ---- inputs ---- */

/* The input that the picture is for: --input, else the first that holds floats. */
static bool explain_input(const explain_job *j, size_t *index)
{
    const char *name = cli_value(j->a, OPT_input);
    sal_value_info v;

    for (size_t i = 0; sal_model_input(j->model, i, &v); i++) {
        if (name != NULL ? strcmp(v.name, name) == 0 : sal_dtype_is_float(v.dtype)) {
            *index = i;
            return true;
        }
    }
    if (name != NULL)
        (void)cli_usage(j->a, "--input %s: the model has no such input", name);
    else
        (void)cli_fail_text("%s: no input holds floating-point numbers, so there is nothing to "
                            "explain",
                            j->model_path);
    return false;
}

/* What a .npy is read as fits the input, or is told. */
static bool explain_cast(explain_job *j, sal_tensor *t, size_t index, int *status)
{
    sal_value_info v;
    sal_tensor cast = SAL_TENSOR_INIT;
    sal_error err = {SAL_OK, 0, ""};
    sal_status st;

    if (!sal_model_input(j->model, index, &v))
        return true;
    if (!j->picture.is_image && !cli_shape_fits(t, &v, j->image_path, status))
        return false;
    if (v.dtype == t->dtype)
        return true;
    if (!sal_dtype_is_float(t->dtype)) {
        *status = cli_fail_text("%s: holds %s, but input %s takes %s", j->image_path,
                                sal_dtype_name(t->dtype), v.name, v.type);
        return false;
    }
    if (!j->picture.is_image)
        cli_note_later(&j->notes, "%s: %s converted to %s", j->image_path, sal_dtype_name(t->dtype),
                       sal_dtype_name(v.dtype));
    st = sal_tensor_cast(&cast, t, v.dtype, &err);
    if (st != SAL_OK) {
        *status = cli_fail(j->image_path, st, &err);
        return false;
    }
    sal_tensor_free(t);
    *t = cast;
    return true;
}

/* --region: a picture, or a tensor. */
static bool explain_region(explain_job *j, int *status)
{
    const char *path = cli_value(j->a, OPT_region);
    size_t n = path == NULL ? 0 : strlen(path);
    sal_image image = SAL_IMAGE_INIT;
    sal_error err = {SAL_OK, 0, ""};
    sal_status st;

    if (path == NULL)
        return true;
    if (n > 4 && strcmp(path + n - 4, ".npy") == 0) {
        st = sal_npy_read(&j->region, path, &err);
    } else {
        st = sal_image_read(&image, path, &err);
        int64_t dims[] = {image.height, image.width, 3};
        if (st == SAL_OK)
            st = sal_tensor_new(&j->region, SAL_U8, 3, dims, &err);
        if (st == SAL_OK)
            memcpy(j->region.data, image.data, sal_tensor_bytes(&j->region));
        sal_image_free(&image);
    }
    if (st != SAL_OK)
        *status = cli_fail(path, st, &err);
    return st == SAL_OK;
}

/* --features: labels of what goes together. */
static bool explain_features(explain_job *j, int *status)
{
    const char *path = cli_value(j->a, OPT_features);
    sal_error err = {SAL_OK, 0, ""};
    sal_status st;

    if (path == NULL)
        return true;
    st = sal_npy_read(&j->features, path, &err);
    if (st != SAL_OK)
        *status = cli_fail(path, st, &err);
    return st == SAL_OK;
}

/* A language model is asked about logits[POSITION,ID] of the text as it is. */
static bool explain_asks_logits(const explain_job *j)
{
    for (size_t i = 0; i < j->n_questions; i++) {
        const job_question *q = &j->questions[i];

        for (size_t k = 0; k < q->n_why + q->n_not; k++) {
            if (strstr(k < q->n_why ? q->why[k] : q->not_[k - q->n_why], "logits[") != NULL)
                return true;
        }
    }
    return false;
}

/* Questions to a language model: texts of tokens become their ids; of an answer all is meant where
 * nothing is said. Without a method the quickest is taken that tells words apart. */
static bool explain_lm_questions(explain_job *j, int *status)
{
    for (size_t i = 0; i < j->n_questions; i++) {
        job_question *q = &j->questions[i];

        if (j->words.n_answer > 0 && q->n_why + q->n_not == 0 &&
            !job_question_push(q, "sum(answer[:])")) {
            *status = CLI_FAILED;
            return false;
        }
        for (size_t k = 0; k < q->n_why + q->n_not; k++) {
            const char **text = k < q->n_why ? &q->why[k] : &q->not_[k - q->n_why];
            char buf[32];
            const char *found = cli_words_target(&j->words, j->a, *text, buf, sizeof(buf));

            if (found != NULL && found == buf)
                found = job_keep(j, buf);
            if (found == NULL) {
                *status = CLI_USAGE;
                return false;
            }
            *text = found;
        }
    }
    if (!cli_has(j->a, OPT_method) && !cli_has(j->a, OPT_methods)) {
        j->methods.names[0] = "gradient-x-input";
        cli_note_later(&j->notes, "a language model: gradient-x-input (--method to change)");
    }
    return true;
}

/* Text: its embeddings are what is explained, a token is a feature, and without it [PAD] stands
 * there. */
static int explain_words(explain_job *j)
{
    static const char *const pictures[] = {"occlusion", "rise"};
    int status = CLI_FAILED;

    for (size_t m = 0; m < j->methods.n && !j->methods.all; m++) {
        for (size_t i = 0; i < sizeof(pictures) / sizeof(pictures[0]); i++) {
            if (strcmp(j->methods.names[m], pictures[i]) == 0)
                return cli_usage(j->a,
                                 "%s moves windows over pictures; feature-ablation, lime and "
                                 "kernel-shap take words away",
                                 pictures[i]);
        }
    }
    sal_error err = {SAL_OK, 0, ""};
    bool lm = sal_model_meta(j->model, "lm.architecture") != NULL && !explain_asks_logits(j);
    sal_model *cut =
        lm ? cli_words_lm(&j->words, j->a, j->image_path, &j->in, &j->notes, &status)
           : cli_words_load(&j->words, j->a, j->model, j->image_path, &j->in, &j->notes, &status);
    const sal_tensor *x;

    if (cut == NULL || (lm && !explain_lm_questions(j, &status))) {
        sal_model_free(cut);
        return status;
    }
    sal_model_free(j->model);
    j->model = cut;
    x = &j->in.tensors[j->in.n - 1];
    if (j->words.baseline.data != NULL && j->methods.baselines.data == NULL) {
        j->methods.baselines = j->words.baseline;
        j->words.baseline = (sal_tensor)SAL_TENSOR_INIT;
    }
    if (!explain_features(j, &status) || !explain_region(j, &status))
        return status;
    if (j->features.data == NULL && x->rank >= 2) {
        int64_t width = x->dims[x->rank - 1], dims[2] = {x->dims[x->rank - 2], width};

        if (sal_tensor_new(&j->features, SAL_I32, 2, dims, &err) != SAL_OK)
            return cli_fail(j->model_path, SAL_ENOMEM, &err);
        for (int64_t i = 0; i < dims[0] * width; i++)
            sal_tensor_set(&j->features, i, (double)(i / width));
    }
    return CLI_OK;
}

/* Layers are looked for where the input is a picture; without one the default method asks the input
 * itself. */
static void explain_default(explain_job *j, size_t index)
{
    if (cli_has(j->a, OPT_method) || cli_has(j->a, OPT_methods) || cli_has(j->a, OPT_layer) ||
        j->in.tensors[index].rank == 4)
        return;
    j->methods.names[0] = "integrated-gradients";
    cli_note_later(&j->notes, "the input is no picture: integrated-gradients in place of grad-cam "
                              "(--method to change)");
}

int job_load(explain_job *j)
{
    sal_tensor t = SAL_TENSOR_INIT;
    size_t index = 0;
    int status = CLI_FAILED;

    status = cli_baselines(&j->methods, j->a);
    if (status != CLI_OK)
        return status;
    j->model = cli_open_lean(j->model_name, &status);
    if (j->model == NULL)
        return status;
    status = CLI_FAILED;
    explain_hash_begin(j);
    if (cli_words_wanted(j->a, j->image_path))
        return explain_words(j);
    if (j->image_path == NULL)
        return cli_usage(j->a, "explain what? a picture, a .npy, a .txt or --text");
    if (!explain_input(j, &index))
        return cli_has(j->a, OPT_input) ? CLI_USAGE : CLI_FAILED;
    if (!job_names(j, &status))
        return status;
    if (cli_picture_read(&j->picture, j->a, j->model, j->image_path, &t, &j->notes, &status) &&
        explain_cast(j, &t, index, &status) && explain_features(j, &status) &&
        explain_region(j, &status) &&
        cli_inputs_read(&j->in, j->a, j->model, &t, index, &j->notes, &status))
        status = CLI_OK;
    sal_tensor_free(&t);
    if (status == CLI_OK)
        explain_default(j, index);
    return status;
}

/* ---- explaining ---- */

/* The output that a target names, as in mask[3]; NULL when none does. */
static const char *explain_named_output(const explain_job *j)
{
    sal_value_info v;

    for (size_t i = 0; i < j->n_questions; i++) {
        const job_question *q = &j->questions[i];

        for (size_t k = 0; k < q->n_why + q->n_not; k++) {
            const char *text = k < q->n_why ? q->why[k] : q->not_[k - q->n_why];
            const char *open = strchr(text, '['), *round = strchr(text, '(');
            const char *name = round != NULL && round < open ? round + 1 : text;

            for (size_t o = 0; open != NULL && sal_model_output(j->model, o, &v); o++) {
                if (strlen(v.name) == (size_t)(open - name) &&
                    strncmp(v.name, name, (size_t)(open - name)) == 0)
                    return v.name;
            }
        }
    }
    return NULL;
}

static sal_explain_opts explain_opts(explain_job *j, size_t m, sal_param *params)
{
    sal_explain_opts o = cli_explain_opts(&j->methods, m, j->a, params);

    o.threads = j->threads;
    o.batch = j->batch;
    o.precision = j->precision;
    o.progress = cli_progress_step;
    o.progress_ctx = &j->progress;
    if (o.output == NULL)
        o.output = explain_named_output(j);
    if (j->words.tokenizer != NULL)
        o.input = j->words.value;
    o.features = j->features.data == NULL ? NULL : &j->features;
    return o;
}

static sal_status explain_plan(explain_job *j, size_t m, sal_error *err)
{
    sal_param params[CLI_MAX_PARAMS];
    sal_explain_opts o = explain_opts(j, m, params);

    sal_explain_plan_free(j->plan);
    j->plan = NULL;
    return sal_explain_plan_new(&j->plan, j->model, &o, j->in.tensors, err);
}

static char *explain_copy(const char *text)
{
    char *copy = malloc(strlen(text) + 1);

    return copy == NULL ? NULL : memcpy(copy, text, strlen(text) + 1);
}

/* What is asked about, the names of its classes, and the questions as weights. */
static int explain_ask(explain_job *j)
{
    sal_error err = {SAL_OK, 0, ""};
    int status = CLI_FAILED;
    sal_status st = SAL_OK;

    sal_explain_plan_target(j->plan, &j->target);
    j->output_name = explain_copy(j->target.output_name);
    j->input_name = explain_copy(j->target.input_name);
    j->asked = calloc(j->n_questions, sizeof(*j->asked));
    j->cells = calloc(j->n_questions * j->methods.n, sizeof(*j->cells));
    if (j->asked == NULL || j->cells == NULL || j->output_name == NULL || j->input_name == NULL)
        return cli_fail_text("out of memory");
    if (!job_names_fit(j, &status))
        return status;
    if (j->words.labels != NULL) {
        j->labels = j->words.labels;
        j->words.labels = NULL;
    } else if (!cli_labels(j->a, j->model, j->target.classes, &j->labels, &j->notes, &status)) {
        return status;
    }
    if (j->n_questions > 1)
        st = sal_explain_plan_logits(j->plan, j->in.tensors, &j->logits, &err);
    if (st != SAL_OK)
        return cli_fail(j->model_path, st, &err);
    for (size_t q = 0; q < j->n_questions; q++) {
        const job_question *w = &j->questions[q];
        sal_question words = {w->why, w->n_why, w->not_, w->n_not,
                              j->region.data == NULL ? NULL : &j->region};

        st = sal_explain_plan_ask(j->plan, j->in.tensors, &words,
                                  j->logits.data == NULL ? NULL : &j->logits, j->labels,
                                  &j->asked[q], &err);
        if (st == SAL_EINVAL && w->n_why + w->n_not > 0)
            return cli_usage(j->a, "%s", err.msg);
        if (st != SAL_OK)
            return cli_fail(j->model_path, st, &err);
    }
    return CLI_OK;
}

static sal_status explain_cell(explain_job *j, size_t q, size_t m, sal_error *err)
{
    job_cell *c = job_cell_at(j, q, m);
    double began = cli_seconds();
    sal_status st = sal_explain_plan_run(j->plan, j->in.tensors, &j->asked[q].weights, &c->e, err);

    c->seconds = cli_seconds() - began;
    if (st != SAL_OK)
        return st;
    c->done = true;
    if (j->logits.data == NULL)
        j->logits = sal_tensor_ref(&c->e.logits);
    return job_map(j, c) ? SAL_OK : SAL_ENOMEM;
}

/* The checks of one method's answers: their own share of the progress bar. */
static sal_status explain_check(explain_job *j, size_t q, size_t m, sal_error *err)
{
    sal_param params[CLI_MAX_PARAMS];
    sal_explain_opts o = explain_opts(j, m, params);

    j->progress.what = "checks";
    return job_check(j, &o, q, job_cell_at(j, q, m), err);
}

/* A method that does not work for this model leaves a cell with the reason; the only one, or one
 * asked for by name, is a failure. */
static int explain_method(explain_job *j, size_t m)
{
    size_t n = j->methods.n;
    sal_error err = {SAL_OK, 0, ""};
    sal_status st = SAL_OK;
    int status;

    j->progress.what = j->methods.names[m];
    if (m > 0 || j->plan == NULL)
        st = explain_plan(j, m, &err);
    if (st == SAL_OK && j->asked == NULL) {
        status = explain_ask(j);
        if (status != CLI_OK)
            return status;
    }
    for (size_t q = 0; st == SAL_OK && q < j->n_questions; q++) {
        j->progress.share = 1.0 / (double)(n * j->n_questions);
        j->progress.from = ((double)m + (double)q / (double)j->n_questions) / (double)n;
        st = explain_cell(j, q, m, &err);
        if (st == SAL_OK && cli_has(j->a, OPT_check))
            st = explain_check(j, q, m, &err);
    }
    if (st == SAL_ECANCELLED) {
        j->interrupted = true;
        return CLI_INTERRUPTED;
    }
    if (st == SAL_OK)
        return CLI_OK;
    if (n == 1) {
        /* A name that the user gave is wrong usage, anything else the model's fault. */
        bool named = j->methods.layer_given || cli_has(j->a, OPT_output);

        if (st == SAL_EINVAL && named && j->asked == NULL)
            return cli_usage(j->a, "%s", err.msg);
        cli_progress_end(&j->progress);
        return cli_fail(j->model_path, st, &err);
    }
    for (size_t q = 0; j->cells != NULL && q < j->n_questions; q++)
        (void)snprintf(job_cell_at(j, q, m)->failed, sizeof(job_cell_at(j, q, m)->failed), "%s",
                       err.msg[0] == '\0' ? sal_status_text(st) : err.msg);
    return CLI_FAILED;
}

/* Questions need a plan that works: with several methods the first that can be prepared. */
static int explain_begin(explain_job *j)
{
    sal_error err = {SAL_OK, 0, ""};

    for (size_t m = 0; m < j->methods.n && j->plan == NULL; m++) {
        if (explain_plan(j, m, &err) == SAL_OK) {
            int status = explain_ask(j);

            if (status == CLI_OK && m > 0) {
                sal_explain_plan_free(j->plan);
                j->plan = NULL;
            }
            return status;
        }
    }
    return cli_fail(j->model_path, SAL_ENOGRAD, &err);
}

int job_explain(explain_job *j)
{
    int status = CLI_OK, failed = 0;

    if (j->methods.n > 1)
        status = explain_begin(j);
    for (size_t m = 0; status == CLI_OK && m < j->methods.n; m++) {
        int one = explain_method(j, m);

        if (one == CLI_INTERRUPTED || (one != CLI_OK && (j->methods.n == 1 || one == CLI_USAGE)))
            return one;
        failed += one != CLI_OK;
    }
    if (status != CLI_OK)
        return status;
    if ((size_t)failed == j->methods.n || (failed > 0 && !j->methods.all))
        return CLI_FAILED;
    return CLI_OK;
}

/* ---- the whole ---- */

bool job_any(const explain_job *j)
{
    for (size_t i = 0; j->cells != NULL && i < j->n_questions * j->methods.n; i++) {
        if (j->cells[i].done)
            return true;
    }
    return false;
}

void job_free(explain_job *j)
{
    job_hashes_wait(j);
    for (size_t i = 0; j->cells != NULL && i < j->n_questions * j->methods.n; i++) {
        sal_explanation_free(&j->cells[i].e);
        free(j->cells[i].map);
        free(j->cells[i].checks);
    }
    free(j->cells);
    job_questions_free(j);
    sal_explain_plan_free(j->plan);
    sal_tensor_free(&j->logits);
    sal_tensor_free(&j->features);
    cli_methods_free(&j->methods);
    sal_tensor_free(&j->region);
    sal_labels_free(j->labels);
    cli_inputs_free(&j->in);
    cli_words_free(&j->words);
    job_names_free(j);
    cli_picture_free(&j->picture);
    sal_model_free(j->model);
    free(j->notes.text);
    free(j->output_name);
    free(j->input_name);
}
