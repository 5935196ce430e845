/* A bar on terminals, and Ctrl-C. */
#define _POSIX_C_SOURCE 200809L
#include "cli.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t progress_interrupted;
static volatile sig_atomic_t progress_graceful;

static void progress_signal(int number)
{
    (void)number;
    if (progress_interrupted || !progress_graceful)
        _exit(CLI_INTERRUPTED);
    progress_interrupted = 1;
}

void cli_signals(bool graceful)
{
    struct sigaction sa = {.sa_handler = progress_signal};

    progress_graceful = graceful;
    (void)sigemptyset(&sa.sa_mask);
    (void)sigaction(SIGINT, &sa, NULL);
}

bool cli_interrupted(void)
{
    return progress_interrupted != 0;
}

void cli_resume(void)
{
    progress_interrupted = 0;
}

double cli_seconds(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void cli_progress_begin(cli_progress *p, const cli_args *a)
{
    *p = (cli_progress){.what = "", .share = 1.0};
    p->visible = !cli_has(a, OPT_quiet) && isatty(STDERR_FILENO);
    p->drawn_at = cli_seconds();
}

bool cli_progress_step(void *ctx, double done)
{
    enum { WIDTH = 30 };
    cli_progress *p = ctx;
    double now = cli_seconds(), whole = p->from + p->share * done;
    int full = (int)(whole * WIDTH + 0.5);

    if (progress_interrupted)
        return false;
    /* Short work shows no bar, long work ten pictures a second. */
    if (!p->visible || now - p->drawn_at < (p->shown ? 0.1 : 0.5))
        return true;
    p->drawn_at = now;
    p->shown = true;
    fprintf(stderr, "\r%-22.22s [%.*s%.*s] %3.0f %%", p->what, full,
            "##############################", WIDTH - full, "                              ",
            whole * 100.0);
    return true;
}

void cli_progress_end(cli_progress *p)
{
    if (p->shown)
        fprintf(stderr, "\r%70s\r", "");
    p->shown = false;
}
