/* Chat templates: finding the row that a Jinja text is, and writing messages by a row. */
#include "lm/chat_template.h"

#include <stdio.h>

static const sal_chat_template chat_templates[] = {
#define SAL_CHAT_TEMPLATE(...) {__VA_ARGS__},
#include "lm/templates.def"
#undef SAL_CHAT_TEMPLATE
};

size_t sal_chat_template_count(void)
{
    return SAL_COUNTOF(chat_templates);
}

bool sal_chat_template_at(size_t i, sal_chat_template_info *out)
{
    if (i >= SAL_COUNTOF(chat_templates))
        return false;
    *out = (sal_chat_template_info){chat_templates[i].name, chat_templates[i].help};
    return true;
}

const char *sal_chat_template_name(const sal_chat_template *t)
{
    return t->name;
}

/* ---- finding ---- */

/* "chatml, smollm2, ..." */
static void chat_names(char *buf, size_t n)
{
    size_t used = 0;

    buf[0] = '\0';
    for (size_t i = 0; i < SAL_COUNTOF(chat_templates) && used + 1 < n; i++)
        used += (size_t)snprintf(buf + used, n - used, "%s%s", i == 0 ? "" : ", ",
                                 chat_templates[i].name);
}

sal_status sal_chat_template_named(const sal_chat_template **out, const char *name, sal_error *err)
{
    char names[256];

    *out = NULL;
    for (size_t i = 0; i < SAL_COUNTOF(chat_templates); i++) {
        if (strcmp(chat_templates[i].name, name) == 0) {
            *out = &chat_templates[i];
            return SAL_OK;
        }
    }
    chat_names(names, sizeof(names));
    return sal_fail(err, SAL_EINVAL, "there is no chat template %.64s; there are %s", name, names);
}

/* Jinja text in one spelling: the escape \n as a line feed, ' for ", and literals that + joins as
 * one; no zeros inside. */
static char *chat_text_tidy(const char *text, size_t n)
{
    char *out = sal_malloc(n + 1);
    size_t used = 0;

    for (size_t i = 0; out != NULL && i < n; i++) {
        char c = text[i] == '"' ? '\'' : text[i];

        if (c == '\\' && i + 1 < n && text[i + 1] == 'n') {
            c = '\n';
            i++;
        }
        if (c == '\0' || c == '\r')
            continue;
        out[used++] = c;
        if (used >= 5 && memcmp(out + used - 5, "' + '", 5) == 0)
            used -= 5;
    }
    if (out != NULL)
        out[used] = '\0';
    return out;
}

/* The system text that a ChatML template spells out: what stands between the begin of a system turn
 * and its end when that is no expression. */
static bool chat_system_is(const char *tidy, const char *want)
{
    static const char begin[] = "<|im_start|>system\n", end[] = "<|im_end|>";

    for (const char *p = strstr(tidy, begin); p != NULL; p = strstr(p, begin)) {
        const char *stop;

        p += sizeof(begin) - 1;
        if (*p == '\'' || *p == '{')
            continue;
        stop = strstr(p, end);
        return want != NULL && stop != NULL && (size_t)(stop - p) == strlen(want) &&
               memcmp(p, want, strlen(want)) == 0;
    }
    return want == NULL;
}

static bool chat_is(const sal_chat_template *t, const char *tidy)
{
    for (size_t i = 0; i < SAL_COUNTOF(t->marks); i++) {
        if (t->marks[i] != NULL && strstr(tidy, t->marks[i]) == NULL)
            return false;
    }
    for (size_t i = 0; i < SAL_COUNTOF(t->others); i++) {
        if (t->others[i] != NULL && strstr(tidy, t->others[i]) != NULL)
            return false;
    }
    return !t->chatml || chat_system_is(tidy, t->system_text);
}

sal_status sal_chat_template_find(const sal_chat_template **out, const char *text, size_t n,
                                  sal_error *err)
{
    char *tidy = chat_text_tidy(text, n), names[256];

    *out = NULL;
    if (tidy == NULL)
        return sal_fail_nomem(err);
    for (size_t i = 0; i < SAL_COUNTOF(chat_templates) && *out == NULL; i++) {
        if (chat_is(&chat_templates[i], tidy))
            *out = &chat_templates[i];
    }
    sal_free(tidy);
    if (*out != NULL)
        return SAL_OK;
    chat_names(names, sizeof(names));
    return sal_fail(err, SAL_EUNSUPPORTED,
                    "the model's chat template is none that is known; --template NAME chooses one "
                    "of %s",
                    names);
}

/* ---- rendering ---- */

/* A part of a message. */
typedef struct chat_slice {
    const char *p;
    size_t n;
} chat_slice;

/* Bytes of the white space that begins p[0, n), as Python has it; 0: none does. */
static size_t chat_space(const char *p, size_t n)
{
    static const char *const wide[] = {
        "\xC2\x85",     "\xC2\xA0",     "\xE1\x9A\x80", "\xE2\x80\x80", "\xE2\x80\x81",
        "\xE2\x80\x82", "\xE2\x80\x83", "\xE2\x80\x84", "\xE2\x80\x85", "\xE2\x80\x86",
        "\xE2\x80\x87", "\xE2\x80\x88", "\xE2\x80\x89", "\xE2\x80\x8A", "\xE2\x80\xA8",
        "\xE2\x80\xA9", "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80"};

    if (n == 0)
        return 0;
    if ((*p >= 9 && *p <= 13) || (*p >= 28 && *p <= 32))
        return 1;
    for (size_t i = 0; i < SAL_COUNTOF(wide); i++) {
        size_t k = strlen(wide[i]);

        if (k <= n && memcmp(p, wide[i], k) == 0)
            return k;
    }
    return 0;
}

static chat_slice chat_trim_left(chat_slice s)
{
    for (size_t k; (k = chat_space(s.p, s.n)) > 0; s.n -= k)
        s.p += k;
    return s;
}

static chat_slice chat_trim_right(chat_slice s)
{
    bool more = true;

    while (more) {
        more = false;
        for (size_t k = 1; k <= 3 && k <= s.n && !more; k++) {
            if (chat_space(s.p + s.n - k, k) == k) {
                s.n -= k;
                more = true;
            }
        }
    }
    return s;
}

static chat_slice chat_feeds_left(chat_slice s)
{
    for (; s.n > 0 && *s.p == '\n'; s.n--)
        s.p++;
    return s;
}

static chat_slice chat_feeds_right(chat_slice s)
{
    while (s.n > 0 && s.p[s.n - 1] == '\n')
        s.n--;
    return s;
}

typedef struct chat_job {
    const sal_chat_template *t;
    const sal_chat_message *messages;
    size_t n, question; /* the last message of a user */
    const sal_chat_opts *opts;
    sal_bytes out;
} chat_job;

static sal_status chat_put(chat_job *j, chat_slice s, sal_error *err)
{
    return sal_bytes_add(&j->out, s.p, s.n, err);
}

/* Text of the row, with names of tokens and the date in it. */
static sal_status chat_mark(chat_job *j, const char *text, sal_error *err)
{
    const char *bos = j->opts->bos != NULL ? j->opts->bos : j->t->bos;
    const char *eos = j->opts->eos != NULL ? j->opts->eos : j->t->eos;
    const char *date = j->opts->date != NULL ? j->opts->date : j->t->date;
    sal_status st = SAL_OK;

    for (; *text != '\0'; text++) {
        const char *s = *text == CHAT_BOS[0]    ? bos
                        : *text == CHAT_EOS[0]  ? eos
                        : *text == CHAT_DATE[0] ? date
                                                : text;

        SAL_TRY(sal_bytes_add(&j->out, s, s == text ? 1 : strlen(s), err));
    }
done:
    return st;
}

static bool chat_role_is(const sal_chat_message *m, const char *role)
{
    return strcmp(m->role, role) == 0;
}

static chat_slice chat_content(const chat_job *j, size_t i)
{
    chat_slice s = {j->messages[i].content, strlen(j->messages[i].content)};

    return (j->t->flags & CHAT_TRIM) != 0 ? chat_trim_right(chat_trim_left(s)) : s;
}

/* Does a user's message only carry what a tool said? */
static bool chat_tool_response(const char *text)
{
    static const char begin[] = "<tool_response>", end[] = "</tool_response>";
    size_t n = strlen(text);

    return strncmp(text, begin, sizeof(begin) - 1) == 0 && n >= sizeof(end) - 1 &&
           strcmp(text + n - (sizeof(end) - 1), end) == 0;
}

static const char *chat_last(const char *text, size_t n, const char *what)
{
    size_t k = strlen(what);

    for (size_t i = n; i >= k; i--) {
        if (memcmp(text + i - k, what, k) == 0)
            return text + i - k;
    }
    return NULL;
}

/* An answer with its thoughts: they are dropped before the last question. */
static sal_status chat_thoughts(chat_job *j, size_t i, sal_error *err)
{
    static const char open[] = "<think>", close[] = "</think>";
    const char *text = j->messages[i].content, *stop = strstr(text, close);
    chat_slice thought = {text, 0}, said = {text, strlen(text)};
    sal_status st = SAL_OK;

    if (stop != NULL) {
        const char *begin;

        thought = chat_feeds_right((chat_slice){text, (size_t)(stop - text)});
        begin = chat_last(thought.p, thought.n, open);
        if (begin != NULL)
            thought = (chat_slice){begin + sizeof(open) - 1,
                                   thought.n - (size_t)(begin - text) - (sizeof(open) - 1)};
        thought = chat_feeds_left(thought);
        stop = chat_last(text, said.n, close) + sizeof(close) - 1;
        said = chat_feeds_left((chat_slice){stop, said.n - (size_t)(stop - text)});
    }
    if (i > j->question && (i + 1 == j->n || thought.n > 0)) {
        SAL_TRY(chat_mark(j, "<think>\n", err));
        SAL_TRY(chat_put(j, chat_feeds_right(chat_feeds_left(thought)), err));
        SAL_TRY(chat_mark(j, "\n</think>\n\n", err));
        said = chat_feeds_left(said);
    }
    st = chat_put(j, said, err);
done:
    return st;
}

/* The user's first turn with the system's text before what is said. */
static sal_status chat_joined(chat_job *j, size_t i, sal_error *err)
{
    bool joined = (j->t->flags & CHAT_TRIM_JOINED) != 0;
    const char *system = j->messages[0].content;
    chat_slice said = {j->messages[i].content, strlen(j->messages[i].content)};
    size_t from = j->out.len;
    sal_status st = SAL_OK;

    SAL_TRY(chat_mark(j, j->t->system.begin, err));
    SAL_TRY(chat_put(j, (chat_slice){system, strlen(system)}, err));
    SAL_TRY(chat_mark(j, j->t->system.end, err));
    SAL_TRY(chat_put(j, joined ? said : chat_content(j, i), err));
    if (joined)
        j->out.len = from + chat_trim_right((chat_slice){j->out.data + from, j->out.len - from}).n;
done:
    return st;
}

static sal_status chat_message(chat_job *j, size_t i, sal_error *err)
{
    const sal_chat_template *t = j->t;
    const sal_chat_message *m = &j->messages[i];
    bool system = chat_role_is(m, "system"), user = chat_role_is(m, "user");
    const chat_turn *turn = user ? &t->user : &t->assistant;
    bool first = i == (chat_role_is(&j->messages[0], "system") ? 1 : 0);
    sal_status st = SAL_OK;

    if (system) {
        turn = i > 0 && t->later.begin != NULL ? &t->later : &t->system;
        if ((t->flags & CHAT_SYSTEM_IN_USER) != 0 && i == 0)
            return SAL_OK;
        if ((t->flags & CHAT_NO_EMPTY_SYSTEM) != 0 && m->content[0] == '\0')
            return SAL_OK;
    }
    SAL_TRY(chat_mark(j, turn->begin, err));
    if (user && first && i == 1 && (t->flags & CHAT_SYSTEM_IN_USER) != 0)
        SAL_TRY(chat_joined(j, i, err));
    else if (!system && !user && (t->flags & CHAT_THINKS) != 0)
        SAL_TRY(chat_thoughts(j, i, err));
    else
        SAL_TRY(chat_put(j, chat_content(j, i), err));
    st = chat_mark(j, turn->end, err);
done:
    return st;
}

/* Has the template a place for every message? */
static sal_status chat_check(const chat_job *j, sal_error *err)
{
    const sal_chat_template *t = j->t;
    size_t turns = 0;

    if (j->n == 0)
        return sal_fail(err, SAL_EINVAL, "a chat needs at least one message");
    if (j->opts->from > j->n || (j->opts->closes && j->opts->from == 0))
        return sal_fail(err, SAL_EINVAL, "a chat of %zu messages cannot go on behind %zu", j->n,
                        j->opts->from);
    for (size_t i = 0; i < j->n; i++) {
        const sal_chat_message *m = &j->messages[i];
        bool system = chat_role_is(m, "system"), user = chat_role_is(m, "user");

        if (!system && !user && !chat_role_is(m, "assistant"))
            return sal_fail(err, SAL_EINVAL,
                            "message %zu has the role %.64s; roles are system, user and assistant",
                            i + 1, m->role);
        if (system && t->system.begin == NULL)
            return sal_fail(err, SAL_EINVAL,
                            "the chat template %s has no place for a system message", t->name);
        if (system && i > 0 && (t->flags & CHAT_ALTERNATES) != 0)
            return sal_fail(err, SAL_EINVAL,
                            "message %zu: the chat template %s takes a system message only first",
                            i + 1, t->name);
        if (!system && (t->flags & CHAT_ALTERNATES) != 0 && user != (turns % 2 == 0))
            return sal_fail(err, SAL_EINVAL,
                            "message %zu: in the chat template %s user and assistant alternate, "
                            "the user begins",
                            i + 1, t->name);
        turns += system ? 0 : 1;
    }
    return SAL_OK;
}

sal_status sal_chat_render(const sal_chat_template *t, const sal_chat_message *messages, size_t n,
                           const sal_chat_opts *opts, char **out, size_t *bytes, sal_error *err)
{
    static const sal_chat_opts usual = SAL_CHAT_OPTS_INIT;
    chat_job j = {t, messages, n, 0, opts == NULL ? &usual : opts, {NULL, 0, 0}};
    sal_status st = SAL_OK;

    *out = NULL;
    SAL_TRY(chat_check(&j, err));
    j.question = n - 1;
    for (size_t i = n; i > 0; i--) {
        if (chat_role_is(&messages[i - 1], "user") &&
            !chat_tool_response(messages[i - 1].content)) {
            j.question = i - 1;
            break;
        }
    }
    SAL_TRY(sal_bytes_add(&j.out, "", 0, err));
    if (j.opts->closes)
        SAL_TRY(chat_mark(&j, t->assistant.end, err));
    if (j.opts->from == 0) {
        SAL_TRY(chat_mark(&j, t->begin, err));
        if (t->system_text != NULL && !chat_role_is(&messages[0], "system")) {
            SAL_TRY(chat_mark(&j, t->system.begin, err));
            SAL_TRY(chat_mark(&j, t->system_text, err));
            SAL_TRY(chat_mark(&j, t->system.end, err));
        }
    }
    for (size_t i = j.opts->from; i < n; i++)
        SAL_TRY(chat_message(&j, i, err));
    SAL_TRY(chat_mark(&j, j.opts->prompt ? t->prompt : t->end, err));
    if (j.opts->prompt && j.opts->no_thinking && (t->flags & CHAT_THINKS) != 0)
        SAL_TRY(chat_mark(&j, "<think>\n\n</think>\n\n", err));
    SAL_TRY(sal_bytes_add(&j.out, "", 1, err)); /* the zero: what is there already ends with none */
    *out = j.out.data;
    if (bytes != NULL)
        *bytes = j.out.len - 1;
    j.out = (sal_bytes){NULL, 0, 0};
done:
    sal_bytes_free(&j.out);
    return st;
}
