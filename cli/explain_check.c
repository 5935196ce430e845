/* Sanity checks of a map: running them, and what is told of them. */
#include "explain_job.h"

sal_status job_check(explain_job *j, const sal_explain_opts *opts, size_t question, job_cell *c,
                     sal_error *err)
{
    c->checks = calloc(sal_check_count() + 1, sizeof(*c->checks));
    if (c->checks == NULL)
        return SAL_ENOMEM;
    return sal_explain_check(j->model, opts, j->in.tensors, &j->asked[question].weights, &c->e,
                             c->checks, &c->n_checks, err);
}

static const char *check_word(sal_verdict v)
{
    static const char *const words[] = {"-", "passed", "in doubt", "FAILED"};

    return words[v];
}

void job_check_summary(const job_cell *c)
{
    char line[512];

    for (size_t i = 0; i < c->n_checks; i++)
        printf("  %s  %-19s  %-8s  %s\n", i == 0 ? "checks  " : "        ",
               c->checks[i].check->name, check_word(c->checks[i].verdict), c->checks[i].text);
    if (job_check_line(c, line, sizeof(line)) != NULL)
        printf("  verdict   %s%s%s\n", cli_bold(true), line, cli_bold(false));
}

void job_check_json(const job_cell *c, cli_text *t)
{
    if (c->checks == NULL)
        return;
    json_open(t, "checks", '[');
    for (size_t i = 0; i < c->n_checks; i++) {
        const sal_check_result *k = &c->checks[i];

        json_open(t, NULL, '{');
        json_string(t, "name", k->check->name);
        json_string(t, "verdict", sal_verdict_name(k->verdict));
        json_number(t, "value", k->value);
        json_string(t, "text", k->text);
        json_string(t, "help", k->check->help);
        json_string(t, "reference", k->check->reference);
        json_number(t, "seconds", k->seconds);
        json_close(t, '}');
    }
    json_close(t, ']');
    json_string(t, "verdict", sal_verdict_name(sal_check_summary(c->checks, c->n_checks)));
}

const char *job_check_line(const job_cell *c, char *buf, size_t n)
{
    size_t made = 0, passed = 0, at;

    for (size_t i = 0; i < c->n_checks; i++) {
        made += c->checks[i].verdict != SAL_VERDICT_NONE;
        passed += c->checks[i].verdict == SAL_VERDICT_PASS;
    }
    if (made == 0)
        return NULL;
    at = (size_t)snprintf(buf, n, "%zu of %zu checks passed", passed, made);
    for (int v = SAL_VERDICT_FAIL; v >= SAL_VERDICT_DOUBT; v--) {
        bool first = true;

        for (size_t i = 0; i < c->n_checks && at < n; i++) {
            if (c->checks[i].verdict != (sal_verdict)v)
                continue;
            at += (size_t)snprintf(buf + at, n - at, "%s%s",
                                   !first                   ? ", "
                                   : v == SAL_VERDICT_DOUBT ? "; in doubt: "
                                                            : "; failed: ",
                                   c->checks[i].check->name);
            first = false;
        }
    }
    return buf;
}
