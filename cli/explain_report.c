/* report.html: one file that needs nothing else. */
#include "explain_job.h"

static void report_escape(cli_text *t, const char *text)
{
    cli_html(t, text, strlen(text));
}

static void report_element(cli_text *t, const char *tag, const char *text)
{
    cli_text_printf(t, "<%s>", tag);
    report_escape(t, text == NULL ? "" : text);
    cli_text_printf(t, "</%s>", tag);
}

static void report_base64(cli_text *t, const uint8_t *p, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) |
                     (i + 2 < n ? (uint32_t)p[i + 2] : 0);
        char four[4] = {digits[v >> 18], digits[v >> 12 & 63],
                        i + 1 < n ? digits[v >> 6 & 63] : '=', i + 2 < n ? digits[v & 63] : '='};

        cli_text_add(t, four, 4);
    }
}

static sal_status report_image(cli_text *t, const sal_image *image, const char *alt, sal_error *err)
{
    uint8_t *bytes = NULL;
    size_t n = 0;
    sal_status st = sal_image_encode_png(image, &bytes, &n, err);

    if (st != SAL_OK)
        return st;
    cli_text_printf(t, "<img alt=\"");
    report_escape(t, alt);
    cli_text_printf(t, "\" width=\"%d\" src=\"data:image/png;base64,", (int)image->width);
    report_base64(t, bytes, n);
    cli_text_printf(t, "\">");
    sal_image_bytes_free(bytes);
    return SAL_OK;
}

static const char report_head[] =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n<style>\n"
    "body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:1500px;padding:0 1em;"
    "color:#222;background:#fff}\n"
    "h1{font-size:1.5em}h2{font-size:1.15em;margin-top:2em}\n"
    "table{border-collapse:collapse}td,th{padding:.25em .7em;text-align:left;"
    "vertical-align:top;border-bottom:1px solid #ddd}\n"
    ".maps{display:flex;flex-wrap:wrap;gap:1em}figure{margin:0;max-width:340px}"
    "img{max-width:100%;height:auto}figcaption{font-size:.9em}\n"
    ".words{font-size:1.15em;line-height:2}.words span{padding:.2em .1em;border-radius:.25em}\n"
    "figure:has(.words),.wide{max-width:none}\n"
    "code,pre{font-size:.88em;background:#f4f4f4;padding:.15em .3em;white-space:pre-wrap}\n"
    ".failed{color:#a00}\n</style>\n";

static void report_top(const explain_job *j, cli_text *t)
{
    double *p = job_probabilities(j);
    size_t top[5], n = p == NULL ? 0 : job_top(j, p, 5, top);

    cli_text_printf(t,
                    "<h2>What the model sees</h2>\n<table><tr><th>%s</th>"
                    "<th>%s</th><th>label</th></tr>\n",
                    job_is_classes(j) ? "probability" : "value",
                    job_is_classes(j) ? "class" : "element");
    for (size_t i = 0; i < n; i++) {
        char element[128];

        if (!job_is_classes(j)) {
            cli_text_printf(t, "<tr><td>%.4g</td><td>%s</td><td></td></tr>\n", p[top[i]],
                            job_element(j, top[i], element, sizeof(element)));
            continue;
        }
        cli_text_printf(t, "<tr><td>%.1f&nbsp;%%</td><td>%zu</td>", 100.0 * p[top[i]], top[i]);
        report_element(t, "td", job_class(j, top[i]));
        cli_text_printf(t, "</tr>\n");
    }
    cli_text_printf(t, "</table>\n");
    free(p);
}

static sal_status report_cell(const explain_job *j, const sal_image *base, size_t q, size_t m,
                              cli_text *t, sal_error *err)
{
    const job_cell *c = job_cell_at(j, q, m);
    const sal_method_info *info = sal_method_find(j->methods.names[m]);
    sal_image picture = SAL_IMAGE_INIT;
    sal_picture_opts look = j->look;
    char where[512], line[512];
    sal_status st = SAL_OK;

    cli_text_printf(t, job_is_drawn(j) ? "<figure class=\"wide\">" : "<figure>");
    look.is_signed = c->e.is_signed;
    look.min_width = base->width;
    if (c->map != NULL || (c->done && job_is_drawn(j))) {
        st = c->map == NULL ? job_kind_draw(j, q, m, &picture, err)
                            : sal_picture_overlay(&picture, base, c->map, c->height, c->width,
                                                  &look, NULL, err);
        if (st == SAL_OK)
            st = report_image(t, &picture, info->title, err);
    }
    cli_text_printf(t, "<figcaption>");
    report_element(t, "b", info->title);
    if (!c->done) {
        cli_text_printf(t, "<br><span class=\"failed\">");
        report_escape(t, c->failed[0] == '\0' ? "interrupted" : c->failed);
        cli_text_printf(t, "</span>");
    } else if (c->map != NULL) {
        cli_text_printf(t, "<br>");
        report_escape(t, job_where(j, c, where, sizeof(where)));
    } else if (job_is_drawn(j)) {
        cli_text_printf(t, "<br>");
        report_escape(t, job_kind_where(j, q, m, where, sizeof(where)));
    } else if (j->words.tokenizer != NULL) {
        job_words_html(j, q, m, t);
    }
    if (job_check_line(c, line, sizeof(line)) != NULL) {
        cli_text_printf(t, "<br>");
        report_element(t, "b", line);
    }
    cli_text_printf(t, "</figcaption></figure>\n");
    sal_image_free(&picture);
    return st;
}

static void report_row(const explain_job *j, size_t q, size_t m, cli_text *t)
{
    const job_cell *c = job_cell_at(j, q, m);

    cli_text_printf(t, "<tr>");
    report_element(t, "td", j->asked[q].text);
    report_element(t, "td", j->methods.names[m]);
    if (!c->done) {
        report_element(t, "td", "");
        report_element(t, "td", "");
        report_element(t, "td", "");
        report_element(t, "td", c->failed[0] == '\0' ? "interrupted" : c->failed);
    } else {
        report_element(t, "td", c->e.layer);
        cli_text_printf(t, "<td>%.5g</td>", c->e.target[0]);
        if (c->e.residual != NULL)
            cli_text_printf(t, "<td>%.3g</td>", c->e.residual[0]);
        else
            cli_text_printf(t, "<td></td>");
        report_element(t, "td", c->e.notes);
    }
    cli_text_printf(t, "<td>%.0f&nbsp;ms</td></tr>\n", c->seconds * 1e3);
}

/* What --check found, a row a check. */
static void report_checks(const explain_job *j, cli_text *t)
{
    bool any = false;

    for (size_t i = 0; i < j->n_questions * j->methods.n; i++) {
        const job_cell *c = &j->cells[i];

        for (size_t k = 0; k < c->n_checks; k++) {
            const sal_check_result *r = &c->checks[k];

            if (!any)
                cli_text_printf(t, "<h2>Can it be trusted?</h2>\n<table><tr><th>question</th><th>"
                                   "method</th><th>check</th><th>verdict</th><th>measured</th>"
                                   "<th>limits</th></tr>\n");
            any = true;
            cli_text_printf(t, "<tr>");
            report_element(t, "td", j->asked[i / j->methods.n].text);
            report_element(t, "td", j->methods.names[i % j->methods.n]);
            report_element(t, "td", r->check->title);
            cli_text_printf(t, "<td%s>%s</td>",
                            r->verdict == SAL_VERDICT_FAIL ? " class=\"failed\"" : "",
                            sal_verdict_name(r->verdict));
            report_element(t, "td", r->text);
            report_element(t, "td", r->check->help);
            cli_text_printf(t, "</tr>\n");
        }
    }
    if (any)
        cli_text_printf(t, "</table>\n");
}

static void report_details(explain_job *j, cli_text *t)
{
    cli_text command = {NULL, 0, 0, false, 0, false, false};
    char line[256];

    cli_text_printf(t, "<h2>All results</h2>\n<table><tr><th>question</th><th>method</th><th>layer"
                       "</th><th>T</th><th>residual</th><th>notes</th><th>time</th></tr>\n");
    for (size_t q = 0; q < j->n_questions; q++) {
        for (size_t m = 0; m < j->methods.n; m++)
            report_row(j, q, m, t);
    }
    cli_text_printf(t,
                    "</table>\n<p>T is the mean logit of the classes asked for minus that of the "
                    "classes contrasted with. The residual is what the sum of a map misses of "
                    "T(x) &minus; T(baseline), for the methods that promise it.</p>\n<h2>How it "
                    "was made</h2>\n<table>");
    job_hashes_wait(j);
    cli_text_printf(t, "<tr><td>model</td><td><code>");
    report_escape(t, j->model_path);
    cli_text_printf(t, "</code><br><code>%s</code></td></tr>\n<tr><td>image</td><td><code>",
                    j->hashes.model_hex);
    report_escape(t, j->image_path);
    cli_text_printf(t, "</code><br><code>%s</code></td></tr>\n", j->hashes.image_hex);
    if (j->picture.is_image) {
        cli_text_printf(t, "<tr><td>preprocessing</td><td>");
        report_escape(t, sal_preprocess_describe(&j->picture.pre, line, sizeof(line)));
        cli_text_printf(t, " (");
        report_escape(t, j->picture.source);
        cli_text_printf(t, ")</td></tr>\n");
    }
    cli_text_printf(t, "<tr><td>seed</td><td>%llu</td></tr>\n",
                    (unsigned long long)j->methods.seed);
    cli_text_printf(t,
                    "<tr><td>program</td><td>salience %s</td></tr>\n<tr><td>command</td><td><pre>",
                    sal_version());
    report_escape(t, job_command(j, &command));
    cli_text_printf(t, "</pre></td></tr></table>\n");
    cli_text_free(&command);
}

int job_report(explain_job *j)
{
    cli_text t = {NULL, 0, 0, false, 0, false, false};
    sal_image base = SAL_IMAGE_INIT;
    sal_error err = {SAL_OK, 0, ""};
    sal_status st = SAL_OK;
    int status = CLI_OK;

    bool bare = j->words.tokenizer != NULL || job_is_drawn(j);

    if (!bare && !job_backdrop(j, &base, 336, &status))
        return status;
    cli_text_printf(&t, "%s<title>", report_head);
    report_escape(&t, j->image_path);
    cli_text_printf(&t, "</title></head><body>\n<h1>Why does <code>");
    report_escape(&t, j->model_path);
    cli_text_printf(&t, "</code> answer so for <code>");
    report_escape(&t, j->image_path);
    cli_text_printf(&t, "</code>?</h1>\n");
    if (!bare)
        st = report_image(&t, &base, "the picture as the model sees it", &err);
    report_top(j, &t);
    for (size_t q = 0; st == SAL_OK && q < j->n_questions; q++) {
        report_element(&t, "h2", j->asked[q].text);
        if (j->asked[q].notes != NULL)
            report_element(&t, "p", j->asked[q].notes);
        cli_text_printf(&t, "<div class=\"maps\">\n");
        for (size_t m = 0; st == SAL_OK && m < j->methods.n; m++)
            st = report_cell(j, &base, q, m, &t, &err);
        cli_text_printf(&t, "</div>\n");
    }
    report_checks(j, &t);
    report_details(j, &t);
    cli_text_printf(&t, "</body></html>\n");
    if (st == SAL_OK)
        st = t.failed ? SAL_ENOMEM : sal_file_save(j->html, t.data, t.len, &err);
    if (st != SAL_OK)
        status = cli_fail(NULL, st, &err);
    cli_text_free(&t);
    sal_image_free(&base);
    return status;
}
