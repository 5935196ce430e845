/* What `explain` tells on the terminal. */
#include "explain_job.h"

#include <math.h>

static void summary_top(const explain_job *j)
{
    double *p = job_probabilities(j);
    size_t top[5], n = p == NULL ? 0 : job_top(j, p, 5, top);

    if (p != NULL && j->words.n_answer > 0) { /* the answer in its order */
        printf("  answer   ");
        for (size_t i = 0; i < j->words.n_answer; i++)
            printf(" %s %.0f %%", job_class(j, i), 100.0 * p[i]);
        printf("\n");
        n = 0;
    }
    for (size_t i = 0; i < n; i++) {
        const char *wnid = j->labels == NULL ? NULL : sal_labels_wnid(j->labels, top[i]);
        char element[128];

        if (!job_is_classes(j)) {
            printf("  %10.4g at [%s]\n", p[top[i]],
                   job_element(j, top[i], element, sizeof(element)));
            continue;
        }
        printf("  %5.1f %%  %4zu  %s%s%s\n", 100.0 * p[top[i]], top[i], job_class(j, top[i]),
               wnid == NULL ? "" : "  ", wnid == NULL ? "" : wnid);
    }
    free(p);
}

static void summary_residual(const job_cell *c)
{
    double want, missed;

    if (c->e.residual == NULL)
        return;
    want = c->e.target[0] - (c->e.baseline_target == NULL ? 0.0 : c->e.baseline_target[0]);
    missed = want == 0.0 ? 0.0 : 100.0 * fabs(c->e.residual[0] / want);
    printf("  residual  %.3g: the map sums to %.4g, %s is %.4g (%.*g %% missed)\n",
           c->e.residual[0], want + c->e.residual[0],
           c->e.baseline_target == NULL ? "T(x)" : "T(x) - T(baseline)", want,
           missed < 100.0 ? 2 : 6, missed < 100.0 ? missed : round(missed));
}

static void summary_cell(const explain_job *j, size_t q, size_t m)
{
    const job_cell *c = job_cell_at(j, q, m);
    const sal_method_info *info = sal_method_find(j->methods.names[m]);
    char where[256];

    printf("  method    %s%s%s\n", info->title, c->e.layer == NULL ? "" : " of ",
           c->e.layer == NULL ? "" : c->e.layer);
    if (!c->done) {
        printf("  failed    %s\n", c->failed[0] == '\0' ? "interrupted" : c->failed);
        return;
    }
    summary_residual(c);
    if (c->map != NULL)
        printf("  where     %s\n", job_where(j, c, where, sizeof(where)));
    if (j->words.tokenizer != NULL)
        job_words_summary(j, q, m);
    if (job_is_drawn(j))
        job_kind_summary(j, q, m);
    if (c->e.notes != NULL)
        printf("  note      %s\n", c->e.notes);
    job_check_summary(c);
}

void job_summary(const explain_job *j)
{
    printf("%s%s%s sees in %s:\n", cli_bold(true), j->model_path, cli_bold(false), j->image_path);
    summary_top(j);
    for (size_t q = 0; q < j->n_questions; q++) {
        printf("%s%s%s\n", cli_bold(true), j->asked[q].text, cli_bold(false));
        if (j->asked[q].notes != NULL)
            printf("  note      %s\n", j->asked[q].notes);
        for (size_t m = 0; m < j->methods.n; m++)
            summary_cell(j, q, m);
        job_agree_summary(j, q);
    }
    if (j->png != NULL)
        printf("written: %s, %s\n", j->png, j->json_path);
    if (j->html != NULL)
        printf("written: %s, %s\n", j->html, j->json_path);
}
