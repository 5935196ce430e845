/* salience generate: continue or answer one or several prompts. */
#include "lm.h"

int verb_generate(const cli_args *a);

typedef struct generate_prompts {
    cli_text *texts;
    sal_tokens *tokens;
    sal_prompt *ids;
    sal_generation *answers;
    size_t n;
} generate_prompts;

static void generate_free(generate_prompts *p)
{
    for (size_t i = 0; i < p->n; i++) {
        cli_text_free(&p->texts[i]);
        sal_tokens_free(&p->tokens[i]);
        sal_generation_free(&p->answers[i]);
    }
    free(p->texts);
    free(p->tokens);
    free(p->ids);
    free(p->answers);
}

static bool generate_prompts_read(generate_prompts *p, const cli_args *a, int *status)
{
    size_t given = a->n_values[OPT_prompt];
    bool file = given == 0 || cli_has(a, OPT_prompt_file);
    size_t n = given + (file ? 1 : 0);

    p->texts = calloc(n, sizeof(*p->texts));
    p->tokens = calloc(n, sizeof(*p->tokens));
    p->ids = calloc(n, sizeof(*p->ids));
    p->answers = calloc(n, sizeof(*p->answers));
    if (p->texts == NULL || p->tokens == NULL || p->ids == NULL || p->answers == NULL) {
        *status = cli_fail_text("out of memory");
        return false;
    }
    p->n = n;
    for (size_t i = 0; i < given; i++)
        cli_text_add(&p->texts[i], a->values[OPT_prompt][i], strlen(a->values[OPT_prompt][i]));
    if (file) {
        cli_text *t = &p->texts[given];
        const char *path = cli_value(a, OPT_prompt_file);

        if (!cli_text_read(t, path == NULL ? "-" : path, status))
            return false;
        /* The line end that an editor or echo puts behind the prompt is none of it. */
        if (t->len > 0 && t->data[t->len - 1] == '\n')
            t->data[--t->len] = '\0';
    }
    return true;
}

static bool generate_encode(generate_prompts *p, const cli_args *a, const sal_lm *lm, int *status)
{
    for (size_t i = 0; i < p->n; i++) {
        const cli_text *t = &p->texts[i];

        if (!cli_lm_encode(a, lm, t->data == NULL ? "" : t->data, t->len, &p->tokens[i], status))
            return false;
        p->ids[i] = (sal_prompt){p->tokens[i].ids, p->tokens[i].n};
    }
    return true;
}

/* One prompt streams; the answers of several are printed when all are there. */
static bool generate_show(void *ctx, size_t prompt, const char *text, size_t n)
{
    const bool *streams = ctx;

    (void)prompt;
    if (*streams) {
        (void)fwrite(text, 1, n, stdout);
        (void)fflush(stdout);
    }
    return !cli_interrupted();
}

static void generate_summary(const cli_args *a, const generate_prompts *p,
                             const sal_generate_opts *o)
{
    size_t computed = 0, reused = 0, made = 0;
    double rate;

    if (cli_has(a, OPT_quiet))
        return;
    for (size_t i = 0; i < p->n; i++) {
        computed += p->answers[i].prompt_tokens - p->answers[i].reused_tokens;
        reused += p->answers[i].reused_tokens;
        made += p->answers[i].n;
    }
    rate =
        p->answers[0].prompt_seconds > 0.0 ? (double)computed / p->answers[0].prompt_seconds : 0.0;
    fprintf(stderr, "prompt %zu tokens", computed + reused);
    if (reused > 0)
        fprintf(stderr, " (%zu kept)", reused);
    fprintf(stderr, " in %.2f s (%.0f/s), answer %zu tokens", p->answers[0].prompt_seconds, rate,
            made);
    if (p->answers[0].decode_seconds > 0.0 && made > p->n)
        fprintf(stderr, " in %.2f s (%.1f/s)", p->answers[0].decode_seconds,
                (double)(made - p->n) / p->answers[0].decode_seconds);
    fprintf(stderr, ", stopped: %s", sal_stop_name(p->answers[0].stop));
    if (o->temperature > 0.0)
        fprintf(stderr, ", seed %llu", (unsigned long long)o->seed);
    fprintf(stderr, "\n");
}

static int generate_json(const generate_prompts *p, const sal_generate_opts *o)
{
    cli_text t = {NULL, 0, 0, false, 0, false, false};

    json_open(&t, NULL, '{');
    json_int(&t, "seed", (int64_t)o->seed);
    json_number(&t, "prompt_seconds", p->answers[0].prompt_seconds);
    json_number(&t, "decode_seconds", p->answers[0].decode_seconds);
    json_open(&t, "answers", '[');
    for (size_t i = 0; i < p->n; i++) {
        const sal_generation *g = &p->answers[i];

        json_open(&t, NULL, '{');
        json_string(&t, "prompt", p->texts[i].data == NULL ? "" : p->texts[i].data);
        json_string(&t, "text", g->text);
        json_string(&t, "stopped", sal_stop_name(g->stop));
        json_int(&t, "prompt_tokens", (int64_t)g->prompt_tokens);
        json_int(&t, "reused_tokens", (int64_t)g->reused_tokens);
        json_open(&t, "ids", '[');
        for (size_t k = 0; k < g->n; k++)
            json_int(&t, NULL, g->ids[k]);
        json_close(&t, ']');
        json_close(&t, '}');
    }
    json_close(&t, ']');
    json_close(&t, '}');
    return json_print(&t);
}

static void generate_print(const generate_prompts *p)
{
    for (size_t i = 0; i < p->n; i++) {
        printf("%s== %s ==%s\n", cli_bold(true), p->texts[i].data == NULL ? "" : p->texts[i].data,
               cli_bold(false));
        (void)fwrite(p->answers[i].text, 1, p->answers[i].text_bytes, stdout);
        printf("\n");
    }
}

static int generate_profile(sal_lm_session *s)
{
    sal_error err = {SAL_OK, 0, ""};
    char *text = NULL;
    sal_status st = sal_lm_session_profile(s, 1, &text, &err);

    if (st != SAL_OK)
        return cli_fail(NULL, st, &err);
    fputs(text, stderr);
    sal_text_free(text);
    return CLI_OK;
}

static int generate_run(const cli_args *a, const sal_lm *lm, generate_prompts *p,
                        sal_generate_opts *o)
{
    const char *kept = cli_value(a, OPT_prompt_cache);
    bool streams = p->n == 1 && !cli_has(a, OPT_json);
    sal_error err = {SAL_OK, 0, ""};
    int status = CLI_OK;
    sal_lm_session *s = cli_lm_session(a, lm, (int32_t)p->n, 0, &status);
    sal_status st;

    if (s == NULL)
        return status;
    o->on_text = generate_show;
    o->ctx = &streams;
    if (kept != NULL && cli_exists(kept)) {
        st = sal_lm_session_load(s, 0, kept, &err);
        if (st != SAL_OK) {
            status = cli_fail(kept, st, &err);
            goto done;
        }
    }
    cli_signals(true);
    st = sal_lm_generate(s, p->ids, p->n, o, p->answers, &err);
    if (st != SAL_OK) {
        if (streams && p->answers[0].text_bytes > 0)
            printf("\n");
        status = cli_fail(a->positional[0], st, &err);
        goto done;
    }
    if (cli_has(a, OPT_json))
        status = generate_json(p, o);
    else if (streams)
        printf("\n");
    else
        generate_print(p);
    generate_summary(a, p, o);
    if (kept != NULL && status == CLI_OK) {
        sal_lm_truncate(s, 0, p->ids[0].n);
        st = sal_lm_session_save(s, 0, kept, &err);
        if (st != SAL_OK)
            status = cli_fail(kept, st, &err);
    }
    if (cli_has(a, OPT_profile) && status == CLI_OK)
        status = generate_profile(s);
    if (cli_interrupted())
        status = CLI_INTERRUPTED;
done:
    sal_lm_session_free(s);
    return status;
}

int verb_generate(const cli_args *a)
{
    sal_generate_opts o = SAL_GENERATE_OPTS_INIT;
    generate_prompts p = {NULL, NULL, NULL, NULL, 0};
    int status = CLI_OK;
    sal_lm *lm = NULL;

    if (!cli_lm_generate_opts(a, &o))
        return CLI_USAGE;
    lm = cli_lm_open(a, &status);
    if (lm != NULL && generate_prompts_read(&p, a, &status) && generate_encode(&p, a, lm, &status))
        status = generate_run(a, lm, &p, &o);
    generate_free(&p);
    sal_lm_free(lm);
    return status;
}
