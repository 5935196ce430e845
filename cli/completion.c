/* Shell completion from the tables. */
#include "cli.h"

/* What may follow an option, in words; NULL: files. "" nothing to propose. */
static const char *completion_words(cli_kind kind)
{
    switch (kind) {
    case CLI_DTYPE:
        return "f32 bf16";
    case CLI_LAYOUT:
        return "nchw nhwc";
    case CLI_FILE:
    case CLI_FOLDER:
    case CLI_INPUTS:
    case CLI_METHODS:
    case CLI_RULES:
        return NULL;
    case CLI_FLAG:
    case CLI_TEXT:
    case CLI_LIST:
    case CLI_INT:
    case CLI_NUMBER:
        break;
    }
    return "";
}

static void completion_methods(FILE *f, const char *between)
{
    for (size_t i = 0; i < sal_method_count(); i++)
        fprintf(f, "%s%s", i > 0 ? between : "", sal_method_at(i)->name);
    fprintf(f, "%sall", between);
}

static void completion_rules(FILE *f, const char *between)
{
    sal_rule_info r;

    for (size_t i = 0; sal_rule_at(i, &r); i++)
        fprintf(f, "%s%s", i > 0 ? between : "", r.name);
}

/* The words that one option's value can be. */
static void completion_values(FILE *f, cli_kind kind)
{
    if (kind == CLI_METHODS)
        completion_methods(f, " ");
    else if (kind == CLI_RULES)
        completion_rules(f, " ");
    else if (completion_words(kind) != NULL)
        fputs(completion_words(kind), f);
}

static bool completion_is_path(cli_kind kind)
{
    return kind == CLI_FILE || kind == CLI_FOLDER || kind == CLI_INPUTS;
}

static const char tables[] = "methods checks metrics ops rules targets policies";

static void completion_bash(FILE *f)
{
    fputs("# bash completion for salience; made by `salience --completion bash`\n"
          "_salience()\n{\n"
          "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
          "    local verb=${COMP_WORDS[1]}\n    COMPREPLY=()\n"
          "    if ((COMP_CWORD == 1)); then\n        COMPREPLY=($(compgen -W \"",
          f);
    for (int i = 0; i < VERB_COUNT; i++)
        fprintf(f, "%s ", cli_verbs[i].name);
    fputs("--help --version --man --completion\" -- \"$cur\"))\n        return\n    fi\n"
          "    case $prev in\n",
          f);
    for (int i = 0; i < OPT_COUNT; i++) {
        const cli_option *o = &cli_options[i];

        if (o->kind == CLI_FLAG)
            continue;
        fprintf(f, "        --%s", o->name);
        if (o->letter != 0)
            fprintf(f, "|-%c", o->letter);
        if (completion_is_path(o->kind)) {
            fputs(") COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n", f);
            continue;
        }
        fputs(") COMPREPLY=($(compgen -W \"", f);
        completion_values(f, o->kind);
        fputs("\" -- \"$cur\")); return ;;\n", f);
    }
    fputs("    esac\n    if [[ $cur == -* ]]; then\n        case $verb in\n", f);
    for (int v = 0; v < VERB_COUNT; v++) {
        fprintf(f, "            %s) COMPREPLY=($(compgen -W \"", cli_verbs[v].name);
        for (int i = 0; i < OPT_COUNT; i++) {
            if ((cli_options[i].verbs & (1u << v)) != 0)
                fprintf(f, "--%s ", cli_options[i].name);
        }
        fputs("\" -- \"$cur\")) ;;\n", f);
    }
    fprintf(f,
            "        esac\n    elif [[ $verb == list ]]; then\n"
            "        COMPREPLY=($(compgen -W \"%s\" -- \"$cur\"))\n"
            "    else\n        COMPREPLY=($(compgen -f -- \"$cur\"))\n    fi\n}\n"
            "complete -o filenames -F _salience salience\n",
            tables);
}

/* Text within single quotes of zsh's _arguments: brackets and colons have a meaning there. */
static void completion_zsh_text(FILE *f, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            fputs("'\\''", f);
        else if (*text == '[' || *text == ']' || *text == ':' || *text == '\\')
            fprintf(f, "\\%c", *text);
        else
            fputc(*text, f);
    }
}

static void completion_zsh_option(FILE *f, const cli_option *o)
{
    fprintf(f, "                '%s--%s%s[",
            o->kind == CLI_LIST || o->kind == CLI_INPUTS ? "*" : "", o->name,
            o->kind == CLI_FLAG ? "" : "=");
    completion_zsh_text(f, o->help);
    fputs("]", f);
    if (o->kind != CLI_FLAG) {
        fputs(":", f);
        completion_zsh_text(f, o->value);
        fputs(":", f);
        if (completion_is_path(o->kind)) {
            fputs("_files", f);
        } else {
            fputs("(", f);
            completion_values(f, o->kind);
            fputs(")", f);
        }
    }
    fputs("' \\\n", f);
}

static void completion_zsh(FILE *f)
{
    fputs("#compdef salience\n# made by `salience --completion zsh`\n_salience() {\n"
          "    if ((CURRENT == 2)); then\n        local -a verbs=(\n",
          f);
    for (int i = 0; i < VERB_COUNT; i++) {
        fprintf(f, "            '%s:", cli_verbs[i].name);
        completion_zsh_text(f, cli_verbs[i].help);
        fputs("'\n", f);
    }
    fputs("        )\n        _describe command verbs\n        return\n    fi\n"
          "    local verb=$words[2]\n    shift words\n    ((CURRENT--))\n    case $verb in\n",
          f);
    for (int v = 0; v < VERB_COUNT; v++) {
        fprintf(f, "        %s) _arguments -s \\\n", cli_verbs[v].name);
        for (int i = 0; i < OPT_COUNT; i++) {
            if ((cli_options[i].verbs & (1u << v)) != 0)
                completion_zsh_option(f, &cli_options[i]);
        }
        if (v == VERB_list)
            fprintf(f, "                '*:table:(%s)' ;;\n", tables);
        else
            fputs("                '*:file:_files' ;;\n", f);
    }
    fputs("    esac\n}\n_salience \"$@\"\n", f);
}

static void completion_fish_text(FILE *f, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'' || *text == '\\')
            fputc('\\', f);
        fputc(*text, f);
    }
}

static void completion_fish(FILE *f)
{
    fputs("# made by `salience --completion fish`\n", f);
    for (int v = 0; v < VERB_COUNT; v++) {
        fprintf(f, "complete -c salience -n __fish_use_subcommand -a %s -d '", cli_verbs[v].name);
        completion_fish_text(f, cli_verbs[v].help);
        fputs("'\n", f);
    }
    fprintf(f, "complete -c salience -n '__fish_seen_subcommand_from list' -a '%s'\n", tables);
    for (int i = 0; i < OPT_COUNT; i++) {
        const cli_option *o = &cli_options[i];

        fputs("complete -c salience -n '__fish_seen_subcommand_from", f);
        for (int v = 0; v < VERB_COUNT; v++) {
            if ((o->verbs & (1u << v)) != 0)
                fprintf(f, " %s", cli_verbs[v].name);
        }
        fprintf(f, "' -l %s", o->name);
        if (o->letter != 0)
            fprintf(f, " -s %c", o->letter);
        if (o->kind != CLI_FLAG && !completion_is_path(o->kind)) {
            fputs(" -x -a '", f);
            completion_values(f, o->kind);
            fputs("'", f);
        } else if (o->kind != CLI_FLAG) {
            fputs(" -r", f);
        }
        fputs(" -d '", f);
        completion_fish_text(f, o->help);
        fputs("'\n", f);
    }
}

bool cli_completion(FILE *f, const char *shell)
{
    if (strcmp(shell, "bash") == 0)
        completion_bash(f);
    else if (strcmp(shell, "zsh") == 0)
        completion_zsh(f);
    else if (strcmp(shell, "fish") == 0)
        completion_fish(f);
    else
        return false;
    return true;
}
