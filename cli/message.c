/* One line for each thing that is to be said. */
#define _POSIX_C_SOURCE 200809L
#include "cli.h"

#include <stdarg.h>
#include <unistd.h>

int cli_usage(const cli_args *a, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    fprintf(stderr, "salience %s: ", cli_verbs[a->verb].name);
    vfprintf(stderr, fmt, ap);
    fprintf(stderr, " (salience %s --help)\n", cli_verbs[a->verb].name);
    va_end(ap);
    return CLI_USAGE;
}

int cli_fail_text(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    return CLI_FAILED;
}

int cli_fail(const char *file, sal_status st, const sal_error *err)
{
    const char *text = err->msg[0] == '\0' ? sal_status_text(st) : err->msg;

    if (st == SAL_ECANCELLED)
        return cli_fail_text("interrupted"), CLI_INTERRUPTED;
    if (file != NULL && strncmp(text, file, strlen(file)) != 0)
        return cli_fail_text("%s: %s", file, text);
    return cli_fail_text("%s", text);
}

void cli_note_later(cli_notes *n, const char *fmt, ...)
{
    char line[CLI_PATH + 1024];
    va_list ap;
    char *bigger;

    va_start(ap, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    bigger = realloc(n->text, n->n + strlen(line) + 2);
    if (bigger == NULL)
        return; /* a note less */
    n->text = bigger;
    n->n += (size_t)snprintf(n->text + n->n, strlen(line) + 2, "%s\n", line);
}

void cli_notes_flush(cli_notes *n, const cli_args *a)
{
    if (n->text != NULL && !cli_has(a, OPT_quiet))
        (void)fputs(n->text, stderr);
    free(n->text);
    *n = (cli_notes){NULL, 0};
}

const char *cli_bold(bool on)
{
    const char *plain = getenv("NO_COLOR"), *term = getenv("TERM");

    if (!isatty(STDOUT_FILENO) || (plain != NULL && plain[0] != '\0') ||
        (term != NULL && strcmp(term, "dumb") == 0))
        return "";
    return on ? "\033[1m" : "\033[0m";
}
