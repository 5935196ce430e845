/* salience export: model and method as one file. */
#include "cli.h"

int verb_export(const cli_args *a);

/* Without a method: the model itself. */
static int export_model(const cli_args *a, const char *out)
{
    cli_text t = {NULL, 0, 0, false, 0, false, false};
    sal_error err = {SAL_OK, 0, ""};
    int status = CLI_FAILED;
    sal_model *model = cli_open(a->positional[0], &status);
    sal_status st;

    if (model == NULL)
        return status;
    st = sal_model_export(model, out, &err);
    if (st != SAL_OK) {
        status = cli_fail(sal_model_path(model), st, &err);
    } else if (cli_has(a, OPT_json)) {
        json_open(&t, NULL, '{');
        json_string(&t, "file", out);
        json_close(&t, '}');
        status = json_print(&t);
    } else {
        printf("%s: %s as ONNX\n", out, sal_model_path(model));
        status = CLI_OK;
    }
    sal_model_free(model);
    return status;
}

int verb_export(const cli_args *a)
{
    sal_param params[CLI_MAX_PARAMS];
    const char *out = cli_value(a, OPT_o);
    sal_error err = {SAL_OK, 0, ""};
    cli_text t = {NULL, 0, 0, false, 0, false, false};
    cli_method_opts m;
    sal_model *model;
    char *info = NULL;
    int status = CLI_FAILED;
    sal_status st;

    if (!cli_methods(&m, a))
        return CLI_USAGE;
    if (out == NULL)
        return cli_usage(a, "where to? -o OUT.onnx");
    if (!cli_has(a, OPT_method)) {
        cli_methods_free(&m);
        return export_model(a, out);
    }
    if (m.n != 1)
        return cli_usage(a, "one method at a time");
    if (!sal_method_find(m.names[0])->exportable)
        return cli_usage(a, "%s cannot be exported: it works by many runs of the model",
                         m.names[0]);
    status = cli_baselines(&m, a);
    if (status != CLI_OK)
        return status;
    model = cli_open(a->positional[0], &status);
    if (model == NULL) {
        cli_methods_free(&m);
        return status;
    }
    sal_explain_opts o = cli_explain_opts(&m, 0, a, params);
    st = sal_explain_export(model, &o, out, &info, &err);
    if (st == SAL_EINVAL && (m.layer_given || o.input != NULL || o.output != NULL))
        status = cli_usage(a, "%s", err.msg);
    else if (st != SAL_OK)
        status = cli_fail(sal_model_path(model), st, &err);
    else if (cli_has(a, OPT_json)) {
        json_open(&t, NULL, '{');
        json_string(&t, "file", out);
        json_string(&t, "method", m.names[0]);
        json_string(&t, "info", info);
        json_close(&t, '}');
        status = json_print(&t);
    } else {
        printf("%s: %s of %s\n%s", out, sal_method_find(m.names[0])->title, sal_model_path(model),
               info);
        printf("ask through the input `query` (1 for the class asked about, -1 for the one it is "
               "contrasted with), read the output `saliency`\n");
        status = CLI_OK;
    }
    sal_text_free(info);
    sal_model_free(model);
    cli_methods_free(&m);
    return status;
}
