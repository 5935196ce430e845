/* salience tokenize: text as the ids that a model reads. */
#include "cli.h"

int verb_tokenize(const cli_args *a);

/* tokenizer.json itself, or the one in a model's folder. */
static const char *tokenize_path(const char *given, char *buf, size_t n)
{
    if (cli_ends_with(given, ".json"))
        return given;
    return cli_tokenizer_path(given, buf, n) ? buf : given;
}

/* The text: --text, or a file, or the standard input. */
static bool tokenize_text(const cli_args *a, cli_text *t, int *status)
{
    const char *text = cli_value(a, OPT_text);
    const char *path = a->n_positional > 1 ? a->positional[1] : "-";
    FILE *f = stdin;
    char chunk[1 << 14];
    size_t n;

    if (text != NULL) {
        cli_text_add(t, text, strlen(text));
        return true;
    }
    if (strcmp(path, "-") != 0)
        f = fopen(path, "rb");
    if (f == NULL) {
        *status = cli_fail_text("%s: cannot be opened", path);
        return false;
    }
    while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
        cli_text_add(t, chunk, n);
    if (ferror(f) != 0 || t->failed) {
        *status = cli_fail_text("%s: cannot be read", path);
        if (f != stdin)
            (void)fclose(f);
        return false;
    }
    if (f != stdin)
        (void)fclose(f);
    return true;
}

static int tokenize_json(const sal_tokenizer *k, const sal_tokens *ids)
{
    cli_text t = {NULL, 0, 0, false, 0, false, false};

    json_open(&t, NULL, '{');
    json_open(&t, "ids", '[');
    for (size_t i = 0; i < ids->n; i++)
        json_int(&t, NULL, ids->ids[i]);
    json_close(&t, ']');
    json_open(&t, "tokens", '[');
    for (size_t i = 0; i < ids->n; i++)
        json_string(&t, NULL, sal_tokenizer_token(k, ids->ids[i]));
    json_close(&t, ']');
    json_open(&t, "offsets", '[');
    for (size_t i = 0; i < ids->n; i++) {
        json_open(&t, NULL, '[');
        json_int(&t, NULL, ids->begin[i]);
        json_int(&t, NULL, ids->end[i]);
        json_close(&t, ']');
    }
    json_close(&t, ']');
    json_close(&t, '}');
    return json_print(&t);
}

static int tokenize_decode(const cli_args *a, const sal_tokenizer *k, const cli_text *text)
{
    size_t cap = 0, n = 0, bytes = 0;
    int32_t *ids = NULL;
    char *out = NULL;
    sal_error err = {SAL_OK, 0, ""};
    sal_status st;

    for (const char *p = text->data == NULL ? "" : text->data; *p != '\0';) {
        char *end;
        long id = strtol(p, &end, 10);

        if (end == p) {
            size_t between = strspn(p, " ,[]\t\r\n");

            if (between == 0) {
                free(ids);
                return cli_fail_text("ids are whole numbers, not %.20s", p);
            }
            p += between;
            continue;
        }
        if (n == cap) {
            int32_t *bigger = realloc(ids, (cap = 2 * cap + 64) * sizeof(*ids));

            if (bigger == NULL) {
                free(ids);
                return cli_fail_text("out of memory");
            }
            ids = bigger;
        }
        ids[n++] = id < 0 || id > INT32_MAX ? -1 : (int32_t)id;
        p = end;
    }
    st = sal_tokenizer_decode(k, ids, n, !cli_has(a, OPT_special), &out, &bytes, &err);
    free(ids);
    if (st != SAL_OK)
        return cli_fail(a->positional[0], st, &err);
    (void)fwrite(out, 1, bytes, stdout);
    sal_text_free(out);
    return CLI_OK;
}

int verb_tokenize(const cli_args *a)
{
    cli_text text = {NULL, 0, 0, false, 0, false, false};
    sal_tokens ids = SAL_TOKENS_INIT;
    sal_encode_opts opts = SAL_ENCODE_OPTS_INIT;
    sal_tokenizer *k = NULL;
    sal_error err = {SAL_OK, 0, ""};
    char path[CLI_PATH];
    const char *from = tokenize_path(a->positional[0], path, sizeof(path));
    int status = CLI_OK;
    sal_status st;

    if (cli_ends_with(from, ".onnx"))
        return cli_fail_text("%s: has neither its .tokenizer.json nor a tokenizer.json beside it",
                             from);
    st = sal_tokenizer_open(&k, from, &err);
    if (st != SAL_OK)
        return cli_fail(from, st, &err);
    if (!tokenize_text(a, &text, &status))
        goto done;
    if (cli_has(a, OPT_decode)) {
        status = tokenize_decode(a, k, &text);
        goto done;
    }
    opts.special = cli_has(a, OPT_special);
    opts.plain = cli_has(a, OPT_plain);
    st =
        sal_tokenizer_encode_as(k, text.data == NULL ? "" : text.data, text.len, &opts, &ids, &err);
    if (st != SAL_OK) {
        status = cli_fail(from, st, &err);
    } else if (cli_has(a, OPT_json)) {
        status = tokenize_json(k, &ids);
    } else if (cli_has(a, OPT_ids)) {
        for (size_t i = 0; i < ids.n; i++)
            printf(i == 0 ? "%ld" : " %ld", (long)ids.ids[i]);
        printf("\n");
    } else {
        for (size_t i = 0; i < ids.n; i++)
            printf("%7ld  %s\n", (long)ids.ids[i], sal_tokenizer_token(k, ids.ids[i]));
    }
done:
    cli_text_free(&text);
    sal_tokens_free(&ids);
    sal_tokenizer_free(k);
    return status;
}
