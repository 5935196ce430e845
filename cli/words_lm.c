/* The prompt of a language model, and what is asked of it. */
#include "lm.h"

sal_status cli_words_embed(const sal_model *m, const char *value, const sal_tensor *inputs,
                           sal_tensor *out, sal_error *err)
{
    sal_runner_opts o = SAL_RUNNER_OPTS_INIT;
    sal_runner *r = NULL;
    const sal_tensor *y;
    sal_status st;

    o.outputs = &value;
    o.n_outputs = 1;
    st = sal_runner_new(&r, m, &o, err);
    if (st == SAL_OK)
        st = sal_runner_run(r, inputs, NULL, err);
    if (st == SAL_OK) {
        y = sal_runner_output(r, 0);
        st = sal_tensor_new(out, y->dtype, y->rank, y->dims, err);
        if (st == SAL_OK)
            memcpy(out->data, y->data, sal_tensor_bytes(y));
    }
    sal_runner_free(r);
    return st;
}

/* ---- the prompt ---- */

static bool lm_prompt(cli_text *t, const cli_args *a, const char *path, int *status)
{
    const char *given = cli_value(a, OPT_prompt);

    if (given == NULL)
        given = cli_value(a, OPT_text);
    if (given != NULL)
        cli_text_add(t, given, strlen(given));
    else if (!cli_text_read(t, path == NULL ? "-" : path, status))
        return false;
    while (given == NULL && t->len > 0 && t->data[t->len - 1] == '\n')
        t->data[--t->len] = '\0';
    if (t->len == 0 || t->failed)
        *status = cli_fail_text("the prompt is empty");
    return t->len > 0 && !t->failed;
}

/* The text that the model reads, and where the prompt lies in it. */
static bool lm_render(cli_words *w, const cli_args *a, const sal_lm *lm, const cli_text *prompt,
                      size_t *from, int *status)
{
    const char *system = cli_value(a, OPT_system);
    const sal_chat_template *chat = NULL;
    sal_chat_message messages[2];
    sal_error err = {SAL_OK, 0, ""};
    sal_lm_info info;
    char *text = NULL, *at, *found = NULL;
    size_t n = 0, bytes = 0;
    sal_status st;

    *from = 0;
    if (!cli_lm_chatty(a, lm)) {
        cli_text_add(&w->text, prompt->data, prompt->len);
        return true;
    }
    sal_lm_get_info(lm, &info);
    if (system != NULL)
        messages[n++] = (sal_chat_message){"system", system};
    messages[n++] = (sal_chat_message){"user", prompt->data};
    st = sal_chat_template_named(&chat, info.chat_template, &err);
    if (st == SAL_OK)
        st = sal_chat_render(chat, messages, n, NULL, &text, &bytes, &err);
    if (st != SAL_OK) {
        *status = cli_fail(a->positional[0], st, &err);
        return false;
    }
    cli_text_add(&w->text, text, bytes);
    for (at = strstr(text, prompt->data); at != NULL; at = strstr(at + 1, prompt->data))
        found = at; /* the last: the system's text may quote it */
    *from = found == NULL ? 0 : (size_t)(found - text);
    sal_text_free(text);
    return true;
}

/* ---- the answer ---- */

typedef struct lm_answer {
    int32_t *ids;
    size_t n;
} lm_answer;

static bool lm_answer_copy(lm_answer *out, const int32_t *ids, size_t n, int *status)
{
    out->ids = malloc((n + 1) * sizeof(*ids));
    if (out->ids == NULL) {
        *status = cli_fail_text("out of memory");
        return false;
    }
    if (n > 0)
        memcpy(out->ids, ids, n * sizeof(*ids));
    out->n = n;
    return true;
}

/* The most probable tokens, one after the other. */
static bool lm_answer_own(lm_answer *out, const cli_words *w, const cli_args *a, const sal_lm *lm,
                          int64_t n, int *status)
{
    sal_generate_opts o = SAL_GENERATE_OPTS_INIT;
    sal_prompt prompt = {w->tokens.ids, w->tokens.n};
    sal_lm_session_opts so = SAL_LM_SESSION_OPTS_INIT;
    sal_lm_session *s = NULL;
    sal_generation g = {0};
    sal_error err = {SAL_OK, 0, ""};
    sal_status st;
    bool ok = false;

    so.exact = true;
    so.cache = "f32";
    so.context = (int64_t)w->tokens.n + n;
    o.temperature = 0.0;
    o.max_tokens = (size_t)n;
    st = sal_lm_session_new(&s, lm, &so, &err);
    if (st == SAL_OK)
        st = sal_lm_generate(s, &prompt, 1, &o, &g, &err);
    if (st != SAL_OK)
        *status = cli_fail(a->positional[0], st, &err);
    else if (g.n == 0)
        *status = cli_fail_text("%s: the model answers this prompt with nothing", a->positional[0]);
    else
        ok = lm_answer_copy(out, g.ids, g.n, status);
    sal_generation_free(&g);
    sal_lm_session_free(s);
    return ok;
}

static bool lm_answer_make(lm_answer *out, const cli_words *w, const cli_args *a, const sal_lm *lm,
                           int *status)
{
    const char *given = cli_value(a, OPT_continuation);
    sal_encode_opts o = SAL_ENCODE_OPTS_INIT;
    sal_tokens ids = SAL_TOKENS_INIT;
    sal_error err = {SAL_OK, 0, ""};
    int64_t n = 0;
    bool ok;

    if (!cli_int(a, OPT_answer, 1, 256, &n)) {
        *status = CLI_USAGE;
        return false;
    }
    if (given != NULL && n > 0) {
        *status = cli_usage(a, "--answer and --continuation are two answers; give one");
        return false;
    }
    if (n > 0)
        return lm_answer_own(out, w, a, lm, n, status);
    if (given == NULL)
        return true;
    o.special = false;
    o.plain = true;
    if (sal_tokenizer_encode_as(w->tokenizer, given, strlen(given), &o, &ids, &err) != SAL_OK) {
        *status = cli_fail(a->positional[0], err.code, &err);
        return false;
    }
    if (ids.n == 0 || ids.n > 256) {
        *status = cli_fail_text("--continuation has %zu tokens; 1 to 256 can be explained", ids.n);
        ok = false;
    } else {
        ok = lm_answer_copy(out, ids.ids, ids.n, status);
    }
    sal_tokens_free(&ids);
    return ok;
}

/* The answer's tokens but the last behind those of the prompt. */
static bool lm_append(cli_words *w, const lm_answer *answer, int *status)
{
    sal_tokens *t = &w->tokens;
    size_t n = t->n + answer->n;
    sal_error err = {SAL_OK, 0, ""};

    t->ids = realloc(t->ids, n * sizeof(*t->ids));
    t->types = realloc(t->types, n * sizeof(*t->types));
    t->begin = realloc(t->begin, n * sizeof(*t->begin));
    t->end = realloc(t->end, n * sizeof(*t->end));
    t->added = realloc(t->added, n * sizeof(*t->added));
    if (t->ids == NULL || t->types == NULL || t->begin == NULL || t->end == NULL ||
        t->added == NULL) {
        *status = cli_fail_text("out of memory");
        return false;
    }
    for (size_t i = 0; i + 1 < answer->n; i++) {
        char *piece = NULL;
        size_t bytes = 0;

        if (sal_tokenizer_decode(w->tokenizer, &answer->ids[i], 1, false, &piece, &bytes, &err) !=
            SAL_OK) {
            *status = cli_fail(NULL, err.code, &err);
            return false;
        }
        t->ids[t->n] = answer->ids[i];
        t->types[t->n] = 0;
        t->added[t->n] = true;
        t->begin[t->n] = (uint32_t)w->text.len;
        cli_text_add(&w->text, piece, bytes);
        t->end[t->n++] = (uint32_t)w->text.len;
        sal_text_free(piece);
    }
    return true;
}

/* ---- names of classes ---- */

/* A token's text on one line. */
static void lm_label(cli_text *t, const sal_tokenizer *k, int32_t id)
{
    sal_error err = {SAL_OK, 0, ""};
    char *piece = NULL;
    size_t bytes = 0;

    if (sal_tokenizer_decode(k, &id, 1, false, &piece, &bytes, &err) != SAL_OK)
        piece = NULL;
    cli_text_add(t, "\"", 1);
    for (size_t i = 0; piece != NULL && i < bytes; i++) {
        unsigned char c = (unsigned char)piece[i];

        if (c == '\n')
            cli_text_add(t, "\\n", 2);
        else if (c < 32 || c == 127)
            cli_text_printf(t, "\\x%02x", c);
        else
            cli_text_add(t, piece + i, 1);
    }
    cli_text_add(t, "\"\n", 2);
    sal_text_free(piece);
}

static bool lm_labels(cli_words *w, const sal_lm *lm, const lm_answer *answer, int *status)
{
    cli_text t = {NULL, 0, 0, false, 0, false, false};
    sal_error err = {SAL_OK, 0, ""};
    sal_lm_info info;
    sal_status st;

    sal_lm_get_info(lm, &info);
    if (answer->n > 0) {
        for (size_t i = 0; i < answer->n; i++)
            lm_label(&t, w->tokenizer, answer->ids[i]);
    } else {
        for (int64_t i = 0; i < info.vocabulary; i++)
            lm_label(&t, w->tokenizer, (int32_t)i);
    }
    st = t.failed ? SAL_ENOMEM : sal_labels_read_memory(&w->labels, t.data, t.len, "tokens", &err);
    if (st != SAL_OK)
        *status = cli_fail(NULL, st, &err);
    cli_text_free(&t);
    return st == SAL_OK;
}

const char *cli_words_target(const cli_words *w, const cli_args *a, const char *text, char *buf,
                             size_t n)
{
    char *end;
    sal_encode_opts o = SAL_ENCODE_OPTS_INIT;

    (void)strtol(text, &end, 10);
    if (w->n_answer > 0 || text[0] == '\0' || *end == '\0' || strncmp(text, "top", 3) == 0 ||
        strchr(text, '[') != NULL)
        return text;
    o.special = false;
    o.plain = true;
    for (size_t i = 0; i < 2; i++) {
        sal_tokens ids = SAL_TOKENS_INIT;
        char spaced[256];
        bool one;

        (void)snprintf(spaced, sizeof(spaced), "%s%s", i == 0 ? "" : " ", text);
        one = sal_tokenizer_encode_as(w->tokenizer, spaced, strlen(spaced), &o, &ids, NULL) ==
                  SAL_OK &&
              ids.n == 1;
        if (one)
            (void)snprintf(buf, n, "%ld", (long)ids.ids[0]);
        sal_tokens_free(&ids);
        if (one)
            return buf;
    }
    (void)cli_usage(a,
                    "\"%s\" is no single token; --continuation explains a longer text, `salience "
                    "tokenize` shows "
                    "the tokens",
                    text);
    return NULL;
}

/* ---- all together ---- */

/* The same tokens with those of the prompt taken away. */
static sal_status lm_baseline(cli_words *w, const sal_model *m, const sal_tensor *ids,
                              sal_error *err)
{
    static const char *const pads[] = {"<pad>", "<|endoftext|>", "<unk>", "</s>", "<eos>", NULL};
    sal_tensor without = SAL_TENSOR_INIT;
    sal_status st;

    w->pad = -1;
    for (const char *const *p = pads; *p != NULL && w->pad < 0; p++)
        w->pad = sal_tokenizer_id(w->tokenizer, *p);
    if (w->pad < 0)
        return SAL_OK;
    st = sal_tensor_new(&without, SAL_I64, 2, ids->dims, err);
    for (size_t i = 0; st == SAL_OK && i < w->tokens.n; i++)
        sal_tensor_set(&without, (int64_t)i, w->tokens.added[i] ? w->tokens.ids[i] : w->pad);
    if (st == SAL_OK)
        st = cli_words_embed(m, "embeddings", &without, &w->baseline, err);
    sal_tensor_free(&without);
    return st;
}

static sal_model *lm_asked(cli_words *w, const cli_args *a, const sal_lm *lm,
                           const lm_answer *answer, cli_inputs *in, int *status)
{
    const int64_t dims[2] = {1, (int64_t)w->tokens.n};
    sal_tensor ids = SAL_TENSOR_INIT;
    sal_tensor *tensors = calloc(1, sizeof(*tensors));
    sal_error err = {SAL_OK, 0, ""};
    sal_model *m = NULL;
    sal_status st = tensors == NULL ? SAL_ENOMEM : sal_tensor_new(&ids, SAL_I64, 2, dims, &err);

    for (size_t i = 0; st == SAL_OK && i < w->tokens.n; i++)
        sal_tensor_set(&ids, (int64_t)i, w->tokens.ids[i]);
    if (st == SAL_OK)
        st = cli_words_embed(sal_lm_model(lm), "embeddings", &ids, &tensors[0], &err);
    if (st == SAL_OK)
        st = lm_baseline(w, sal_lm_model(lm), &ids, &err);
    if (st == SAL_OK)
        st = sal_lm_asked(&m, lm, answer->ids, answer->n, &err);
    sal_tensor_free(&ids);
    if (st != SAL_OK) {
        *status = cli_fail(a->positional[0], st, &err);
        if (tensors != NULL)
            sal_tensor_free(&tensors[0]);
        free(tensors);
        return NULL;
    }
    (void)snprintf(w->value, sizeof(w->value), "embeddings");
    *in = (cli_inputs){tensors, 1};
    return m;
}

sal_model *cli_words_lm(cli_words *w, const cli_args *a, const char *path, cli_inputs *in,
                        cli_notes *notes, int *status)
{
    cli_text prompt = {NULL, 0, 0, false, 0, false, false};
    sal_encode_opts o = SAL_ENCODE_OPTS_INIT;
    lm_answer answer = {NULL, 0};
    sal_error err = {SAL_OK, 0, ""};
    sal_model *m = NULL;
    sal_lm *lm = cli_lm_open(a, status);
    char source[CLI_PATH];
    const char *given = cli_value(a, OPT_tokenizer);
    size_t from = 0;

    if (lm == NULL)
        return NULL;
    (void)cli_model_path(a->positional[0], source, sizeof(source));
    if (sal_tokenizer_open(&w->tokenizer, given == NULL ? source : given, &err) != SAL_OK) {
        *status = cli_fail(source, err.code, &err);
        goto done;
    }
    if (!lm_prompt(&prompt, a, path, status) || !lm_render(w, a, lm, &prompt, &from, status))
        goto done;
    o.special = !cli_lm_chatty(a, lm);
    o.plain = !cli_lm_chatty(a, lm);
    if (sal_tokenizer_encode_as(w->tokenizer, w->text.data, w->text.len, &o, &w->tokens, &err) !=
        SAL_OK) {
        *status = cli_fail(a->positional[0], err.code, &err);
        goto done;
    }
    for (size_t i = 0; i < w->tokens.n;
         i++) /* what the template put there is no part of the prompt */
        w->tokens.added[i] = w->tokens.added[i] || w->tokens.end[i] <= from ||
                             w->tokens.begin[i] >= from + prompt.len ||
                             sal_tokenizer_special(w->tokenizer, w->tokens.ids[i]);
    if (!lm_answer_make(&answer, w, a, lm, status) || !lm_labels(w, lm, &answer, status))
        goto done;
    w->lm = true;
    w->n_answer = answer.n;
    if (answer.n > 0) {
        cli_note_later(notes, "explained is the log-probability of the %zu tokens of the answer",
                       answer.n);
        if (!lm_append(w, &answer, status))
            goto done;
    }
    m = lm_asked(w, a, lm, &answer, in, status);
done:
    free(answer.ids);
    cli_text_free(&prompt);
    sal_lm_free(lm);
    return m;
}
