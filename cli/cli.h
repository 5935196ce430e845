/* The program's own parts: arguments, messages, JSON, finding files. It sees only the public
 * headers of the library. */
#ifndef SALIENCE_CLI_H
#define SALIENCE_CLI_H

#include <salience/salience.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Exit statuses. */
enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_INTERRUPTED = 130 };

enum { CLI_PATH = 4096 };

/* ---- tables ---- */

typedef enum cli_verb_id {
#define CLI_VERB(id, positional, least, most, help) VERB_##id,
#include "verbs.def"
#undef CLI_VERB
    VERB_COUNT
} cli_verb_id;

typedef enum cli_option_id {
#define CLI_OPTION(id, name, letter, kind, value, verbs, help) OPT_##id,
#include "options.def"
#undef CLI_OPTION
    OPT_COUNT
} cli_option_id;

typedef enum cli_kind {
    CLI_FLAG,
    CLI_TEXT,
    CLI_LIST, /* may be repeated */
    CLI_INT,
    CLI_NUMBER,
    CLI_FILE,
    CLI_FOLDER,
    CLI_INPUTS, /* NAME=FILE, may be repeated */
    CLI_METHODS,
    CLI_RULES,
    CLI_DTYPE,
    CLI_LAYOUT,
} cli_kind;

typedef struct cli_args cli_args;

typedef struct cli_verb {
    const char *name, *positional;
    int least, most;
    const char *help;
    int (*run)(const cli_args *a);
} cli_verb;

typedef struct cli_option {
    const char *name;
    char letter;
    cli_kind kind;
    const char *value;
    unsigned verbs; /* bit 1 << verb */
    const char *help;
} cli_option;

extern const cli_verb cli_verbs[VERB_COUNT];
extern const cli_option cli_options[OPT_COUNT];

/* ---- arguments (args.c) ---- */

struct cli_args {
    cli_verb_id verb;
    const char **values[OPT_COUNT]; /* in the order given; flags have "" */
    size_t n_values[OPT_COUNT];
    const char **positional;
    size_t n_positional;
    int argc;
    char **argv;
};

/* Fill *a from the arguments behind the verb; false (told why) for wrong usage. cli_args_free() in
 * any case. */
bool cli_args_parse(cli_args *a, cli_verb_id verb, int argc, char **argv);
void cli_args_free(cli_args *a);

bool cli_has(const cli_args *a, cli_option_id o);
/* The last value; NULL when not given. */
const char *cli_value(const cli_args *a, cli_option_id o);
/* A whole number or number in a range; false (told why) when it is none. Not given: keeps *out. */
bool cli_int(const cli_args *a, cli_option_id o, int64_t least, int64_t most, int64_t *out);
bool cli_number(const cli_args *a, cli_option_id o, double least, double most, double *out);
/* Comma-separated numbers; returns how many were read into out[most], 0 when it is no such list. */
size_t cli_numbers(const char *text, double *out, size_t most);
/* --dtype, --threads: false (told why) when wrong. */
bool cli_dtype(const cli_args *a, sal_dtype *out);
bool cli_threads(const cli_args *a, int *out);

/* Which of `names` is most like `name`; NULL when none is. */
const char *cli_similar(const char *name, const char *const *names, size_t n);
cli_verb_id cli_verb_find(const char *name); /* VERB_COUNT when unknown */

/* ---- texts derived from the tables (help.c, completion.c) ---- */

void cli_help(FILE *f);
void cli_help_verb(FILE *f, cli_verb_id verb);
void cli_man(FILE *f);
/* False for an unknown shell. */
bool cli_completion(FILE *f, const char *shell);

/* ---- messages (message.c) ---- */

#if defined(__GNUC__)
#define CLI_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define CLI_PRINTF(fmt, args)
#endif

/* Wrong usage, one line with a pointer to --help. Returns CLI_USAGE. */
int cli_usage(const cli_args *a, const char *fmt, ...) CLI_PRINTF(2, 3);
/* A failure, one line that begins with `file` (NULL: nothing) unless it does already. Returns the
 * exit status. */
int cli_fail(const char *file, sal_status st, const sal_error *err);
int cli_fail_text(const char *fmt, ...) CLI_PRINTF(1, 2);
/* Something the user should know; on stderr, not with --quiet. Shown by cli_notes_flush(): a
 * failure that comes before stays the only line. */
typedef struct cli_notes {
    char *text;
    size_t n;
} cli_notes;
void cli_note_later(cli_notes *n, const char *fmt, ...) CLI_PRINTF(2, 3);
void cli_notes_flush(cli_notes *n, const cli_args *a);
/* Text in bold where stdout is a terminal that wants colours. */
const char *cli_bold(bool on);

/* ---- progress and Ctrl-C (progress.c) ---- */

typedef struct cli_progress {
    const char *what;
    bool shown, visible;
    double from, share; /* this job's part of the whole */
    double drawn_at;    /* seconds */
} cli_progress;

/* Let Ctrl-C set a flag (graceful) or end the program with 130. A second one always ends it. */
void cli_signals(bool graceful);
bool cli_interrupted(void);
/* Forget a Ctrl-C that has been answered. */
void cli_resume(void);
/* On a terminal only, and not with --quiet. */
void cli_progress_begin(cli_progress *p, const cli_args *a);
bool cli_progress_step(void *p, double done); /* a sal_progress_fn */
void cli_progress_end(cli_progress *p);
double cli_seconds(void);

/* ---- JSON and other text being built (json.c) ---- */

typedef struct cli_text {
    char *data;
    size_t len, cap;
    bool failed; /* out of memory */
    int depth;
    bool first, value; /* state of the JSON writer */
} cli_text;

void cli_text_add(cli_text *t, const char *bytes, size_t n);
void cli_text_printf(cli_text *t, const char *fmt, ...) CLI_PRINTF(2, 3);
void cli_text_free(cli_text *t);
/* Bytes as text of an HTML page. */
void cli_html(cli_text *t, const char *text, size_t n);

/* A member (key not NULL) or element. */
void json_open(cli_text *t, const char *key, char bracket);
void json_close(cli_text *t, char bracket);
void json_string(cli_text *t, const char *key, const char *text); /* NULL: null */
void json_number(cli_text *t, const char *key, double v);         /* not finite: null */
void json_int(cli_text *t, const char *key, int64_t v);
void json_bool(cli_text *t, const char *key, bool v);
/* To stdout, with a line end. Returns the exit status. */
int json_print(cli_text *t);

/* ---- files (files.c) ---- */

/* Folder of labels/ and pull/ beside the program. */
const char *cli_data(const char *name, char *buf, size_t n);
/* Folder of the pulled models. */
bool cli_models(char *buf, size_t n);
/* The file of a pulled model; false when there is none of that name. */
bool cli_pulled(const char *name, char *buf, size_t n);
/* A path, or the name of a pulled model. Returns buf. */
const char *cli_model_path(const char *name, char *buf, size_t n);
/* The tokeniser of a model: MODEL.tokenizer.json, the model itself (a GGUF file, a folder with a
 * tokenizer.json), or the tokenizer.json in its folder. False when there is none. */
bool cli_tokenizer_path(const char *model, char *buf, size_t n);
/* Make a folder and those above it; false with errno. */
bool cli_make_folder(const char *path);
/* FOLDER/prefixNAME.npy with '/' and ':' of the name as '_'. Returns buf. */
const char *cli_npy_path(const char *folder, const char *prefix, const char *name, char *buf,
                         size_t n);
/* All of a file, "-" for the standard input, behind what *t holds. False and *status after a
 * failure. */
bool cli_text_read(cli_text *t, const char *path, int *status);
bool cli_exists(const char *path);
bool cli_ends_with(const char *text, const char *end);
/* The same name with another suffix. Returns buf. */
const char *cli_suffix(const char *path, const char *suffix, char *buf, size_t n);

/* ---- model, inputs (inputs.c) ---- */

/* Open; on failure *status is the exit status. */
sal_model *cli_open(const char *name, int *status);
/* The same for verbs that compute: plans take the weights over (sal_model_open_lean). */
sal_model *cli_open_lean(const char *name, int *status);
/* Tensors for all inputs of a model, in order. */
typedef struct cli_inputs {
    sal_tensor *tensors;
    size_t n;
} cli_inputs;
/* From --in NAME=FILE, one file for the only or explained input also without NAME=. `ready` (may be
 * NULL) is taken over for input `ready_at`. On failure false and *status. */
bool cli_inputs_read(cli_inputs *in, const cli_args *a, const sal_model *m, sal_tensor *ready,
                     size_t ready_at, cli_notes *notes, int *status);
void cli_inputs_free(cli_inputs *in);
/* --shape and --batch as shapes without data; other free dimensions: rank -1. */
bool cli_shapes(sal_tensor **out, const cli_args *a, const sal_model *m, int *status);
/* Fill tensors of those shapes with numbers that a model might meet. */
bool cli_inputs_made(cli_inputs *in, const sal_model *m, const sal_tensor *shapes, int *status);
/* Is a tensor from a file of the shape that a value has? False (told why). */
bool cli_shape_fits(const sal_tensor *t, const sal_value_info *v, const char *file, int *status);
/* --memory: a limit for the whole process. */
bool cli_memory(const cli_args *a);

/* ---- pictures in (preprocess.c) ---- */

typedef struct cli_picture {
    bool is_image;  /* else a .npy tensor */
    bool is_volume; /* a NIfTI file */
    sal_nifti nifti;
    sal_image image;
    sal_preprocess pre;
    char source[CLI_PATH]; /* where the preprocessing was found */
    bool guessed;
} cli_picture;

/* Read the picture or tensor and give the tensor for the explained input. */
bool cli_picture_read(cli_picture *p, const cli_args *a, const sal_model *m, const char *path,
                      sal_tensor *tensor, cli_notes *notes, int *status);
void cli_picture_free(cli_picture *p);
/* Labels of the classes, NULL when nothing is known. */
bool cli_labels(const cli_args *a, const sal_model *m, int64_t classes, sal_labels **out,
                cli_notes *notes, int *status);

/* ---- text in (words.c) ---- */

/* A text and its tokens. */
typedef struct cli_words {
    sal_tokenizer *tokenizer; /* NULL: the input is no text */
    cli_text text;
    sal_tokens tokens;
    int32_t pad;         /* id that stands for no word; -1: none */
    sal_tensor baseline; /* the embeddings of that id; empty when there is none */
    char value[512];     /* the value that is explained: the embeddings */
    size_t
        n_answer; /* language models: tokens of the answer that is asked about; 0: the next one */
    sal_labels *labels; /* language models: the tokens as names of classes; taken by the caller */
    bool lm;            /* classes are tokens, their names are whole texts */
} cli_words;

/* --text, or a file.txt. */
bool cli_words_wanted(const cli_args *a, const char *path);
/* Read the text, fill the inputs, and give the model in which the embeddings are the last input;
 * `m` is still yours. On failure NULL and *status. */
sal_model *cli_words_load(cli_words *w, const cli_args *a, sal_model *m, const char *path,
                          cli_inputs *in, cli_notes *notes, int *status);
/* The value that is explained: a run of the model as far as there. */
sal_status cli_words_embed(const sal_model *m, const char *value, const sal_tensor *inputs,
                           sal_tensor *out, sal_error *err);
void cli_words_free(cli_words *w);

/* ---- language models (words_lm.c) ---- */

/* The prompt of --prompt, --text or a file.txt as the tokens that a language model reads, with what
 * is asked of it (--continuation, --answer); gives the model to explain, whose only input are the
 * embeddings. On failure NULL and *status. */
sal_model *cli_words_lm(cli_words *w, const cli_args *a, const char *path, cli_inputs *in,
                        cli_notes *notes, int *status);
/* A target as --why gives it: a token's text becomes its id, into buf; others stay. NULL (told why)
 * when the text is no single token. */
const char *cli_words_target(const cli_words *w, const cli_args *a, const char *text, char *buf,
                             size_t n);

/* ---- method options (methods.c) ---- */

enum { CLI_MAX_METHODS = 128, CLI_MAX_PARAMS = 16 };

typedef struct cli_method_opts {
    const char *names[CLI_MAX_METHODS];  /* one method on several layers is there several times */
    const char *layers[CLI_MAX_METHODS]; /* NULL: found by itself */
    size_t n;
    bool all; /* --method all: what does not work is skipped */
    sal_param params[CLI_MAX_PARAMS];
    char param_names[CLI_MAX_PARAMS][32];
    size_t n_params;
    bool layer_given, several_layers;
    uint64_t seed;
    sal_tensor baselines; /* empty: none */
} cli_method_opts;

/* From --method, --param, --layer, --seed. False (told why) for wrong usage. */
bool cli_methods(cli_method_opts *m, const cli_args *a);
/* Read the file of --baselines; the status to exit with. Released by cli_methods_free(). */
int cli_baselines(cli_method_opts *m, const cli_args *a);
void cli_methods_free(cli_method_opts *m);
/* Options for method i; params (room CLI_MAX_PARAMS) takes those it has. */
sal_explain_opts cli_explain_opts(const cli_method_opts *m, size_t i, const cli_args *a,
                                  sal_param *params);
/* "grad-cam", or "grad-cam LAYER" where several layers were asked for. Returns buf. */
const char *cli_method_label(const cli_method_opts *m, size_t i, char *buf, size_t n);

#endif
