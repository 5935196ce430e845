/* Text as the inputs of a model: ids, mask, types, positions; the embeddings become an input that
 * can be explained. */
#include "cli.h"

/* What an integer input of a text model holds, by its name. */
static bool words_fill(const cli_words *w, const char *name, sal_tensor *t, size_t length)
{
    static const char *const ids[] = {"input_ids", "ids", "tokens", "token_ids", "input", NULL};
    static const char *const mask[] = {"attention_mask", "input_mask", "mask", NULL};
    static const char *const types[] = {"token_type_ids", "segment_ids", NULL};
    static const char *const positions[] = {"position_ids", NULL};
    const char *const *const kinds[] = {ids, mask, types, positions};

    for (size_t k = 0; k < 4; k++) {
        for (const char *const *p = kinds[k]; *p != NULL; p++) {
            if (strcmp(*p, name) != 0)
                continue;
            for (size_t i = 0; i < length; i++) {
                bool real = i < w->tokens.n;
                double v = k == 0   ? (real ? w->tokens.ids[i] : w->pad)
                           : k == 1 ? real
                           : k == 2 ? (real ? w->tokens.types[i] : 0)
                                    : (double)i;

                sal_tensor_set(t, (int64_t)i, v);
            }
            return true;
        }
    }
    return false;
}

static bool words_read(cli_words *w, const cli_args *a, const char *path, int *status)
{
    const char *text = cli_value(a, OPT_text);
    FILE *f;
    char chunk[1 << 14];
    size_t n;

    if (text != NULL) {
        cli_text_add(&w->text, text, strlen(text));
        return true;
    }
    f = fopen(path, "rb");
    while (f != NULL && (n = fread(chunk, 1, sizeof(chunk), f)) > 0)
        cli_text_add(&w->text, chunk, n);
    if (f == NULL || ferror(f) != 0 || w->text.failed) {
        *status = cli_fail_text("%s: cannot be read", path);
        if (f != NULL)
            (void)fclose(f);
        return false;
    }
    (void)fclose(f);
    while (w->text.len > 0 && w->text.data[w->text.len - 1] == '\n')
        w->text.len--;
    return true;
}

/* The tokens, cut to what the model takes, the template's last token kept. */
static bool words_encode(cli_words *w, size_t most, cli_notes *notes, const char *file, int *status)
{
    sal_error err = {SAL_OK, 0, ""};
    sal_tokens *t = &w->tokens;
    sal_status st = sal_tokenizer_encode(w->tokenizer, w->text.data == NULL ? "" : w->text.data,
                                         w->text.len, true, t, &err);

    if (st != SAL_OK) {
        *status = cli_fail(file, st, &err);
        return false;
    }
    if (t->n == 0) {
        *status = cli_fail_text("the text is empty");
        return false;
    }
    if (most > 0 && t->n > most) {
        cli_note_later(notes, "the text has %zu tokens, the model takes %zu: its end is cut off",
                       t->n, most);
        if (most > 1 && t->added[t->n - 1]) {
            t->ids[most - 1] = t->ids[t->n - 1];
            t->types[most - 1] = t->types[t->n - 1];
            t->added[most - 1] = true;
            t->begin[most - 1] = t->end[most - 1] = t->end[most - 2];
        }
        t->n = most;
    }
    return true;
}

/* Length of the sequence that the model wants: -1 free. */
static int64_t words_length(const sal_model *m)
{
    sal_value_info v;

    for (size_t i = 0; sal_model_input(m, i, &v); i++) {
        if (!sal_dtype_is_float(v.dtype) && v.rank >= 1)
            return v.dims[v.rank - 1];
    }
    return -1;
}

/* One tensor an integer input, [1, length] or [length]. */
static bool words_inputs(const cli_words *w, const sal_model *m, size_t length, sal_tensor *out,
                         int *status)
{
    sal_error err = {SAL_OK, 0, ""};
    sal_value_info v;

    for (size_t i = 0; sal_model_input(m, i, &v); i++) {
        int64_t dims[2] = {1, (int64_t)length};

        if (sal_dtype_is_float(v.dtype) || v.rank < 1 || v.rank > 2) {
            *status = cli_fail_text("%s: input %s is %s and cannot be made of text",
                                    sal_model_path(m), v.name, v.type);
            return false;
        }
        if (sal_tensor_new(&out[i], v.dtype, v.rank, v.rank == 1 ? dims + 1 : dims, &err) !=
            SAL_OK) {
            *status = cli_fail(sal_model_path(m), err.code, &err);
            return false;
        }
        if (!words_fill(w, v.name, &out[i], length)) {
            *status = cli_fail_text("%s: what input %s takes is not known; known are input_ids, "
                                    "attention_mask, token_type_ids and position_ids",
                                    sal_model_path(m), v.name);
            return false;
        }
    }
    return true;
}

/* The same text with every word taken away: tokens of the template stay, the others become [PAD].
 */
static sal_status words_baseline(cli_words *w, const sal_model *m, const char *value,
                                 sal_tensor *inputs, sal_error *err)
{
    sal_value_info v;

    if (w->pad < 0)
        return SAL_OK;
    for (size_t i = 0; sal_model_input(m, i, &v); i++) {
        bool ids = strcmp(v.name, "attention_mask") != 0 && strcmp(v.name, "input_mask") != 0 &&
                   strcmp(v.name, "mask") != 0 && strcmp(v.name, "token_type_ids") != 0 &&
                   strcmp(v.name, "segment_ids") != 0 && strcmp(v.name, "position_ids") != 0;

        for (size_t k = 0; ids && k < w->tokens.n; k++) {
            if (!w->tokens.added[k])
                sal_tensor_set(&inputs[i], (int64_t)k, w->pad);
        }
    }
    return cli_words_embed(m, value, inputs, &w->baseline, err);
}

static const char *const words_pads[] = {"[PAD]", "<pad>", "<|pad|>", "<|endoftext|>",
                                         "</s>",  "[UNK]", "<unk>",   NULL};

static bool words_open(cli_words *w, const cli_args *a, const char *model, int *status)
{
    const char *given = cli_value(a, OPT_tokenizer);
    char path[CLI_PATH];
    sal_error err = {SAL_OK, 0, ""};
    sal_status st;

    if (given == NULL && !cli_tokenizer_path(model, path, sizeof(path))) {
        *status =
            cli_fail_text("%s: has no tokenizer.json beside it; --tokenizer FILE gives one", model);
        return false;
    }
    st = sal_tokenizer_open(&w->tokenizer, given == NULL ? path : given, &err);
    if (st != SAL_OK) {
        *status = cli_fail(given == NULL ? path : given, st, &err);
        return false;
    }
    w->pad = -1;
    for (const char *const *p = words_pads; *p != NULL && w->pad < 0; p++)
        w->pad = sal_tokenizer_id(w->tokenizer, *p);
    return true;
}

bool cli_words_wanted(const cli_args *a, const char *path)
{
    return cli_has(a, OPT_text) || cli_has(a, OPT_prompt) ||
           (path != NULL && cli_ends_with(path, ".txt"));
}

sal_model *cli_words_load(cli_words *w, const cli_args *a, sal_model *m, const char *path,
                          cli_inputs *in, cli_notes *notes, int *status)
{
    const char *input = cli_value(a, OPT_input);
    const char *value = input != NULL ? input : sal_model_embedding(m);
    size_t n = sal_model_input_count(m), length;
    int64_t fixed = words_length(m);
    sal_tensor *tensors = NULL;
    sal_model *cut = NULL;
    sal_error err = {SAL_OK, 0, ""};
    sal_status st = SAL_OK;

    if (value == NULL) {
        *status = cli_fail_text("%s: no embedding of an integer input was found; --input VALUE "
                                "names the value to explain",
                                sal_model_path(m));
        return NULL;
    }
    if (!words_open(w, a, sal_model_path(m), status) || !words_read(w, a, path, status))
        return NULL;
    length = fixed > 0 ? (size_t)fixed : sal_tokenizer_limit(w->tokenizer);
    if (!words_encode(w, length, notes, sal_model_path(m), status))
        return NULL;
    length = fixed > 0 ? (size_t)fixed : w->tokens.n;
    tensors = calloc(n + 1, sizeof(*tensors));
    if (tensors == NULL) {
        *status = cli_fail_text("out of memory");
        return NULL;
    }
    if (!words_inputs(w, m, length, tensors, status))
        goto done;
    st = cli_words_embed(m, value, tensors, &tensors[n], &err);
    if (st == SAL_OK)
        st = words_baseline(w, m, value, tensors, &err);
    if (st == SAL_OK) /* the ids again, which the baseline has overwritten */
        for (size_t i = 0; i < n; i++)
            sal_tensor_free(&tensors[i]);
    if (st == SAL_OK && !words_inputs(w, m, length, tensors, status))
        goto done;
    if (st == SAL_OK)
        st = sal_model_cut(&cut, m, value, &err);
    if (st != SAL_OK) {
        *status = cli_fail(sal_model_path(m), st, &err);
        goto done;
    }
    (void)snprintf(w->value, sizeof(w->value), "%s", value);
    *in = (cli_inputs){tensors, n + 1};
    tensors = NULL;
done:
    for (size_t i = 0; tensors != NULL && i <= n; i++)
        sal_tensor_free(&tensors[i]);
    free(tensors);
    return cut;
}

void cli_words_free(cli_words *w)
{
    sal_tokenizer_free(w->tokenizer);
    sal_tokens_free(&w->tokens);
    sal_tensor_free(&w->baseline);
    sal_labels_free(w->labels);
    cli_text_free(&w->text);
}
