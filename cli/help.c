/* Help and manual page from the tables. */
#include "cli.h"

#include <ctype.h>

static const char help_intro[] =
    "Explain neural networks that exist as a file: which pixels made an ONNX model decide,\n"
    "why this class and not that one, and the explanation itself as an ONNX file.\n";

typedef struct help_example {
    cli_verb_id verb;
    const char *text;
} help_example;

static const help_example help_examples[] = {
    {VERB_explain, "salience explain efficientnet-lite0 photo.jpg -o heat.png"},
    {VERB_explain, "salience explain model.onnx photo.jpg --why dog --not cat -o heat.png"},
    {VERB_explain, "salience explain model.onnx photo.jpg --methods all --why dog --not cat --swap "
                   "-o report.html"},
    {VERB_explain,
     "salience explain model.onnx x.npy --why 3 --method integrated-gradients --param "
     "steps=100 --raw map.npy"},
    {VERB_export, "salience export model.onnx --method grad-cam -o explained.onnx"},
    {VERB_grad, "salience grad model.onnx --in x=x.npy --of logits --wrt x --out grads"},
    {VERB_run, "salience run model.onnx --in x=x.npy --out results"},
    {VERB_inspect, "salience inspect model.onnx"},
    {VERB_doctor, "salience doctor model.onnx photo.jpg"},
    {VERB_bench, "salience bench model.onnx --grad --batch 8 --threads 2"},
    {VERB_list, "salience list methods"},
    {VERB_pull, "salience pull efficientnet-lite0"},
};

static const char help_status[] =
    "Exit status: 0 success, 1 the work failed, 2 wrong usage, 130 interrupted (finished results "
    "are kept).\n";

/* Text from column `column` on, wrapped at 96. */
static void help_wrap(FILE *f, const char *text, int column)
{
    int at = column;

    while (*text != '\0') {
        int n = (int)strcspn(text, " ");

        if (at > column && at + 1 + n > 96) {
            fprintf(f, "\n%*s", column, "");
            at = column;
        } else if (at > column) {
            fputc(' ', f);
            at++;
        }
        fprintf(f, "%.*s", n, text);
        at += n;
        text += n;
        while (*text == ' ')
            text++;
    }
    fputc('\n', f);
}

void cli_help(FILE *f)
{
    fprintf(f, "salience %s\n%s\nusage: salience COMMAND ...\n\n", sal_version(), help_intro);
    for (int i = 0; i < VERB_COUNT; i++) {
        fprintf(f, "  %-8s ", cli_verbs[i].name);
        help_wrap(f, cli_verbs[i].help, 11);
    }
    fprintf(f,
            "\n  salience COMMAND --help        options of a command\n"
            "  salience --version\n"
            "  salience --man                 this manual as a page for man\n"
            "  salience --completion SHELL    completion for bash, zsh or fish\n\n%s",
            help_status);
}

static void help_left(const cli_option *o, char *buf, size_t n)
{
    char letter[8] = "";

    if (o->letter != 0)
        (void)snprintf(letter, sizeof(letter), "-%c, ", o->letter);
    (void)snprintf(buf, n, "%s--%s%s%s", letter, o->name, o->value[0] == '\0' ? "" : " ", o->value);
}

void cli_help_verb(FILE *f, cli_verb_id verb)
{
    const cli_verb *v = &cli_verbs[verb];
    char left[64];

    fprintf(f, "usage: salience %s %s [options]\n\n", v->name, v->positional);
    help_wrap(f, v->help, 0);
    fputc('\n', f);
    for (int i = 0; i < OPT_COUNT; i++) {
        const cli_option *o = &cli_options[i];

        if ((o->verbs & (1u << verb)) == 0)
            continue;
        help_left(o, left, sizeof(left));
        fprintf(f, "  %-26s", left);
        if (strlen(left) > 25)
            fprintf(f, "\n%28s", "");
        help_wrap(f, o->help, 28);
    }
    for (size_t i = 0, n = 0; i < sizeof(help_examples) / sizeof(help_examples[0]); i++) {
        if (help_examples[i].verb != verb)
            continue;
        fprintf(f, "%s  %s\n", n++ == 0 ? "\nexamples:\n" : "", help_examples[i].text);
    }
}

/* ---- manual page ---- */

static void man_text(FILE *f, const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", f);
    for (; *text != '\0'; text++) {
        if (*text == '\\')
            fputs("\\e", f);
        else if (*text == '-')
            fputs("\\-", f);
        else
            fputc(*text, f);
    }
}

static void man_options(FILE *f, int verb)
{
    for (int i = 0; i < OPT_COUNT; i++) {
        const cli_option *o = &cli_options[i];

        if ((o->verbs & (1u << verb)) == 0)
            continue;
        fputs(".TP\n.B ", f);
        if (o->letter != 0)
            fprintf(f, "\\-%c, ", o->letter);
        fputs("\\-\\-", f);
        man_text(f, o->name);
        fputc(' ', f);
        man_text(f, o->value);
        fputc('\n', f);
        man_text(f, o->help);
        fputc('\n', f);
    }
}

static void man_methods(FILE *f)
{
    fputs(".SH METHODS\n", f);
    for (size_t i = 0; i < sal_method_count(); i++) {
        const sal_method_info *m = sal_method_at(i);

        fputs(".TP\n.B ", f);
        man_text(f, m->name);
        fputc('\n', f);
        man_text(f, m->title);
        fputs(". ", f);
        man_text(f, m->reference);
        fputs(".\n", f);
        for (size_t k = 0; k < m->n_params; k++) {
            fputs(".br\n", f);
            man_text(f, m->params[k].name);
            fprintf(f, " (%g): ", m->params[k].fallback);
            man_text(f, m->params[k].help);
            fputc('\n', f);
        }
    }
}

void cli_man(FILE *f)
{
    fprintf(f,
            ".TH SALIENCE 1 \"\" \"salience %s\" \"User Commands\"\n.SH NAME\nsalience \\- explain "
            "neural networks that exist as a file\n.SH SYNOPSIS\n",
            sal_version());
    for (int i = 0; i < VERB_COUNT; i++) {
        fprintf(f, "%s.B salience %s\n", i > 0 ? ".br\n" : "", cli_verbs[i].name);
        man_text(f, cli_verbs[i].positional);
        fputc('\n', f);
    }
    fprintf(f, ".SH DESCRIPTION\n%s", help_intro);
    for (int i = 0; i < VERB_COUNT; i++) {
        char name[32];

        (void)snprintf(name, sizeof(name), "%s", cli_verbs[i].name);
        for (char *p = name; *p != '\0'; p++)
            *p = (char)toupper((unsigned char)*p);
        fprintf(f, ".SH %s\n", name);
        man_text(f, cli_verbs[i].help);
        fputs(".\n", f);
        man_options(f, i);
    }
    man_methods(f);
    fprintf(f,
            ".SH EXIT STATUS\n%s.SH ENVIRONMENT\n.TP\n.B SALIENCE_HOME\nfolder with models/ for "
            "pulled models; default $XDG_DATA_HOME/salience or ~/.local/share/salience\n.TP\n.B "
            "SALIENCE_DATA\nfolder with labels/ and pull/ in place of the installed one\n.TP\n.B "
            "NO_COLOR\nno colours when set\n.SH EXAMPLES\n.nf\n",
            help_status);
    for (size_t i = 0; i < sizeof(help_examples) / sizeof(help_examples[0]); i++) {
        man_text(f, help_examples[i].text);
        fputc('\n', f);
    }
    fputs(".fi\n", f);
}
