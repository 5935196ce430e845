/* Questions from --why, --not, --ask, --swap. */
#include "explain_job.h"

static bool question_push(const char ***list, size_t *n, const char *text)
{
    const char **bigger = realloc(*list, (*n + 1) * sizeof(*bigger));

    if (bigger == NULL) {
        (void)cli_fail_text("out of memory");
        return false;
    }
    *list = bigger;
    (*list)[(*n)++] = text;
    return true;
}

static job_question *question_new(explain_job *j)
{
    job_question *bigger = realloc(j->questions, (j->n_questions + 1) * sizeof(*bigger));

    if (bigger == NULL) {
        (void)cli_fail_text("out of memory");
        return NULL;
    }
    j->questions = bigger;
    bigger[j->n_questions] = (job_question){.own = NULL};
    return &bigger[j->n_questions++];
}

/* "a,b" cut into its parts. Inside brackets a comma separates indices: mask[1,2]. */
static bool question_parts(char *text, const char ***list, size_t *n)
{
    int depth = 0;
    char *begin = text;

    for (char *p = text;; p++) {
        char c = *p;

        depth += c == '[' ? 1 : c == ']' ? -1 : 0;
        if (c != '\0' && (c != ',' || depth > 0))
            continue;
        *p = '\0';
        while (*begin == ' ')
            begin++;
        if (*begin != '\0' && !question_push(list, n, begin))
            return false;
        if (c == '\0')
            return true;
        begin = p + 1;
    }
}

static bool question_ask(explain_job *j, const char *text)
{
    job_question *q = question_new(j);
    char *not_;

    if (q == NULL)
        return false;
    q->own = malloc(strlen(text) + 1);
    if (q->own == NULL)
        return cli_fail_text("out of memory"), false;
    memcpy(q->own, text, strlen(text) + 1);
    not_ = strchr(q->own, '>');
    if (not_ != NULL)
        *not_++ = '\0';
    if (!question_parts(q->own, &q->why, &q->n_why) ||
        (not_ != NULL && !question_parts(not_, &q->not_, &q->n_not)))
        return false;
    if (not_ != NULL && q->n_not == 0) {
        (void)cli_usage(j->a, "--ask %s: nothing stands behind >", text);
        return false;
    }
    return true;
}

static bool question_reverse(explain_job *j, size_t of)
{
    job_question *q = question_new(j);
    const job_question *p = &j->questions[of];

    if (q == NULL)
        return false;
    for (size_t i = 0; i < p->n_not; i++) {
        if (!question_push(&q->why, &q->n_why, p->not_[i]))
            return false;
    }
    for (size_t i = 0; i < p->n_why; i++) {
        if (!question_push(&q->not_, &q->n_not, p->why[i]))
            return false;
    }
    if (p->n_why == 0)
        return question_push(&q->not_, &q->n_not, "top");
    return true;
}

bool job_questions(explain_job *j)
{
    const cli_args *a = j->a;
    size_t given;

    if (!cli_has(a, OPT_ask) || cli_has(a, OPT_why) || cli_has(a, OPT_not)) {
        job_question *q = question_new(j);

        if (q == NULL)
            return false;
        for (size_t i = 0; i < a->n_values[OPT_why]; i++) {
            if (!question_push(&q->why, &q->n_why, a->values[OPT_why][i]))
                return false;
        }
        for (size_t i = 0; i < a->n_values[OPT_not]; i++) {
            if (!question_push(&q->not_, &q->n_not, a->values[OPT_not][i]))
                return false;
        }
    }
    for (size_t i = 0; i < a->n_values[OPT_ask]; i++) {
        if (!question_ask(j, a->values[OPT_ask][i]))
            return false;
    }
    given = j->n_questions;
    for (size_t i = 0; cli_has(a, OPT_swap) && i < given; i++) {
        if (j->questions[i].n_not > 0 && !question_reverse(j, i))
            return false;
    }
    if (cli_has(a, OPT_swap) && j->n_questions == given) {
        (void)cli_usage(a, "--swap needs a question with --not");
        return false;
    }
    return true;
}

bool job_question_push(job_question *q, const char *text)
{
    return question_push(&q->why, &q->n_why, text);
}

const char *job_keep(explain_job *j, const char *text)
{
    char **bigger = realloc(j->kept, (j->n_kept + 1) * sizeof(*bigger));
    char *copy = malloc(strlen(text) + 1);

    if (bigger != NULL)
        j->kept = bigger;
    if (bigger == NULL || copy == NULL) {
        free(copy);
        (void)cli_fail_text("out of memory");
        return NULL;
    }
    memcpy(copy, text, strlen(text) + 1);
    j->kept[j->n_kept++] = copy;
    return copy;
}

void job_questions_free(explain_job *j)
{
    for (size_t i = 0; i < j->n_kept; i++)
        free(j->kept[i]);
    free(j->kept);
    for (size_t i = 0; i < j->n_questions; i++) {
        free(j->questions[i].why);
        free(j->questions[i].not_);
        free(j->questions[i].own);
        if (j->asked != NULL)
            sal_asked_free(&j->asked[i]);
    }
    free(j->questions);
    free(j->asked);
}
