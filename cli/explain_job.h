/* What one `salience explain` works on. */
#ifndef SALIENCE_EXPLAIN_JOB_H
#define SALIENCE_EXPLAIN_JOB_H

#include "cli.h"

#include <pthread.h>

/* A question as words; the strings point into the arguments or into `own`. */
typedef struct job_question {
    const char **why, **not_;
    size_t n_why, n_not;
    char *own;
} job_question;

/* One method's answer to one question. */
typedef struct job_cell {
    bool done;
    sal_explanation e;
    char failed[512]; /* why there is none */
    float *map;       /* [height, width] of sample 0, for drawing; NULL when it is no picture */
    int64_t height, width;
    double seconds;
    sal_check_result *checks; /* of --check; NULL without */
    size_t n_checks;
} job_cell;

/* Hashes of the files, computed beside the explanation. */
typedef struct job_hashes {
    pthread_t thread;
    bool running;
    const char *model, *image;
    char model_hex[65], image_hex[65];
} job_hashes;

typedef struct explain_job {
    const cli_args *a;
    const char *model_name; /* as given */
    char model_path[CLI_PATH];
    sal_model *model;
    const char *image_path;
    cli_picture picture;
    cli_inputs in;
    cli_words words;
    char **names; /* of features or channels; NULL */
    size_t n_names;
    sal_labels *labels;
    cli_notes notes;
    cli_method_opts methods;
    sal_tensor features, region; /* of the options; empty when not given */
    sal_explain_target target;   /* strings copied below */
    char *output_name, *input_name;
    sal_explain_plan *plan; /* of the method at work */
    sal_tensor logits;
    job_question *questions;
    size_t n_questions;
    char **kept; /* texts of job_keep() */
    size_t n_kept;
    sal_asked *asked;
    job_cell *cells; /* [question * methods.n + method] */
    sal_picture_opts look;
    sal_dtype precision;
    int threads, batch;
    cli_progress progress;
    job_hashes hashes;
    bool interrupted;
    double began;
    const char *png, *html; /* outputs wanted; NULL */
    char json_path[CLI_PATH];
} explain_job;

static inline job_cell *job_cell_at(const explain_job *j, size_t question, size_t method)
{
    return &j->cells[question * j->methods.n + method];
}

/* explain_run.c: open model and input; explain with every method every question; the exit status.
 */
int job_load(explain_job *j);
int job_explain(explain_job *j);
bool job_any(const explain_job *j); /* is there an explanation? */
void job_free(explain_job *j);

/* explain_questions.c */
bool job_questions(explain_job *j);
/* One more target to ask why of. False (told why) when out of memory. */
bool job_question_push(job_question *q, const char *text);
/* A copy of the text that lives as long as the job. */
const char *job_keep(explain_job *j, const char *text);
void job_questions_free(explain_job *j);

/* explain_map.c: the map as a picture of sample 0; where it is strongest. */
bool job_map(const explain_job *j, job_cell *c);
/* The positive part of a map, summed over the cells of a grid of at most 28 x 28: what can be
 * compared between methods and between networks. Yours, free(); NULL when out of memory. */
float *job_pool(const float *map, int64_t height, int64_t width, int64_t *rows, int64_t *columns);
/* "upper left, around (120, 80) of the picture; 93 % of the map on the left half" */
const char *job_where(const explain_job *j, const job_cell *c, char *buf, size_t n);
/* The output asked about is a list of classes, not a picture or a sequence. */
bool job_is_classes(const explain_job *j);
/* Element k of such an output as its indices: "1,12,40". */
const char *job_element(const explain_job *j, size_t k, char *buf, size_t n);
/* Probability of every class of sample 0 (softmax of the logits); the logits themselves when
 * they are none of classes. NULL when out of memory. */
double *job_probabilities(const explain_job *j);
/* The k most likely classes; returns how many. */
size_t job_top(const explain_job *j, const double *p, size_t k, size_t *out);
const char *job_class(const explain_job *j, size_t k);

/* explain_check.c: the sanity checks of --check. */
sal_status job_check(explain_job *j, const sal_explain_opts *opts, size_t question, job_cell *c,
                     sal_error *err);
void job_check_summary(const job_cell *c);
void job_check_json(const job_cell *c, cli_text *t);
/* "checks: 4 passed, 1 in doubt (random-logit)"; NULL when none were made. */
const char *job_check_line(const job_cell *c, char *buf, size_t n);

/* explain_agree.c: where the methods agree on a question. */
typedef struct job_agreement {
    float *map; /* [height, width], share of the methods in whose top fifth a cell is; NULL when
                   fewer than two maps have one size. Yours, free(). */
    int64_t height, width;
    size_t maps;
    double spearman; /* mean over the pairs of maps */
    size_t odd;      /* the method that is least like the others */
    double odd_spearman;
} job_agreement;
/* False when out of memory. */
bool job_agree(const explain_job *j, size_t question, job_agreement *out);
void job_agree_json(const explain_job *j, cli_text *t);
void job_agree_summary(const explain_job *j, size_t question);

/* explain_words.c: relevance of a text's words. */
typedef struct job_word {
    uint32_t begin, end; /* bytes of the text */
    size_t first, tokens;
    bool added; /* of the template, no text */
    double relevance;
} job_word;
/* The words of a cell, in order, into out (room for as many as tokens); returns how many. */
size_t job_words(const explain_job *j, size_t q, size_t m, job_word *out);
void job_words_summary(const explain_job *j, size_t q, size_t m);
void job_words_json(const explain_job *j, size_t q, size_t m, cli_text *t);
void job_words_html(const explain_job *j, size_t q, size_t m, cli_text *t);

/* explain_kind.c: inputs that are no pictures and no text. */
typedef enum job_kind {
    JOB_PICTURE,
    JOB_TEXT,
    JOB_SIGNAL, /* [L], [N,C,L] or [N,L,C] */
    JOB_TABLE,  /* [N,F] */
    JOB_VOLUME, /* [N,C,D,H,W] or [N,D,H,W,C] */
    JOB_OTHER
} job_kind;
job_kind job_kind_of(const explain_job *j);
/* A signal, a table or a volume: what the functions below are for. */
bool job_is_drawn(const explain_job *j);
/* --names; are there enough for the input? On failure *status. */
bool job_names(explain_job *j, int *status);
bool job_names_fit(const explain_job *j, int *status);
void job_names_free(explain_job *j);
sal_status job_kind_draw(const explain_job *j, size_t q, size_t m, sal_image *out, sal_error *err);
int job_kind_write(const explain_job *j);
const char *job_kind_where(const explain_job *j, size_t q, size_t m, char *buf, size_t n);
void job_kind_summary(const explain_job *j, size_t q, size_t m);
void job_kind_json(const explain_job *j, size_t q, size_t m, cli_text *t);

/* explain_write.c */
int job_write(explain_job *j);
/* Tell that there is nothing to draw on; the exit status. */
int job_no_picture(const explain_job *j);
bool job_backdrop(const explain_job *j, sal_image *out, int32_t width, int *status);
void job_json(explain_job *j, cli_text *t);
void job_hashes_wait(explain_job *j);
const char *job_command(const explain_job *j, cli_text *t);

/* explain_report.c */
int job_report(explain_job *j);

/* explain_summary.c */
void job_summary(const explain_job *j);

#endif
