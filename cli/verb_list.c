/* salience list: the tables. */
#include "cli.h"

int verb_list(const cli_args *a);

typedef struct list_table {
    const char *name;
    void (*json)(cli_text *t);
    void (*print)(void);
    const char *empty; /* why it has no rows; NULL when it has */
} list_table;

/* ---- methods ---- */

static void list_methods_json(cli_text *t)
{
    for (size_t i = 0; i < sal_method_count(); i++) {
        const sal_method_info *m = sal_method_at(i);

        json_open(t, NULL, '{');
        json_string(t, "name", m->name);
        json_string(t, "title", m->title);
        json_string(t, "kind", sal_method_kind_name(m->kind));
        json_bool(t, "signed", m->is_signed);
        json_bool(t, "exportable", m->exportable);
        json_bool(t, "layer", m->wants_layer);
        json_string(t, "reference", m->reference);
        json_string(t, "aliases", m->aliases == NULL ? "" : m->aliases);
        json_open(t, "parameters", '[');
        for (size_t k = 0; k < m->n_params; k++) {
            const sal_param_info *p = &m->params[k];

            json_open(t, NULL, '{');
            json_string(t, "name", p->name);
            json_string(t, "type", p->kind == SAL_PARAM_INT ? "int" : "float");
            json_number(t, "default", p->fallback);
            json_number(t, "min", p->min);
            json_number(t, "max", p->max);
            json_string(t, "help", p->help);
            json_close(t, '}');
        }
        json_close(t, ']');
        json_close(t, '}');
    }
}

static void list_methods_print(void)
{
    for (size_t i = 0; i < sal_method_count(); i++) {
        const sal_method_info *m = sal_method_at(i);

        printf("%s%-27s%s %s, %s%s%s\n%22s %s\n", cli_bold(true), m->name, cli_bold(false),
               m->title, sal_method_kind_name(m->kind), m->is_signed ? ", signed" : "",
               m->exportable ? ", exportable" : "", "", m->reference);
        if (m->aliases != NULL)
            printf("%22s also %s\n", "", m->aliases);
        if (m->wants_layer)
            printf("%22s layer=NAME (found by itself): the layer whose map is shown\n", "");
        for (size_t k = 0; k < m->n_params; k++) {
            const sal_param_info *p = &m->params[k];

            printf("%22s %s=%g (%g to %g): %s\n", "", p->name, p->fallback, p->min, p->max,
                   p->help);
        }
    }
}

/* ---- operators ---- */

static void list_ops_json(cli_text *t)
{
    sal_op_info o;

    for (size_t i = 0; sal_op_info_at(i, &o); i++) {
        json_open(t, NULL, '{');
        json_string(t, "name", o.name);
        json_string(t, "domain", o.domain);
        json_int(t, "since", o.since);
        json_int(t, "min_inputs", o.min_inputs);
        json_int(t, "max_inputs", o.max_inputs);
        json_string(t, "derivative", o.derivative);
        json_close(t, '}');
    }
}

static void list_ops_print(void)
{
    sal_op_info o;

    for (size_t i = 0; sal_op_info_at(i, &o); i++)
        printf("%-26s derivative %-10s %s\n", o.name, o.derivative,
               o.internal                               ? "internal, exported as standard operators"
               : strcmp(o.domain, "com.microsoft") == 0 ? "of com.microsoft, read as ONNX's own"
                                                        : "");
}

/* ---- rules, targets ---- */

static void list_rules_json(cli_text *t)
{
    sal_rule_info r;

    for (size_t i = 0; sal_rule_at(i, &r); i++) {
        json_open(t, NULL, '{');
        json_string(t, "name", r.name);
        json_string(t, "help", r.help);
        json_close(t, '}');
    }
}

static void list_rules_print(void)
{
    sal_rule_info r;

    for (size_t i = 0; sal_rule_at(i, &r); i++)
        printf("%-26s %s\n", r.name, r.help);
}

static void list_targets_json(cli_text *t)
{
    sal_target_info r;

    for (size_t i = 0; sal_target_at(i, &r); i++) {
        json_open(t, NULL, '{');
        json_string(t, "form", r.form);
        json_string(t, "example", r.example);
        json_string(t, "help", r.help);
        json_close(t, '}');
    }
}

static void list_targets_print(void)
{
    sal_target_info r;

    for (size_t i = 0; sal_target_at(i, &r); i++)
        printf("%-14s %-20s %s\n", r.form, r.example, r.help);
}

/* ---- checks ---- */

static void list_checks_json(cli_text *t)
{
    for (size_t i = 0; i < sal_check_count(); i++) {
        const sal_check_info *c = sal_check_at(i);

        json_open(t, NULL, '{');
        json_string(t, "name", c->name);
        json_string(t, "title", c->title);
        json_string(t, "reference", c->reference);
        json_string(t, "help", c->help);
        json_close(t, '}');
    }
}

static void list_checks_print(void)
{
    for (size_t i = 0; i < sal_check_count(); i++) {
        const sal_check_info *c = sal_check_at(i);

        printf("%s%-20s%s %s\n%20s %s\n", cli_bold(true), c->name, cli_bold(false), c->help, "",
               c->reference);
    }
}

/* ---- language models ---- */

static void list_policies_json(cli_text *t)
{
    sal_policy_info r;

    for (size_t i = 0; sal_policy_at(i, &r); i++) {
        json_open(t, NULL, '{');
        json_string(t, "name", r.name);
        json_number(t, "bits", r.bits);
        json_string(t, "help", r.help);
        json_close(t, '}');
    }
}

static void list_policies_print(void)
{
    sal_policy_info r;

    for (size_t i = 0; sal_policy_at(i, &r); i++)
        printf("%s%-14s%s %4.1f bits  %s\n", cli_bold(true), r.name, cli_bold(false), r.bits,
               r.help);
}

static void list_architectures_json(cli_text *t)
{
    sal_architecture_info r;

    for (size_t i = 0; sal_architecture_info_at(i, &r); i++) {
        json_open(t, NULL, '{');
        json_string(t, "name", r.name);
        json_string(t, "help", r.help);
        json_close(t, '}');
    }
}

static void list_architectures_print(void)
{
    sal_architecture_info r;

    for (size_t i = 0; sal_architecture_info_at(i, &r); i++)
        printf("%s%-14s%s %s\n", cli_bold(true), r.name, cli_bold(false), r.help);
}

static void list_templates_json(cli_text *t)
{
    sal_chat_template_info r;

    for (size_t i = 0; sal_chat_template_at(i, &r); i++) {
        json_open(t, NULL, '{');
        json_string(t, "name", r.name);
        json_string(t, "help", r.help);
        json_close(t, '}');
    }
}

static void list_templates_print(void)
{
    sal_chat_template_info r;

    for (size_t i = 0; sal_chat_template_at(i, &r); i++)
        printf("%s%-14s%s %s\n", cli_bold(true), r.name, cli_bold(false), r.help);
}

static const list_table list_tables[] = {
    {"methods", list_methods_json, list_methods_print, NULL},
    {"checks", list_checks_json, list_checks_print, NULL},
    {"metrics", NULL, NULL, "this version has no metrics"},
    {"ops", list_ops_json, list_ops_print, NULL},
    {"rules", list_rules_json, list_rules_print, NULL},
    {"targets", list_targets_json, list_targets_print, NULL},
    {"policies", list_policies_json, list_policies_print, NULL},
    {"templates", list_templates_json, list_templates_print, NULL},
    {"architectures", list_architectures_json, list_architectures_print, NULL},
};

int verb_list(const cli_args *a)
{
    enum { TABLES = sizeof(list_tables) / sizeof(list_tables[0]) };
    const char *names[TABLES], *like;
    cli_text t = {NULL, 0, 0, false, 0, false, false};

    for (size_t i = 0; i < TABLES; i++) {
        const list_table *l = &list_tables[i];

        names[i] = l->name;
        if (strcmp(l->name, a->positional[0]) != 0)
            continue;
        if (cli_has(a, OPT_json)) {
            json_open(&t, NULL, '[');
            if (l->json != NULL)
                l->json(&t);
            json_close(&t, ']');
            return json_print(&t);
        }
        if (l->print != NULL)
            l->print();
        else
            fprintf(stderr, "%s\n", l->empty);
        return CLI_OK;
    }
    like = cli_similar(a->positional[0], names, TABLES);
    if (like != NULL)
        return cli_usage(a, "unknown table %s; did you mean %s?", a->positional[0], like);
    return cli_usage(a, "unknown table %s", a->positional[0]);
}
