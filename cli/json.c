/* JSON being written. */
#include "cli.h"

#include <math.h>
#include <stdarg.h>

void cli_text_add(cli_text *t, const char *bytes, size_t n)
{
    if (t->failed)
        return;
    if (t->len + n + 1 > t->cap) {
        size_t cap = (t->len + n + 1) * 2;
        char *bigger = realloc(t->data, cap);

        if (bigger == NULL) {
            t->failed = true;
            return;
        }
        t->data = bigger;
        t->cap = cap;
    }
    memcpy(t->data + t->len, bytes, n);
    t->len += n;
    t->data[t->len] = '\0';
}

void cli_text_printf(cli_text *t, const char *fmt, ...)
{
    char small[512];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(small, sizeof(small), fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    if ((size_t)n < sizeof(small)) {
        cli_text_add(t, small, (size_t)n);
        return;
    }
    char *large = malloc((size_t)n + 1);
    if (large == NULL) {
        t->failed = true;
        return;
    }
    va_start(ap, fmt);
    (void)vsnprintf(large, (size_t)n + 1, fmt, ap);
    va_end(ap);
    cli_text_add(t, large, (size_t)n);
    free(large);
}

void cli_text_free(cli_text *t)
{
    free(t->data);
    *t = (cli_text){NULL, 0, 0, false, 0, false, false};
}

/* Bytes of the UTF-8 character at s; 0 when it is none. */
static int json_utf8(const unsigned char *s)
{
    int n = s[0] < 0x80             ? 1
            : (s[0] & 0xe0) == 0xc0 ? 2
            : (s[0] & 0xf0) == 0xe0 ? 3
            : (s[0] & 0xf8) == 0xf0 ? 4
                                    : 0;

    for (int i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((n == 2 && s[0] < 0xc2) || (n == 3 && s[0] == 0xe0 && s[1] < 0xa0) ||
        (n == 3 && s[0] == 0xed && s[1] > 0x9f) || (n == 4 && s[0] == 0xf0 && s[1] < 0x90) ||
        (n == 4 && (s[0] > 0xf4 || (s[0] == 0xf4 && s[1] > 0x8f))))
        return 0;
    return n;
}

/* Names come from files: anything may be in them. */
static void json_quote(cli_text *t, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;

    cli_text_add(t, "\"", 1);
    while (*s != '\0') {
        int n = json_utf8(s);

        if (n == 0) {
            cli_text_add(t, "\xef\xbf\xbd", 3);
            n = 1;
        } else if (*s == '"' || *s == '\\') {
            cli_text_printf(t, "\\%c", *s);
        } else if (*s < 0x20) {
            cli_text_printf(t, "\\u%04x", *s);
        } else {
            cli_text_add(t, (const char *)s, (size_t)n);
        }
        s += n;
    }
    cli_text_add(t, "\"", 1);
}

static void json_begin(cli_text *t, const char *key)
{
    if (t->depth > 0)
        cli_text_printf(t, "%s\n%*s", t->first ? "" : ",", t->depth * 2, "");
    t->first = false;
    if (key != NULL) {
        json_quote(t, key);
        cli_text_add(t, ": ", 2);
    }
}

void json_open(cli_text *t, const char *key, char bracket)
{
    json_begin(t, key);
    cli_text_add(t, &bracket, 1);
    t->depth++;
    t->first = true;
}

void json_close(cli_text *t, char bracket)
{
    t->depth--;
    if (!t->first)
        cli_text_printf(t, "\n%*s", t->depth * 2, "");
    cli_text_add(t, &bracket, 1);
    t->first = false;
}

void json_string(cli_text *t, const char *key, const char *text)
{
    json_begin(t, key);
    if (text == NULL)
        cli_text_add(t, "null", 4);
    else
        json_quote(t, text);
}

void json_number(cli_text *t, const char *key, double v)
{
    char digits[40];

    json_begin(t, key);
    if (!isfinite(v)) {
        cli_text_add(t, "null", 4);
        return;
    }
    /* Few digits where they suffice. */
    (void)snprintf(digits, sizeof(digits), "%.9g", v);
    if ((float)strtod(digits, NULL) != (float)v)
        (void)snprintf(digits, sizeof(digits), "%.17g", v);
    cli_text_printf(t, "%s", digits);
}

void json_int(cli_text *t, const char *key, int64_t v)
{
    json_begin(t, key);
    cli_text_printf(t, "%lld", (long long)v);
}

void json_bool(cli_text *t, const char *key, bool v)
{
    json_begin(t, key);
    cli_text_printf(t, "%s", v ? "true" : "false");
}

int json_print(cli_text *t)
{
    int status = CLI_OK;

    cli_text_add(t, "\n", 1);
    if (t->failed)
        status = cli_fail_text("out of memory");
    else if (fputs(t->data, stdout) == EOF || fflush(stdout) != 0)
        status = cli_fail_text("the result cannot be written to the standard output");
    cli_text_free(t);
    return status;
}

void cli_html(cli_text *t, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '<')
            cli_text_add(t, "&lt;", 4);
        else if (text[i] == '>')
            cli_text_add(t, "&gt;", 4);
        else if (text[i] == '&')
            cli_text_add(t, "&amp;", 5);
        else if (text[i] == '"')
            cli_text_add(t, "&quot;", 6);
        else
            cli_text_add(t, text + i, 1);
    }
}
