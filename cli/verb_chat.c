/* salience chat: a conversation, a line a turn. */
#define _POSIX_C_SOURCE 200809L /* getline, isatty */
#include "lm.h"

#include <unistd.h>

int verb_chat(const cli_args *a);

typedef struct chat {
    sal_chat_message *messages; /* contents owned */
    size_t n, cap;
} chat;

static bool chat_add(chat *c, const char *role, const char *text)
{
    char *copy = malloc(strlen(text) + 1);

    if (c->n == c->cap) {
        size_t cap = 2 * c->cap + 8;
        sal_chat_message *bigger = realloc(c->messages, cap * sizeof(*bigger));

        if (bigger != NULL) {
            c->messages = bigger;
            c->cap = cap;
        }
    }
    if (copy == NULL || c->n == c->cap) {
        free(copy);
        return false;
    }
    (void)memcpy(copy, text, strlen(text) + 1);
    c->messages[c->n++] = (sal_chat_message){role, copy};
    return true;
}

static void chat_keep(chat *c, size_t n)
{
    while (c->n > n)
        free((void *)(uintptr_t)c->messages[--c->n].content);
}

static bool chat_show(void *ctx, size_t prompt, const char *text, size_t n)
{
    (void)ctx;
    (void)prompt;
    (void)fwrite(text, 1, n, stdout);
    (void)fflush(stdout);
    return !cli_interrupted();
}

/* One turn; the conversation gets both sides of it. */
static int chat_turn(const cli_args *a, const sal_lm *lm, sal_lm_session *s, chat *c,
                     const sal_generate_opts *o, const char *line)
{
    sal_tokens ids = SAL_TOKENS_INIT;
    sal_generation answer = {0};
    sal_error err = {SAL_OK, 0, ""};
    size_t before = c->n;
    int status = CLI_OK;
    sal_status st;

    if (!chat_add(c, "user", line))
        return cli_fail_text("out of memory");
    st = sal_lm_encode_chat(lm, c->messages, c->n, true, &ids, &err);
    if (st == SAL_OK) {
        sal_prompt prompt = {ids.ids, ids.n};

        st = sal_lm_generate(s, &prompt, 1, o, &answer, &err);
    }
    if (st != SAL_OK) {
        status = cli_fail(a->positional[0], st, &err);
    } else {
        printf("\n");
        if (answer.stop == SAL_STOP_CONTEXT && !cli_has(a, OPT_quiet))
            fprintf(
                stderr,
                "the context is full: /reset begins a new conversation, --context N makes room\n");
        if (!chat_add(c, "assistant", answer.text))
            status = cli_fail_text("out of memory");
    }
    if (status != CLI_OK)
        chat_keep(c, before);
    cli_resume();
    sal_generation_free(&answer);
    sal_tokens_free(&ids);
    return status;
}

static int chat_run(const cli_args *a, const sal_lm *lm, sal_lm_session *s,
                    const sal_generate_opts *o)
{
    const char *system = cli_value(a, OPT_system);
    bool terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    chat c = {NULL, 0, 0};
    char *line = NULL;
    size_t cap = 0, first;
    int status = CLI_OK;

    if (system != NULL && !chat_add(&c, "system", system))
        status = cli_fail_text("out of memory");
    first = c.n;
    if (terminal && !cli_has(a, OPT_quiet))
        fprintf(stderr, "a line a turn; /reset begins anew, Ctrl-C stops an answer, Ctrl-D ends\n");
    while (status == CLI_OK) {
        ssize_t n;

        if (terminal) {
            printf("> ");
            (void)fflush(stdout);
        }
        n = getline(&line, &cap, stdin);
        if (n < 0)
            break;
        if (n > 0 && line[n - 1] == '\n')
            line[n - 1] = '\0';
        if (line[0] == '\0')
            continue;
        if (strcmp(line, "/reset") == 0) {
            chat_keep(&c, first);
            continue;
        }
        status = chat_turn(a, lm, s, &c, o, line);
        if (status == CLI_FAILED && terminal)
            status = CLI_OK; /* said; the user may go on */
    }
    if (terminal)
        printf("\n");
    chat_keep(&c, 0);
    free(c.messages);
    free(line);
    return status;
}

int verb_chat(const cli_args *a)
{
    sal_generate_opts o = SAL_GENERATE_OPTS_INIT;
    sal_lm_session *s = NULL;
    sal_lm_info info;
    int status = CLI_OK;
    sal_lm *lm;

    o.on_text = chat_show;
    if (!cli_lm_generate_opts(a, &o))
        return CLI_USAGE;
    lm = cli_lm_open(a, &status);
    if (lm == NULL)
        return status;
    sal_lm_get_info(lm, &info);
    if (info.chat_template == NULL) {
        status =
            cli_fail_text("%s: has no chat template that is known: --template NAME chooses one "
                          "(`salience list templates`)",
                          a->positional[0]);
        goto done;
    }
    s = cli_lm_session(a, lm, 1, 0, &status);
    if (s == NULL)
        goto done;
    cli_signals(true);
    status = chat_run(a, lm, s, &o);
done:
    sal_lm_session_free(s);
    sal_lm_free(lm);
    return status;
}
