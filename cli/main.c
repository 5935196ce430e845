/* salience: explain neural networks that exist as a file. */
#include "cli.h"

static int main_unknown(const char *name)
{
    const char *names[VERB_COUNT], *like;

    for (int i = 0; i < VERB_COUNT; i++)
        names[i] = cli_verbs[i].name;
    like = cli_similar(name, names, VERB_COUNT);
    if (like != NULL)
        fprintf(stderr, "salience: unknown command %s; did you mean %s? (salience --help)\n", name,
                like);
    else
        fprintf(stderr, "salience: unknown command %s (salience --help)\n", name);
    return CLI_USAGE;
}

/* Options in place of a verb. */
static int main_option(int argc, char **argv)
{
    const char *name = argv[1];

    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        cli_verb_id verb = argc > 2 ? cli_verb_find(argv[2]) : VERB_COUNT;

        if (argc > 2 && verb == VERB_COUNT)
            return main_unknown(argv[2]);
        if (verb == VERB_COUNT)
            cli_help(stdout);
        else
            cli_help_verb(stdout, verb);
        return CLI_OK;
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        printf("salience %s\n", sal_version());
        return CLI_OK;
    }
    if (strcmp(name, "--man") == 0) {
        cli_man(stdout);
        return CLI_OK;
    }
    if (strcmp(name, "--completion") == 0) {
        if (argc == 3 && cli_completion(stdout, argv[2]))
            return CLI_OK;
        fprintf(stderr, "salience: --completion needs a shell: bash, zsh or fish\n");
        return CLI_USAGE;
    }
    return main_unknown(name);
}

int main(int argc, char **argv)
{
    cli_args a;
    cli_verb_id verb;
    int status = CLI_USAGE;

    if (argc < 2) {
        cli_help(stderr);
        return CLI_USAGE;
    }
    verb = cli_verb_find(argv[1]);
    if (verb == VERB_COUNT)
        return main_option(argc, argv);
    cli_signals(false);
    if (cli_args_parse(&a, verb, argc, argv)) {
        if (cli_has(&a, OPT_help)) {
            cli_help_verb(stdout, verb);
            status = CLI_OK;
        } else if (cli_memory(&a)) {
            status = cli_verbs[verb].run(&a);
        }
    }
    cli_args_free(&a);
    if (fflush(stdout) != 0 && status == CLI_OK)
        status = cli_fail_text("the result cannot be written to the standard output");
    return status;
}
