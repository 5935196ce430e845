/* Errors: a code for programs, one printable line for people. */
#include "base/base.h"

#include <stdarg.h>
#include <stdio.h>

const char *sal_status_text(sal_status code)
{
    switch (code) {
#define X(id, value, text)                                                                         \
    case id:                                                                                       \
        return text;
        SAL_STATUS_MAP(X)
#undef X
    }
    return "unknown status";
}

/* Messages quote names out of files that may be hostile: keep them on one line and free of terminal
 * escapes, and do not end inside a UTF-8 sequence when the text was cut. */
static void error_tidy(char *msg, size_t cap)
{
    size_t n = strlen(msg);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)msg[i];
        if (c < 0x20 || c == 0x7f)
            msg[i] = '?';
    }
    if (n + 1 < cap)
        return;
    size_t lead = n;
    while (lead > 0 && ((unsigned char)msg[lead - 1] & 0xc0) == 0x80)
        lead--;
    if (lead > 0 && ((unsigned char)msg[lead - 1] & 0xc0) == 0xc0)
        msg[lead - 1] = '\0';
}

static sal_status error_fill(sal_error *err, sal_status code, uint64_t offset, const char *fmt,
                             va_list ap) SAL_PRINTF(4, 0);

static sal_status error_fill(sal_error *err, sal_status code, uint64_t offset, const char *fmt,
                             va_list ap)
{
    if (err == NULL)
        return code;
    /* Formatted aside: the arguments may point into the old message. */
    char text[sizeof err->msg] = "";
    (void)vsnprintf(text, sizeof text, fmt, ap);
    error_tidy(text, sizeof text);
    memcpy(err->msg, text, sizeof text);
    err->code = code;
    err->offset = offset;
    return code;
}

sal_status sal_fail(sal_error *err, sal_status code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    sal_status st = error_fill(err, code, 0, fmt, ap);
    va_end(ap);
    return st;
}

sal_status sal_fail_at(sal_error *err, sal_status code, uint64_t offset, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    sal_status st = error_fill(err, code, offset, fmt, ap);
    va_end(ap);
    return st;
}

sal_status sal_fail_prefix(sal_error *err, sal_status code, const char *fmt, ...)
{
    if (err == NULL)
        return code;
    char old[sizeof err->msg];
    uint64_t offset = err->offset;
    memcpy(old, err->msg, sizeof old);
    old[sizeof old - 1] = '\0';

    va_list ap;
    va_start(ap, fmt);
    (void)error_fill(err, code, offset, fmt, ap);
    va_end(ap);

    size_t n = strlen(err->msg);
    const char *parts[2] = {": ", old};
    for (int p = 0; p < 2; p++)
        for (const char *s = parts[p]; *s != '\0' && n + 1 < sizeof err->msg; s++)
            err->msg[n++] = *s;
    err->msg[n] = '\0';
    error_tidy(err->msg, sizeof err->msg);
    return code;
}

sal_status sal_fail_nomem(sal_error *err)
{
    return sal_fail(err, SAL_ENOMEM, "out of memory; a smaller batch or input needs less");
}
