/* salience explain: what a model looks at. */
#include "explain_job.h"

int verb_explain(const cli_args *a);

/* ---- arguments ---- */

static bool explain_outputs(explain_job *j)
{
    const char *out = cli_value(j->a, OPT_o);
    char sidecar[CLI_PATH];

    if (out == NULL)
        return true;
    if (cli_ends_with(out, ".png"))
        j->png = out;
    else if (cli_ends_with(out, ".html") || cli_ends_with(out, ".htm"))
        j->html = out;
    else
        return cli_usage(j->a, "-o %s: must end in .png or .html", out), false;
    (void)cli_suffix(out, ".json", j->json_path, sizeof(j->json_path));
    if (strcmp(j->json_path, sal_model_sidecar(j->model_path, sidecar, sizeof(sidecar))) == 0)
        return cli_usage(j->a,
                         "-o %s: its description %s would be taken for the model's sidecar file; "
                         "choose another name",
                         out, j->json_path),
               false;
    return true;
}

static bool explain_options(explain_job *j)
{
    int64_t batch = 0;

    j->look = (sal_picture_opts)SAL_PICTURE_OPTS_INIT;
    j->look.bare = cli_has(j->a, OPT_bare);
    if (!cli_methods(&j->methods, j->a) || !cli_dtype(j->a, &j->precision) ||
        !cli_threads(j->a, &j->threads) || !cli_int(j->a, OPT_batch, 1, 1 << 20, &batch) ||
        !cli_number(j->a, OPT_opacity, 0.0, 1.0, &j->look.opacity) ||
        !cli_number(j->a, OPT_percentile, 0.0, 100.0, &j->look.percentile) || !explain_outputs(j) ||
        !job_questions(j))
        return false;
    j->batch = (int)batch;
    return true;
}

static int explain_tell(explain_job *j, int status)
{
    cli_text t = {NULL, 0, 0, false, 0, false, false};
    int written;

    if (j->png != NULL && j->cells[0].map == NULL && !job_is_drawn(j) &&
        j->methods.n * j->n_questions == 1)
        return job_no_picture(j);
    cli_notes_flush(&j->notes, j->a);
    written = job_write(j);
    if (written != CLI_OK)
        return written;
    if (cli_has(j->a, OPT_json)) {
        job_json(j, &t);
        written = json_print(&t);
    } else {
        job_summary(j);
    }
    for (size_t m = 0; status == CLI_FAILED && m < j->methods.n; m++) {
        if (j->cells[m].failed[0] != '\0')
            (void)cli_fail_text("%s: %s", j->methods.names[m], j->cells[m].failed);
    }
    return written != CLI_OK ? written : status;
}

int verb_explain(const cli_args *a)
{
    explain_job j = {.a = a,
                     .model_name = a->positional[0],
                     .image_path = a->n_positional > 1      ? a->positional[1]
                                   : cli_has(a, OPT_prompt) ? cli_value(a, OPT_prompt)
                                                            : cli_value(a, OPT_text),
                     .picture = {.image = SAL_IMAGE_INIT, .pre = SAL_PREPROCESS_INIT},
                     .logits = SAL_TENSOR_INIT,
                     .began = cli_seconds()};
    int status;

    (void)cli_model_path(a->positional[0], j.model_path, sizeof(j.model_path));
    if (!explain_options(&j)) {
        job_questions_free(&j);
        return CLI_USAGE;
    }
    cli_signals(true);
    status = job_load(&j);
    if (status == CLI_OK) {
        cli_progress_begin(&j.progress, a);
        status = job_explain(&j);
        cli_progress_end(&j.progress);
        if (job_any(&j))
            status = explain_tell(&j, status);
        if (status == CLI_INTERRUPTED)
            (void)cli_fail_text("interrupted%s", job_any(&j) ? "; what was finished is kept" : "");
    }
    job_free(&j);
    return status;
}
