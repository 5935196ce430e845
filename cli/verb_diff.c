/* salience diff: did a change of the model (quantisation, new training, another architecture)
 * change its answer, and did it change the reasons? */
#include "explain_job.h"

#include <math.h>

int verb_diff(const cli_args *a);

/* One method's maps of one question, side by side. */
typedef struct diff_cell {
    bool done;
    char why_not[512];
    float *b;             /* B's map on A's grid */
    float *difference;    /* both as shares of their largest magnitude, B - A */
    sal_similarity like;  /* element by element */
    sal_similarity cells; /* of the positive parts, by the cells of a grid */
} diff_cell;

typedef struct diff_job {
    const cli_args *a;
    explain_job one, two;
    diff_cell *cells; /* [question * methods + method] */
    const char *png;
    char json_path[CLI_PATH];
} diff_job;

/* ---- B's map on A's grid ---- */

/* Where the model's input lies in the photo. */
static sal_rect diff_rect(const explain_job *j, const job_cell *c)
{
    sal_rect r = {0, 0, (double)c->width, (double)c->height};
    sal_error err;

    if (!j->picture.is_image || sal_preprocess_rect(&j->picture.pre, j->picture.image.height,
                                                    j->picture.image.width, &r, &err) != SAL_OK)
        r = (sal_rect){0, 0, 1, 1};
    return r;
}

/* Bilinear, positions beyond the map at its edge. */
static double diff_at(const job_cell *c, double y, double x)
{
    double top, left;
    int64_t r0, c0, r1, c1;

    y = fmin(fmax(y, 0.0), (double)c->height - 1.0);
    x = fmin(fmax(x, 0.0), (double)c->width - 1.0);
    r0 = (int64_t)y;
    c0 = (int64_t)x;
    r1 = r0 + 1 < c->height ? r0 + 1 : r0;
    c1 = c0 + 1 < c->width ? c0 + 1 : c0;
    top = y - (double)r0;
    left = x - (double)c0;
    return (1 - top) * ((1 - left) * (double)c->map[r0 * c->width + c0] +
                        left * (double)c->map[r0 * c->width + c1]) +
           top * ((1 - left) * (double)c->map[r1 * c->width + c0] +
                  left * (double)c->map[r1 * c->width + c1]);
}

static void diff_resample(const diff_job *d, const job_cell *a, const job_cell *b, float *out)
{
    sal_rect ra = diff_rect(&d->one, a), rb = diff_rect(&d->two, b);

    for (int64_t r = 0; r < a->height; r++) {
        for (int64_t k = 0; k < a->width; k++) {
            double y = ra.y + ((double)r + 0.5) / (double)a->height * ra.height;
            double x = ra.x + ((double)k + 0.5) / (double)a->width * ra.width;

            out[r * a->width + k] =
                (float)diff_at(b, (y - rb.y) / rb.height * (double)b->height - 0.5,
                               (x - rb.x) / rb.width * (double)b->width - 0.5);
        }
    }
}

static double diff_largest(const float *v, size_t n)
{
    double most = 0.0;

    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs((double)v[i]));
    return most > 0.0 ? most : 1.0;
}

/* Maps that are no pictures are compared element by element. */
static bool diff_flat(const job_cell *a, const job_cell *b, diff_cell *out)
{
    size_t n = (size_t)sal_tensor_count(&a->e.map);
    float *x = calloc(n + 1, sizeof(*x)), *y = calloc(n + 1, sizeof(*y));
    sal_error err = {SAL_OK, 0, ""};
    bool fits = n == (size_t)sal_tensor_count(&b->e.map);

    if (x == NULL || y == NULL) {
        (void)snprintf(out->why_not, sizeof(out->why_not), "out of memory");
    } else if (!fits) {
        (void)snprintf(out->why_not, sizeof(out->why_not), "the maps differ in size");
    } else {
        for (size_t i = 0; i < n; i++) {
            x[i] = (float)sal_tensor_get(&a->e.map, (int64_t)i);
            y[i] = (float)sal_tensor_get(&b->e.map, (int64_t)i);
        }
        out->done = sal_map_similarity(&out->like, x, y, n, &err) == SAL_OK;
        out->cells = out->like;
        if (!out->done)
            (void)snprintf(out->why_not, sizeof(out->why_not), "%s", err.msg);
    }
    free(x);
    free(y);
    return out->done;
}

/* By cells: single pixels of two gradients are never alike. */
static sal_status diff_cells(const job_cell *a, const float *b, sal_similarity *out, sal_error *err)
{
    int64_t rows, columns;
    float *x = job_pool(a->map, a->height, a->width, &rows, &columns);
    float *y = job_pool(b, a->height, a->width, &rows, &columns);
    sal_status st = x == NULL || y == NULL
                        ? SAL_ENOMEM
                        : sal_map_similarity(out, x, y, (size_t)(rows * columns), err);

    free(x);
    free(y);
    return st;
}

static bool diff_compare(const diff_job *d, size_t q, size_t m, diff_cell *out)
{
    const job_cell *a = job_cell_at(&d->one, q, m), *b = job_cell_at(&d->two, q, m);
    sal_error err = {SAL_OK, 0, ""};
    size_t n = (size_t)(a->height * a->width);
    double ma, mb;

    if (!a->done || !b->done) {
        (void)snprintf(out->why_not, sizeof(out->why_not), "%s: %.500s", a->done ? "B" : "A",
                       a->done ? b->failed : a->failed);
        return false;
    }
    if (a->map == NULL || b->map == NULL)
        return diff_flat(a, b, out);
    out->b = calloc(n, sizeof(*out->b));
    out->difference = calloc(n, sizeof(*out->difference));
    if (out->b == NULL || out->difference == NULL) {
        (void)snprintf(out->why_not, sizeof(out->why_not), "out of memory");
        return false;
    }
    diff_resample(d, a, b, out->b);
    ma = diff_largest(a->map, n);
    mb = diff_largest(out->b, n);
    for (size_t i = 0; i < n; i++)
        out->difference[i] = (float)((double)out->b[i] / mb - (double)a->map[i] / ma);
    out->done = sal_map_similarity(&out->like, a->map, out->b, n, &err) == SAL_OK &&
                diff_cells(a, out->b, &out->cells, &err) == SAL_OK;
    if (!out->done)
        (void)snprintf(out->why_not, sizeof(out->why_not), "%s", err.msg);
    return out->done;
}

/* ---- the same questions for B ---- */

/* The classes that A's answer settled ("top", kinds) are asked of B by their numbers, when both
 * have as many classes. */
static bool diff_questions(diff_job *d)
{
    const explain_job *a = &d->one;
    explain_job *b = &d->two;

    for (size_t q = 0; q < a->n_questions; q++) {
        const sal_asked *asked = &a->asked[q];
        size_t n = asked->n_why + asked->n_not, room = 24;
        job_question *to = &b->questions[q];
        const char **list = calloc(n + 1, sizeof(*list));
        char *text = calloc(n + 1, room);

        if (list == NULL || text == NULL) {
            free(list);
            free(text);
            return cli_fail_text("out of memory"), false;
        }
        for (size_t i = 0; i < n; i++) {
            int64_t k = i < asked->n_why ? asked->why[i] : asked->foil[i - asked->n_why];

            if (job_is_classes(a))
                (void)snprintf(text + i * room, room, "%lld", (long long)k);
            else
                (void)job_element(a, (size_t)k, text + i * room, room);
            list[i] = text + i * room;
        }
        free(to->why);
        free(to->not_);
        free(to->own);
        *to = (job_question){.why = list, .n_why = asked->n_why, .own = text};
        to->not_ = calloc(asked->n_not + 1, sizeof(*to->not_));
        if (to->not_ == NULL)
            return cli_fail_text("out of memory"), false;
        to->n_not = asked->n_not;
        memcpy(to->not_, list + asked->n_why, asked->n_not * sizeof(*to->not_));
    }
    return true;
}

/* ---- words ---- */

static size_t diff_first(const explain_job *j)
{
    double *p = job_probabilities(j);
    size_t top[1] = {0};

    if (p != NULL)
        (void)job_top(j, p, 1, top);
    free(p);
    return top[0];
}

static const char *diff_verdict(const diff_job *d)
{
    bool answer = d->one.target.classes == d->two.target.classes &&
                  diff_first(&d->one) == diff_first(&d->two);
    double like = 0.0;
    size_t made = 0;

    for (size_t i = 0; i < d->one.n_questions * d->one.methods.n; i++) {
        if (d->cells[i].done) {
            like += d->cells[i].cells.spearman;
            made++;
        }
    }
    if (made == 0)
        return answer ? "same answer; the reasons could not be compared"
                      : "another answer; the reasons could not be compared";
    like /= (double)made;
    if (like >= 0.9)
        return answer ? "same answer, same reasons" : "another answer for the same reasons";
    if (like >= 0.6)
        return answer ? "same answer, reasons shifted" : "another answer, reasons shifted";
    return answer ? "same answer, OTHER REASONS" : "another answer, other reasons";
}

static void diff_top(const explain_job *j, const char *name)
{
    double *p = job_probabilities(j);
    size_t top[3], n = p == NULL ? 0 : job_top(j, p, 3, top);

    printf("%s%s  %s%s\n", cli_bold(true), name, j->model_path, cli_bold(false));
    for (size_t i = 0; i < n; i++) {
        char element[128];

        if (job_is_classes(j))
            printf("  %5.1f %%  %4zu  %s\n", 100.0 * p[top[i]], top[i], job_class(j, top[i]));
        else
            printf("  %10.4g at [%s]\n", p[top[i]],
                   job_element(j, top[i], element, sizeof(element)));
    }
    free(p);
}

static void diff_summary(const diff_job *d)
{
    const explain_job *a = &d->one, *b = &d->two;

    diff_top(a, "A");
    diff_top(b, "B");
    for (size_t q = 0; q < a->n_questions; q++) {
        printf("%s%s%s\n", cli_bold(true), a->asked[q].text, cli_bold(false));
        for (size_t m = 0; m < a->methods.n; m++) {
            const diff_cell *c = &d->cells[q * a->methods.n + m];
            const job_cell *ca = job_cell_at(a, q, m), *cb = job_cell_at(b, q, m);
            char label[256], where[256];

            printf("  %s\n", cli_method_label(&a->methods, m, label, sizeof(label)));
            if (!c->done) {
                printf("    failed        %s\n", c->why_not);
                continue;
            }
            printf("    target        A %.4g, B %.4g\n", ca->e.target[0], cb->e.target[0]);
            printf("    by pixel      rank correlation %.3f, correlation %.3f, top fifths overlap "
                   "%.0f %%\n",
                   c->like.spearman, c->like.pearson, 100.0 * c->like.overlap);
            printf("    by cell       rank correlation %.3f, correlation %.3f, top fifths overlap "
                   "%.0f %%\n",
                   c->cells.spearman, c->cells.pearson, 100.0 * c->cells.overlap);
            if (ca->map != NULL && cb->map != NULL) {
                printf("    A looks       %s\n", job_where(a, ca, where, sizeof(where)));
                printf("    B looks       %s\n", job_where(b, cb, where, sizeof(where)));
            }
        }
    }
    printf("%s%s%s\n", cli_bold(true), diff_verdict(d), cli_bold(false));
    if (d->png != NULL)
        printf("written: %s, %s\n", d->png, d->json_path);
}

/* ---- JSON ---- */

static void diff_json_side(const explain_job *j, const char *key, cli_text *t)
{
    double *p = job_probabilities(j);
    size_t top[5], n = p == NULL ? 0 : job_top(j, p, 5, top);

    json_open(t, key, '{');
    json_string(t, "model", j->model_path);
    json_string(t, "model_sha256", j->hashes.model_hex[0] == '\0' ? NULL : j->hashes.model_hex);
    json_open(t, "top", '[');
    for (size_t i = 0; i < n; i++) {
        json_open(t, NULL, '{');
        json_int(t, "index", (int64_t)top[i]);
        json_string(t, "label", job_class(j, top[i])[0] == '\0' ? NULL : job_class(j, top[i]));
        if (job_is_classes(j))
            json_number(t, "probability", p[top[i]]);
        json_number(t, "logit", sal_tensor_get(&j->logits, (int64_t)top[i]));
        json_close(t, '}');
    }
    json_close(t, ']');
    json_close(t, '}');
    free(p);
}

static void diff_json(diff_job *d, cli_text *t)
{
    explain_job *a = &d->one, *b = &d->two;
    cli_text command = {NULL, 0, 0, false, 0, false, false};

    job_hashes_wait(a);
    job_hashes_wait(b);
    json_open(t, NULL, '{');
    json_string(t, "salience", sal_version());
    json_string(t, "image", a->image_path);
    json_string(t, "image_sha256", a->hashes.image_hex[0] == '\0' ? NULL : a->hashes.image_hex);
    diff_json_side(a, "a", t);
    diff_json_side(b, "b", t);
    json_open(t, "comparisons", '[');
    for (size_t i = 0; i < a->n_questions * a->methods.n; i++) {
        size_t q = i / a->methods.n, m = i % a->methods.n;
        const diff_cell *c = &d->cells[i];
        const job_cell *ca = job_cell_at(a, q, m), *cb = job_cell_at(b, q, m);
        char label[256];

        json_open(t, NULL, '{');
        json_string(t, "question", a->asked[q].text);
        json_string(t, "method", cli_method_label(&a->methods, m, label, sizeof(label)));
        if (!c->done) {
            json_string(t, "failed", c->why_not);
        } else {
            json_string(t, "layer_a", ca->e.layer);
            json_string(t, "layer_b", cb->e.layer);
            json_number(t, "target_a", ca->e.target[0]);
            json_number(t, "target_b", cb->e.target[0]);
            json_number(t, "spearman", c->like.spearman);
            json_number(t, "pearson", c->like.pearson);
            json_number(t, "overlap", c->like.overlap);
            json_number(t, "cells_spearman", c->cells.spearman);
            json_number(t, "cells_pearson", c->cells.pearson);
            json_number(t, "cells_overlap", c->cells.overlap);
        }
        json_close(t, '}');
    }
    json_close(t, ']');
    json_string(t, "verdict", diff_verdict(d));
    json_string(t, "command", job_command(a, &command));
    json_close(t, '}');
    cli_text_free(&command);
}

/* ---- the sheet: a row a question and method; A, B, what B has more and less ---- */

static const char *diff_base(const explain_job *j)
{
    const char *slash = strrchr(j->model_path, '/');

    return slash == NULL ? j->model_path : slash + 1;
}

static int diff_sheet(diff_job *d)
{
    static const char *const columns[] = {"A", "B", "B - A, each by its largest"};
    explain_job *a = &d->one;
    size_t n = a->n_questions * a->methods.n;
    sal_sheet_opts sheet = SAL_SHEET_OPTS_INIT;
    sal_sheet_cell *cells = calloc(3 * n, sizeof(*cells));
    const char **rows = calloc(n, sizeof(*rows));
    char(*labels)[512] = calloc(n, sizeof(*labels)), title[600];
    sal_image base = SAL_IMAGE_INIT, picture = SAL_IMAGE_INIT;
    sal_error err = {SAL_OK, 0, ""};
    int status = CLI_OK;
    sal_status st;

    if (cells == NULL || rows == NULL || labels == NULL) {
        status = cli_fail_text("out of memory");
        goto done;
    }
    for (size_t i = 0; i < n; i++) {
        size_t q = i / a->methods.n, m = i % a->methods.n;
        const job_cell *ca = job_cell_at(a, q, m), *cb = job_cell_at(&d->two, q, m);
        const diff_cell *c = &d->cells[i];
        const char *note = c->done ? NULL : c->why_not;
        char label[256];

        (void)snprintf(labels[i], sizeof(labels[i]), "%s: %s",
                       cli_method_label(&a->methods, m, label, sizeof(label)), a->asked[q].text);
        rows[i] = labels[i];
        cells[3 * i] = (sal_sheet_cell){ca->map, ca->height, ca->width, ca->e.is_signed, note};
        cells[3 * i + 1] = (sal_sheet_cell){c->b, c->b == NULL ? 0 : ca->height,
                                            c->b == NULL ? 0 : ca->width, cb->e.is_signed, note};
        cells[3 * i + 2] = (sal_sheet_cell){c->difference, c->b == NULL ? 0 : ca->height,
                                            c->b == NULL ? 0 : ca->width, true, note};
    }
    (void)snprintf(title, sizeof(title), "%s   (A %.200s, B %.200s)", diff_verdict(d),
                   diff_base(&d->one), diff_base(&d->two));
    sheet.title = title;
    sheet.rows = (int32_t)n;
    sheet.columns = 3;
    sheet.row_labels = rows;
    sheet.column_labels = columns;
    sheet.percentile = a->look.percentile;
    sheet.opacity = a->look.opacity;
    if (!job_backdrop(a, &base, 672, &status))
        goto done;
    st = sal_picture_sheet(&picture, &base, cells, &sheet, &err);
    if (st == SAL_OK)
        st = sal_image_write_png(&picture, d->png, &err);
    if (st != SAL_OK)
        status = cli_fail(NULL, st, &err);
done:
    free(cells);
    free(rows);
    free(labels);
    sal_image_free(&base);
    sal_image_free(&picture);
    return status;
}

static int diff_write(diff_job *d)
{
    cli_text t = {NULL, 0, 0, false, 0, false, false};
    sal_error err = {SAL_OK, 0, ""};
    int status;
    sal_status st;

    if (d->png == NULL)
        return CLI_OK;
    status = diff_sheet(d);
    if (status != CLI_OK)
        return status;
    diff_json(d, &t);
    cli_text_add(&t, "\n", 1);
    st = t.failed ? SAL_ENOMEM : sal_file_save(d->json_path, t.data, t.len, &err);
    cli_text_free(&t);
    return st == SAL_OK ? CLI_OK : cli_fail(NULL, st, &err);
}

/* ---- the whole ---- */

static bool diff_options(diff_job *d, explain_job *j)
{
    int64_t batch = 0;

    j->look = (sal_picture_opts)SAL_PICTURE_OPTS_INIT;
    if (!cli_methods(&j->methods, d->a) || !cli_dtype(d->a, &j->precision) ||
        !cli_threads(d->a, &j->threads) || !cli_int(d->a, OPT_batch, 1, 1 << 20, &batch) ||
        !cli_number(d->a, OPT_opacity, 0.0, 1.0, &j->look.opacity) ||
        !cli_number(d->a, OPT_percentile, 0.0, 100.0, &j->look.percentile) || !job_questions(j))
        return false;
    j->batch = (int)batch;
    return true;
}

static int diff_run(diff_job *d)
{
    cli_text t = {NULL, 0, 0, false, 0, false, false};
    explain_job *a = &d->one, *b = &d->two;
    int status;

    status = job_load(a);
    if (status == CLI_OK)
        status = job_load(b);
    if (status != CLI_OK)
        return status;
    cli_progress_begin(&a->progress, d->a);
    status = job_explain(a);
    if (status == CLI_OK && a->target.classes == 0)
        status = cli_fail_text("%s: the output has no elements", a->model_path);
    if (status == CLI_OK && !diff_questions(d))
        status = CLI_FAILED;
    b->progress = a->progress;
    if (status == CLI_OK)
        status = job_explain(b);
    cli_progress_end(&b->progress);
    if (status == CLI_INTERRUPTED)
        (void)cli_fail_text("interrupted");
    if (status != CLI_OK)
        return status;
    d->cells = calloc(a->n_questions * a->methods.n, sizeof(*d->cells));
    if (d->cells == NULL)
        return cli_fail_text("out of memory");
    for (size_t i = 0; i < a->n_questions * a->methods.n; i++)
        (void)diff_compare(d, i / a->methods.n, i % a->methods.n, &d->cells[i]);
    cli_notes_flush(&a->notes, d->a);
    cli_notes_flush(&b->notes, d->a);
    status = diff_write(d);
    if (status != CLI_OK)
        return status;
    if (cli_has(d->a, OPT_json)) {
        diff_json(d, &t);
        return json_print(&t);
    }
    diff_summary(d);
    return CLI_OK;
}

static void diff_free(diff_job *d)
{
    for (size_t i = 0; d->cells != NULL && i < d->one.n_questions * d->one.methods.n; i++) {
        free(d->cells[i].b);
        free(d->cells[i].difference);
    }
    free(d->cells);
    job_free(&d->one);
    job_free(&d->two);
}

int verb_diff(const cli_args *a)
{
    const explain_job blank = {.a = a,
                               .image_path =
                                   a->n_positional > 2 ? a->positional[2] : cli_value(a, OPT_text),
                               .picture = {.image = SAL_IMAGE_INIT, .pre = SAL_PREPROCESS_INIT},
                               .logits = SAL_TENSOR_INIT,
                               .began = cli_seconds()};
    diff_job *d = calloc(1, sizeof(*d));
    const char *out = cli_value(a, OPT_o);
    int status = CLI_USAGE;

    if (d == NULL)
        return cli_fail_text("out of memory");
    *d = (diff_job){.a = a, .one = blank, .two = blank, .png = out};
    d->one.model_name = a->positional[0];
    d->two.model_name = a->positional[1];
    (void)cli_model_path(a->positional[0], d->one.model_path, sizeof(d->one.model_path));
    (void)cli_model_path(a->positional[1], d->two.model_path, sizeof(d->two.model_path));
    if (out != NULL && !cli_ends_with(out, ".png")) {
        (void)cli_usage(a, "-o %s: must end in .png", out);
    } else if (diff_options(d, &d->one) && diff_options(d, &d->two)) {
        if (out != NULL)
            (void)cli_suffix(out, ".json", d->json_path, sizeof(d->json_path));
        cli_signals(true);
        status = diff_run(d);
    }
    diff_free(d);
    free(d);
    return status;
}
