/* Results of `explain` as files: overlay or sheet, description, raw maps. */
#include "explain_job.h"

/* ---- hashes ---- */

void job_hashes_wait(explain_job *j)
{
    if (j->hashes.running)
        (void)pthread_join(j->hashes.thread, NULL);
    j->hashes.running = false;
}

/* ---- description ---- */

/* Words for a shell. */
static void write_word(cli_text *t, const char *word)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./,:@%[]";

    if (word[0] != '\0' && strspn(word, plain) == strlen(word) && strpbrk(word, "[]") == NULL) {
        cli_text_add(t, word, strlen(word));
        return;
    }
    cli_text_add(t, "'", 1);
    for (; *word != '\0'; word++) {
        if (*word == '\'')
            cli_text_add(t, "'\\''", 4);
        else
            cli_text_add(t, word, 1);
    }
    cli_text_add(t, "'", 1);
}

const char *job_command(const explain_job *j, cli_text *t)
{
    cli_text_printf(t, "salience");
    for (int i = 1; i < j->a->argc; i++) {
        cli_text_add(t, " ", 1);
        write_word(t, j->a->argv[i]);
    }
    return t->data == NULL ? "" : t->data;
}

static void write_classes(const explain_job *j, cli_text *t, const char *key, const int64_t *c,
                          size_t n)
{
    json_open(t, key, '[');
    for (size_t i = 0; i < n; i++) {
        const char *wnid = j->labels == NULL ? NULL : sal_labels_wnid(j->labels, (size_t)c[i]);
        const char *label = job_class(j, (size_t)c[i]);

        json_open(t, NULL, '{');
        json_int(t, "index", c[i]);
        json_string(t, "label", label[0] == '\0' ? NULL : label);
        json_string(t, "wnid", wnid);
        json_close(t, '}');
    }
    json_close(t, ']');
}

static void write_preprocess(const explain_job *j, cli_text *t)
{
    static const char *const modes[] = {"none", "short", "exact"};
    const sal_preprocess *p = &j->picture.pre;
    char line[256];

    if (!j->picture.is_image) {
        json_string(t, "preprocessing", NULL);
        return;
    }
    json_open(t, "preprocessing", '{');
    json_string(t, "text", sal_preprocess_describe(p, line, sizeof(line)));
    json_string(t, "source", j->picture.source);
    json_bool(t, "guessed", j->picture.guessed);
    json_string(t, "resize", modes[p->resize]);
    json_int(t, "resize_height", p->resize_height);
    json_int(t, "resize_width", p->resize_width);
    json_string(t, "filter", sal_filter_name(p->filter));
    json_int(t, "crop_height", p->crop_height);
    json_int(t, "crop_width", p->crop_width);
    json_number(t, "rescale", (double)p->rescale);
    json_open(t, "mean", '[');
    for (int i = 0; i < 3; i++)
        json_number(t, NULL, (double)p->mean[i]);
    json_close(t, ']');
    json_open(t, "std", '[');
    for (int i = 0; i < 3; i++)
        json_number(t, NULL, (double)p->std[i]);
    json_close(t, ']');
    json_string(t, "layout", p->nhwc ? "nhwc" : "nchw");
    json_string(t, "order", p->bgr ? "bgr" : "rgb");
    json_close(t, '}');
}

static void write_shape(cli_text *t, const char *key, const sal_tensor *x)
{
    json_open(t, key, '[');
    for (int i = 0; i < x->rank; i++)
        json_int(t, NULL, x->dims[i]);
    json_close(t, ']');
}

static void write_numbers(cli_text *t, const char *key, const double *v, size_t n)
{
    if (v == NULL) {
        json_string(t, key, NULL);
        return;
    }
    json_open(t, key, '[');
    for (size_t i = 0; i < n; i++)
        json_number(t, NULL, v[i]);
    json_close(t, ']');
}

static void write_parameters(const explain_job *j, const sal_method_info *info, cli_text *t)
{
    json_open(t, "parameters", '{');
    for (size_t i = 0; i < info->n_params; i++) {
        double v = info->params[i].fallback;

        for (size_t k = 0; k < j->methods.n_params; k++) {
            if (strcmp(j->methods.params[k].name, info->params[i].name) == 0)
                v = j->methods.params[k].value;
        }
        json_number(t, info->params[i].name, v);
    }
    json_close(t, '}');
}

/* The map of one sample alone is height x width. */
static sal_tensor write_alone(const sal_tensor *map)
{
    sal_tensor t = *map;

    if (t.rank == 3 && t.dims[0] == 1) {
        t.rank = 2;
        t.dims[0] = t.dims[1];
        t.dims[1] = t.dims[2];
    }
    return t;
}

static void write_cell(const explain_job *j, size_t question, size_t method, cli_text *t)
{
    const job_cell *c = job_cell_at(j, question, method);
    const sal_method_info *info = sal_method_find(j->methods.names[method]);
    const sal_tensor map = write_alone(&c->e.map);
    char where[256];

    json_open(t, NULL, '{');
    json_string(t, "question", j->asked[question].text);
    json_string(t, "method", info->name);
    write_parameters(j, info, t);
    if (!c->done) {
        json_string(t, "failed", c->failed[0] == '\0' ? "interrupted" : c->failed);
        json_close(t, '}');
        return;
    }
    json_string(t, "layer", c->e.layer);
    json_string(t, "differentiated", c->e.output);
    json_bool(t, "signed", c->e.is_signed);
    write_shape(t, "map_shape", &map);
    write_numbers(t, "target", c->e.target, c->e.n);
    write_numbers(t, "baseline_target", c->e.baseline_target, c->e.n);
    write_numbers(t, "residual", c->e.residual, c->e.n);
    if (c->map != NULL)
        json_string(t, "where", job_where(j, c, where, sizeof(where)));
    json_string(t, "notes", c->e.notes);
    if (j->words.tokenizer != NULL)
        job_words_json(j, question, method, t);
    if (job_is_drawn(j))
        job_kind_json(j, question, method, t);
    job_check_json(c, t);
    json_number(t, "seconds", c->seconds);
    json_close(t, '}');
}

static void write_questions(const explain_job *j, cli_text *t)
{
    json_open(t, "questions", '[');
    for (size_t i = 0; i < j->n_questions; i++) {
        const sal_asked *q = &j->asked[i];

        json_open(t, NULL, '{');
        json_string(t, "text", q->text);
        write_classes(j, t, "why", q->why, q->n_why);
        write_classes(j, t, "not", q->foil, q->n_not);
        json_string(t, "notes", q->notes);
        json_close(t, '}');
    }
    json_close(t, ']');
}

static void write_top(const explain_job *j, cli_text *t)
{
    double *p = job_probabilities(j);
    size_t top[5], n = p == NULL ? 0 : job_top(j, p, 5, top);

    json_open(t, "top", '[');
    for (size_t i = 0; i < n; i++) {
        const char *label = job_class(j, top[i]);

        json_open(t, NULL, '{');
        json_int(t, "index", (int64_t)top[i]);
        json_string(t, "label", label[0] == '\0' ? NULL : label);
        if (job_is_classes(j)) {
            json_number(t, "probability", p[top[i]]);
        } else {
            char element[128];

            json_string(t, "element", job_element(j, top[i], element, sizeof(element)));
        }
        json_number(t, "logit", sal_tensor_get(&j->logits, (int64_t)top[i]));
        json_close(t, '}');
    }
    json_close(t, ']');
    free(p);
}

void job_json(explain_job *j, cli_text *t)
{
    cli_text command = {NULL, 0, 0, false, 0, false, false};

    job_hashes_wait(j);
    json_open(t, NULL, '{');
    json_string(t, "salience", sal_version());
    json_string(t, "model", j->model_path);
    json_string(t, "model_sha256", j->hashes.model_hex[0] == '\0' ? NULL : j->hashes.model_hex);
    json_string(t, "image", j->image_path);
    json_string(t, "image_sha256", j->hashes.image_hex[0] == '\0' ? NULL : j->hashes.image_hex);
    json_string(t, "input", j->input_name);
    json_string(t, "output", j->output_name);
    write_preprocess(j, t);
    write_top(j, t);
    write_questions(j, t);
    json_int(t, "seed", (int64_t)j->methods.seed);
    json_string(t, "dtype", j->precision == SAL_BF16 ? "bf16" : "f32");
    json_open(t, "explanations", '[');
    for (size_t q = 0; q < j->n_questions; q++) {
        for (size_t m = 0; m < j->methods.n; m++)
            write_cell(j, q, m, t);
    }
    json_close(t, ']');
    job_agree_json(j, t);
    json_string(t, "command", job_command(j, &command));
    json_close(t, '}');
    cli_text_free(&command);
}

/* ---- pictures ---- */

/* Sample 0 of a picture's tensor as float32 [1, C, H, W]; other numbers of channels than 3 as their
 * mean. */
static sal_status write_sample(const explain_job *j, const sal_tensor *x, sal_tensor *out,
                               sal_error *err)
{
    bool last = j->target.channels_last;
    int64_t channels = x->dims[last ? 3 : 1], pixels = j->target.height * j->target.width;
    int64_t shown = channels == 3 ? 3 : 1, share = channels / shown;
    int64_t dims[4] = {1, shown, j->target.height, j->target.width};
    sal_status st = sal_tensor_new(out, SAL_F32, 4, dims, err);

    for (int64_t i = 0; st == SAL_OK && i < pixels * channels; i++) {
        int64_t pixel = last ? i / channels : i % pixels;
        int64_t channel = last ? i % channels : i / pixels;
        int64_t at = channel / share * pixels + pixel;

        sal_tensor_set(out, at, sal_tensor_get(out, at) + sal_tensor_get(x, i) / (double)share);
    }
    return st;
}

int job_no_picture(const explain_job *j)
{
    return cli_fail_text("-o %s: input %s is no picture; --raw writes the map",
                         cli_value(j->a, OPT_o), j->input_name);
}

bool job_backdrop(const explain_job *j, sal_image *out, int32_t width, int *status)
{
    sal_error err = {SAL_OK, 0, ""};
    sal_status st;

    *out = (sal_image)SAL_IMAGE_INIT;
    if (j->picture.is_image)
        st = sal_preprocess_backdrop(out, &j->picture.image, &j->picture.pre, width, &err);
    else {
        sal_tensor first = SAL_TENSOR_INIT;

        if (j->target.height < 1 || j->target.width < 1) {
            *status = job_no_picture(j);
            return false;
        }
        st = write_sample(j, &j->in.tensors[j->target.input], &first, &err);
        if (st == SAL_OK)
            st = sal_image_from_tensor(out, &first, NULL, &err);
        sal_tensor_free(&first);
    }
    if (st != SAL_OK)
        *status = cli_fail(j->image_path, st, &err);
    return st == SAL_OK;
}

static int write_overlay(explain_job *j)
{
    const job_cell *c = job_cell_at(j, 0, 0);
    sal_picture_opts look = j->look;
    sal_image base = SAL_IMAGE_INIT, picture = SAL_IMAGE_INIT;
    sal_error err = {SAL_OK, 0, ""};
    char title[512], verdict[512];
    int status = CLI_OK;
    sal_status st;

    (void)snprintf(title, sizeof(title), "%s: %s", sal_method_find(j->methods.names[0])->title,
                   j->asked[0].text);
    look.title = title;
    look.verdict = job_check_line(c, verdict, sizeof(verdict));
    look.is_signed = c->e.is_signed;
    if (!job_backdrop(
            j, &base,
            (int32_t)(c->width < 600 ? (600 + c->width - 1) / c->width * c->width : c->width),
            &status))
        return status;
    st = sal_picture_overlay(&picture, &base, c->map, c->height, c->width, &look, NULL, &err);
    if (st == SAL_OK)
        st = sal_image_write_png(&picture, j->png, &err);
    if (st != SAL_OK)
        status = cli_fail(NULL, st, &err);
    sal_image_free(&base);
    sal_image_free(&picture);
    return status;
}

/* What a cell of the sheet shows, or why it is empty. */
static sal_sheet_cell write_sheet_cell(const job_cell *c)
{
    return (sal_sheet_cell){.map = c->map,
                            .height = c->height,
                            .width = c->width,
                            .is_signed = c->e.is_signed,
                            .note = c->done                ? NULL
                                    : c->failed[0] == '\0' ? "interrupted"
                                                           : c->failed};
}

typedef struct write_grid {
    sal_sheet_cell *cells;
    const char **rows, **columns;
    char (*labels)[256];      /* of the columns */
    job_agreement *agreement; /* of every question; NULL: not wanted */
} write_grid;

static void write_grid_free(write_grid *g, size_t questions)
{
    for (size_t q = 0; g->agreement != NULL && q < questions; q++)
        free(g->agreement[q].map);
    free(g->agreement);
    free(g->cells);
    free(g->rows);
    free(g->columns);
    free(g->labels);
}

static bool write_grid_make(const explain_job *j, write_grid *g)
{
    bool agree = cli_has(j->a, OPT_agree);
    size_t columns = j->methods.n + (agree ? 1 : 0);

    g->cells = calloc(j->n_questions * columns, sizeof(*g->cells));
    g->rows = calloc(j->n_questions, sizeof(*g->rows));
    g->columns = calloc(columns, sizeof(*g->columns));
    g->labels = calloc(columns, sizeof(*g->labels));
    g->agreement = agree ? calloc(j->n_questions, sizeof(*g->agreement)) : NULL;
    if (g->cells == NULL || g->rows == NULL || g->columns == NULL || g->labels == NULL ||
        (agree && g->agreement == NULL))
        return false;
    for (size_t m = 0; m < j->methods.n; m++)
        g->columns[m] = cli_method_label(&j->methods, m, g->labels[m], sizeof(g->labels[m]));
    if (agree)
        g->columns[j->methods.n] = "agreement";
    for (size_t q = 0; q < j->n_questions; q++) {
        sal_sheet_cell *row = &g->cells[q * columns];

        g->rows[q] = j->asked[q].text;
        for (size_t m = 0; m < j->methods.n; m++)
            row[m] = write_sheet_cell(job_cell_at(j, q, m));
        if (!agree)
            continue;
        if (!job_agree(j, q, &g->agreement[q]))
            return false;
        row[j->methods.n] = (sal_sheet_cell){
            .map = g->agreement[q].map,
            .height = g->agreement[q].height,
            .width = g->agreement[q].width,
            .note = g->agreement[q].map != NULL ? NULL : "fewer than two maps of one size"};
    }
    return true;
}

static int write_sheet(explain_job *j)
{
    sal_sheet_opts sheet = SAL_SHEET_OPTS_INIT;
    write_grid g = {NULL, NULL, NULL, NULL, NULL};
    sal_image base = SAL_IMAGE_INIT, picture = SAL_IMAGE_INIT;
    sal_error err = {SAL_OK, 0, ""};
    int status = CLI_OK;
    sal_status st;

    if (!write_grid_make(j, &g)) {
        status = cli_fail_text("out of memory");
        goto done;
    }
    sheet.rows = (int32_t)j->n_questions;
    sheet.columns = (int32_t)(j->methods.n + (g.agreement != NULL ? 1 : 0));
    sheet.row_labels = g.rows;
    sheet.column_labels = g.columns;
    sheet.percentile = j->look.percentile;
    sheet.opacity = j->look.opacity;
    if (!job_backdrop(j, &base, 672, &status))
        goto done;
    st = sal_picture_sheet(&picture, &base, g.cells, &sheet, &err);
    if (st == SAL_OK)
        st = sal_image_write_png(&picture, j->png, &err);
    if (st != SAL_OK)
        status = cli_fail(NULL, st, &err);
done:
    write_grid_free(&g, j->n_questions);
    sal_image_free(&base);
    sal_image_free(&picture);
    return status;
}

/* ---- raw maps ---- */

/* Several maps go to several files: map.npy becomes map.METHOD.npy and map.METHOD.2.npy. */
static bool write_is_nifti(const char *path)
{
    return cli_ends_with(path, ".nii") || cli_ends_with(path, ".nii.gz");
}

static sal_status write_map(const explain_job *j, const sal_tensor *map, const char *path,
                            sal_error *err)
{
    if (write_is_nifti(path))
        return sal_nifti_write(map, j->picture.is_volume ? &j->picture.nifti : NULL, path, err);
    return sal_npy_write(map, path, err);
}

static const char *write_raw_path(const explain_job *j, const char *path, size_t q, size_t m,
                                  char *buf, size_t n)
{
    const char *end = cli_ends_with(path, ".nii.gz") ? ".nii.gz"
                      : cli_ends_with(path, ".nii")  ? ".nii"
                                                     : ".npy";
    char suffix[400], number[32] = "", label[256], bare[CLI_PATH];

    if (j->n_questions * j->methods.n == 1)
        return path;
    if (q > 0)
        (void)snprintf(number, sizeof(number), ".%zu", q + 1);
    (void)cli_method_label(&j->methods, m, label, sizeof(label));
    for (char *p = label; *p != '\0'; p++)
        *p = strchr("/: ", *p) != NULL ? '_' : *p;
    (void)snprintf(suffix, sizeof(suffix), "%s%s%s%s", j->methods.n > 1 ? "." : "",
                   j->methods.n > 1 ? label : "", number, end);
    (void)snprintf(bare, sizeof(bare), "%s", path);
    if (strcmp(end, ".nii.gz") == 0)
        bare[strlen(bare) - 3] = '\0';
    return cli_suffix(bare, suffix, buf, n);
}

static int write_raw(const explain_job *j)
{
    const char *raw = cli_value(j->a, OPT_raw), *layer = cli_value(j->a, OPT_raw_layer);
    char path[CLI_PATH];
    sal_error err = {SAL_OK, 0, ""};
    sal_status st = SAL_OK;

    for (size_t q = 0; q < j->n_questions; q++) {
        for (size_t m = 0; m < j->methods.n; m++) {
            const job_cell *c = job_cell_at(j, q, m);
            bool cam = c->e.layer_map.data != NULL;
            sal_tensor map = write_alone(&c->e.map), small = write_alone(&c->e.layer_map);

            if (!c->done)
                continue;
            if (raw != NULL)
                st = write_map(j, &map, write_raw_path(j, raw, q, m, path, sizeof(path)), &err);
            if (st == SAL_OK && layer != NULL && cam)
                st =
                    sal_npy_write(&small, write_raw_path(j, layer, q, m, path, sizeof(path)), &err);
            if (st != SAL_OK)
                return cli_fail(NULL, st, &err);
            if (layer != NULL && !cam && j->methods.n == 1)
                return cli_fail_text("--raw-layer: %s works on no layer", j->methods.names[m]);
        }
    }
    return CLI_OK;
}

int job_write(explain_job *j)
{
    bool one = j->n_questions * j->methods.n == 1 && !cli_has(j->a, OPT_agree);
    cli_text t = {NULL, 0, 0, false, 0, false, false};
    sal_error err = {SAL_OK, 0, ""};
    int status = write_raw(j);
    sal_status st;

    if (status == CLI_OK && j->png != NULL)
        status = job_is_drawn(j) ? job_kind_write(j) : one ? write_overlay(j) : write_sheet(j);
    if (status == CLI_OK && j->html != NULL)
        status = job_report(j);
    if (status != CLI_OK || (j->png == NULL && j->html == NULL))
        return status;
    job_json(j, &t);
    cli_text_add(&t, "\n", 1);
    st = t.failed ? SAL_ENOMEM : sal_file_save(j->json_path, t.data, t.len, &err);
    if (st != SAL_OK)
        status = cli_fail(NULL, st, &err);
    cli_text_free(&t);
    return status;
}
