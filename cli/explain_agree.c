/* Where several methods agree: for every cell of a grid the share of the maps that have it in their
 * top fifth, and in one number the mean rank correlation of all pairs. Single pixels of a gradient
 * and the broad patches of a CAM only compare as means over cells, and only as far as they speak
 * for the answer: the positive part of every map is taken. */
#include "explain_job.h"

#include <math.h>

/* The maps of one question on the common grid. */
typedef struct agree_maps {
    float *v[CLI_MAX_METHODS]; /* NULL: not comparable */
    int64_t height, width;
    size_t n;
} agree_maps;

static void agree_free(agree_maps *a)
{
    for (size_t m = 0; m < CLI_MAX_METHODS; m++)
        free(a->v[m]);
}

static bool agree_collect(const explain_job *j, size_t q, agree_maps *a)
{
    const job_cell *first = NULL;

    *a = (agree_maps){.n = 0};
    for (size_t m = 0; m < j->methods.n; m++) {
        const job_cell *c = job_cell_at(j, q, m);

        first = first == NULL && c->map != NULL ? c : first;
        if (c->map == NULL || c->height != first->height || c->width != first->width)
            continue;
        a->v[m] = job_pool(c->map, c->height, c->width, &a->height, &a->width);
        if (a->v[m] == NULL)
            return false;
        a->n++;
    }
    return true;
}

static int agree_falling(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return x > y ? -1 : x < y;
}

/* Adds 1 where the map is in its top fifth and above zero. */
static bool agree_vote(const float *v, size_t n, float *votes)
{
    float *sorted = malloc(n * sizeof(*sorted)), least;

    if (sorted == NULL)
        return false;
    memcpy(sorted, v, n * sizeof(*sorted));
    qsort(sorted, n, sizeof(*sorted), agree_falling);
    least = sorted[n / 5];
    free(sorted);
    for (size_t i = 0; i < n; i++)
        votes[i] += v[i] > least || (v[i] == least && least > 0.0F) ? 1.0F : 0.0F;
    return true;
}

/* Mean rank correlation of map m with the other maps. */
static double agree_likeness(const agree_maps *a, size_t m)
{
    double sum = 0.0;
    size_t n = 0;

    for (size_t k = 0; k < CLI_MAX_METHODS; k++) {
        sal_similarity s;
        sal_error err;

        if (k == m || a->v[k] == NULL ||
            sal_map_similarity(&s, a->v[m], a->v[k], (size_t)(a->height * a->width), &err) !=
                SAL_OK)
            continue;
        sum += s.spearman;
        n++;
    }
    return n == 0 ? 0.0 : sum / (double)n;
}

static bool agree_measure(const agree_maps *a, job_agreement *out)
{
    size_t cells = (size_t)(a->height * a->width);

    for (size_t m = 0; m < CLI_MAX_METHODS; m++) {
        double like;

        if (a->v[m] == NULL)
            continue;
        if (!agree_vote(a->v[m], cells, out->map))
            return false;
        like = agree_likeness(a, m);
        out->spearman += like / (double)a->n;
        if (like < out->odd_spearman) {
            out->odd_spearman = like;
            out->odd = m;
        }
    }
    for (size_t i = 0; i < cells; i++)
        out->map[i] /= (float)a->n;
    return true;
}

bool job_agree(const explain_job *j, size_t question, job_agreement *out)
{
    agree_maps *a = calloc(1, sizeof(*a));
    bool ok;

    *out = (job_agreement){.odd_spearman = HUGE_VAL};
    ok = a != NULL && agree_collect(j, question, a);
    if (ok && a->n >= 2) {
        out->maps = a->n;
        out->height = a->height;
        out->width = a->width;
        out->map = calloc((size_t)(a->height * a->width), sizeof(*out->map));
        ok = out->map != NULL && agree_measure(a, out);
    }
    if (!ok) {
        free(out->map);
        out->map = NULL;
    }
    if (a != NULL)
        agree_free(a);
    free(a);
    return ok;
}

void job_agree_json(const explain_job *j, cli_text *t)
{
    if (!cli_has(j->a, OPT_agree))
        return;
    json_open(t, "agreement", '[');
    for (size_t q = 0; q < j->n_questions; q++) {
        job_agreement a;
        char label[256];

        if (!job_agree(j, q, &a))
            continue;
        json_open(t, NULL, '{');
        json_string(t, "question", j->asked[q].text);
        json_int(t, "maps", (int64_t)a.maps);
        if (a.maps >= 2) {
            json_number(t, "mean_spearman", a.spearman);
            json_string(t, "odd", cli_method_label(&j->methods, a.odd, label, sizeof(label)));
            json_number(t, "odd_spearman", a.odd_spearman);
        }
        json_close(t, '}');
        free(a.map);
    }
    json_close(t, ']');
}

void job_agree_summary(const explain_job *j, size_t question)
{
    job_agreement a;
    char label[256];

    if (!cli_has(j->a, OPT_agree) || !job_agree(j, question, &a))
        return;
    if (a.maps < 2)
        printf("  agreement fewer than two maps of one size\n");
    else
        printf("  agreement %zu maps, mean rank correlation %.2f; least like the others: %s "
               "(%.2f)\n",
               a.maps, a.spearman, cli_method_label(&j->methods, a.odd, label, sizeof(label)),
               a.odd_spearman);
    free(a.map);
}
