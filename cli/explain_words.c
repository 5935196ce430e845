/* The relevance of a text's words: on the terminal, as HTML, as JSON. */
#include "explain_job.h"

#include <math.h>

/* Relevance of token i: the sum over its embedding, the mean for methods that give every element of
 * a feature the feature's value; maps with one value a token are taken as they are. */
static double words_token(const explain_job *j, size_t m, const job_cell *c, size_t i)
{
    const sal_tensor *x = &j->in.tensors[j->in.n - 1];
    size_t all = (size_t)sal_tensor_count(&c->e.map);
    size_t length = x->rank >= 2 ? (size_t)x->dims[x->rank - 2] : 0;
    size_t width = length == 0 || all % length != 0 ? 0 : all / length;
    bool mean = sal_method_find(j->methods.names[m])->kind == SAL_METHOD_PERTURBATION;
    double sum = 0.0;

    if (width == 0 || i >= length)
        return (double)NAN;
    for (size_t k = 0; k < width; k++)
        sum += sal_tensor_get(&c->e.map, (int64_t)(i * width + k));
    return mean ? sum / (double)width : sum;
}

size_t job_words(const explain_job *j, size_t q, size_t m, job_word *out)
{
    const sal_tokens *t = &j->words.tokens;
    const job_cell *c = job_cell_at(j, q, m);
    size_t n = 0;

    for (size_t i = 0; i < t->n; i++) {
        double v = words_token(j, m, c, i);
        bool space = t->end[i] > t->begin[i] && j->words.text.data[t->begin[i]] == ' ';
        bool same = n > 0 && !t->added[i] && !out[n - 1].added && t->begin[i] == out[n - 1].end &&
                    !space && t->end[i] > t->begin[i];

        if (!isfinite(v))
            v = 0.0;
        if (same) {
            out[n - 1].end = t->end[i];
            out[n - 1].relevance += v;
            out[n - 1].tokens++;
        } else {
            out[n++] = (job_word){t->begin[i], t->end[i], i, 1, t->added[i], v};
        }
    }
    return n;
}

static double words_most(const job_word *w, size_t n)
{
    double most = 0.0;

    for (size_t i = 0; i < n; i++)
        most = fmax(most, w[i].added ? 0.0 : fabs(w[i].relevance));
    return most > 0.0 ? most : 1.0;
}

/* Red for what speaks for the answer, blue for what speaks against it. */
static void words_color(double share, int rgb[3])
{
    uint8_t c[3];

    sal_scale_color(c, fmax(fmin(share, 1.0), -1.0), true);
    for (int i = 0; i < 3; i++)
        rgb[i] = c[i];
}

/* Where the first word begins: what a chat template puts before it is not shown. */
static uint32_t words_begin(const job_word *w, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!w[i].added)
            return w[i].begin;
    }
    return 0;
}

static void words_line(const explain_job *j, const job_word *w, size_t n)
{
    double most = words_most(w, n);
    size_t at = words_begin(w, n);

    printf("  words     ");
    for (size_t i = 0; i < n; i++) {
        int rgb[3];

        if (w[i].added)
            continue;
        words_color(w[i].relevance / most, rgb);
        printf("%.*s\x1b[48;2;%d;%d;%dm\x1b[38;2;20;20;20m%.*s\x1b[0m", (int)(w[i].begin - at),
               j->words.text.data + at, rgb[0], rgb[1], rgb[2], (int)(w[i].end - w[i].begin),
               j->words.text.data + w[i].begin);
        at = w[i].end;
    }
    printf("\n");
}

static int words_by_magnitude(const void *a, const void *b)
{
    const job_word *x = a, *y = b;
    double p = fabs(x->relevance), r = fabs(y->relevance);

    return p > r ? -1 : p < r ? 1 : x->first < y->first ? -1 : 1;
}

/* Tokens whose relevance is no number. */
static size_t words_lost(const explain_job *j, size_t q, size_t m)
{
    size_t n = 0;

    for (size_t i = 0; i < j->words.tokens.n; i++)
        n += isfinite(words_token(j, m, job_cell_at(j, q, m), i)) ? 0 : 1;
    return n;
}

void job_words_summary(const explain_job *j, size_t q, size_t m)
{
    enum { SHOWN = 8, BAR = 20 };
    job_word *w = calloc(j->words.tokens.n + 1, sizeof(*w));
    size_t n = w == NULL ? 0 : job_words(j, q, m, w), shown = 0;
    double most = words_most(w, n);
    size_t lost = words_lost(j, q, m);

    if (lost > 0)
        printf("  WARNING   the relevance of %zu tokens is no number: the method does not work for "
               "this model\n",
               lost);
    if (n > 0 && cli_bold(true)[0] != '\0')
        words_line(j, w, n);
    if (n > 0)
        qsort(w, n, sizeof(*w), words_by_magnitude);
    for (size_t i = 0; i < n && shown < SHOWN; i++) {
        int bar = (int)lround(fabs(w[i].relevance) / most * BAR);
        uint32_t begin = w[i].begin;

        if (w[i].added)
            continue;
        while (begin < w[i].end && j->words.text.data[begin] == ' ')
            begin++;
        printf("  %s  %+10.4g  %.*s%.*s  %.*s\n", shown == 0 ? "words   " : "        ",
               w[i].relevance, bar,
               w[i].relevance < 0.0 ? "--------------------" : "++++++++++++++++++++", BAR - bar,
               "                    ", (int)(w[i].end - begin), j->words.text.data + begin);
        shown++;
    }
    free(w);
}

static void words_text(cli_text *t, const explain_job *j, uint32_t begin, uint32_t end)
{
    char *copy = calloc((size_t)(end - begin) + 1, 1);

    if (copy != NULL)
        memcpy(copy, j->words.text.data + begin, end - begin);
    json_string(t, "text", copy);
    free(copy);
}

void job_words_json(const explain_job *j, size_t q, size_t m, cli_text *t)
{
    const sal_tokens *k = &j->words.tokens;
    job_word *w = calloc(k->n + 1, sizeof(*w));
    size_t n = w == NULL ? 0 : job_words(j, q, m, w);

    json_open(t, "tokens", '[');
    for (size_t i = 0; i < k->n; i++) {
        json_open(t, NULL, '{');
        json_int(t, "id", k->ids[i]);
        json_string(t, "token", sal_tokenizer_token(j->words.tokenizer, k->ids[i]));
        json_int(t, "begin", k->begin[i]);
        json_int(t, "end", k->end[i]);
        json_number(t, "relevance", words_token(j, m, job_cell_at(j, q, m), i));
        json_close(t, '}');
    }
    json_close(t, ']');
    json_open(t, "words", '[');
    for (size_t i = 0; i < n; i++) {
        if (w[i].added)
            continue;
        json_open(t, NULL, '{');
        words_text(t, j, w[i].begin, w[i].end);
        json_int(t, "begin", w[i].begin);
        json_int(t, "end", w[i].end);
        json_number(t, "relevance", w[i].relevance);
        json_close(t, '}');
    }
    json_close(t, ']');
    free(w);
}

void job_words_html(const explain_job *j, size_t q, size_t m, cli_text *t)
{
    job_word *w = calloc(j->words.tokens.n + 1, sizeof(*w));
    size_t n = w == NULL ? 0 : job_words(j, q, m, w);
    double most = words_most(w, n);
    uint32_t at = words_begin(w, n);

    cli_text_printf(t, "<p class=\"words\">");
    for (size_t i = 0; i < n; i++) {
        int rgb[3];

        if (w[i].added)
            continue;
        words_color(w[i].relevance / most, rgb);
        cli_html(t, j->words.text.data + at, w[i].begin - at);
        cli_text_printf(
            t, "<span style=\"background:rgb(%d,%d,%d)\" title=\"%+.4g (%zu token%s)\">", rgb[0],
            rgb[1], rgb[2], w[i].relevance, w[i].tokens, w[i].tokens == 1 ? "" : "s");
        cli_html(t, j->words.text.data + w[i].begin, w[i].end - w[i].begin);
        cli_text_printf(t, "</span>");
        at = w[i].end;
    }
    if (j->words.labels == NULL && j->words.n_answer == 0 && n > 0 && !w[n - 1].added)
        cli_html(t, j->words.text.data + at, j->words.text.len - at);
    cli_text_printf(t, "</p>\n");
    free(w);
}
