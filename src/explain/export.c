/* Export: the graph of a method, written in standard operators (export.h). */
#include "explain/export.h"

#include "format/onnx_write.h"
#include "graph/passes/passes.h"
#include "ops/core/evaluate.h"
#include "ops/expand.h"

/* What the file should tell about itself. */
static sal_status export_describe(sal_graph *g, const sal_explain_graph *x, sal_error *err)
{
    const sal_method_info *info = &x->method->info;
    sal_bytes text = {NULL, 0, 0};
    sal_status st = SAL_OK;

    SAL_TRY(sal_graph_set_meta(g, "salience.method", info->name, err));
    if (x->layer_text.len > 0)
        SAL_TRY(sal_graph_set_meta(g, "salience.layer", x->layer_text.data, err));
    for (size_t i = 0; i < info->n_params; i++)
        SAL_TRY(sal_bytes_printf(&text, err, "%s%s=%g", i > 0 ? " " : "", info->params[i].name,
                                 x->params[i]));
    if (text.len > 0)
        SAL_TRY(sal_graph_set_meta(g, "salience.parameters", text.data, err));
    SAL_TRY(sal_graph_set_meta(g, "salience.query",
                               "weights of the classes: 1 for the class asked about, -1 "
                               "for the one it is contrasted with",
                               err));
done:
    sal_bytes_free(&text);
    return st;
}

sal_status sal_export_graph(sal_graph **out, const sal_graph *model, const sal_explain_opts *opts,
                            sal_bytes *info, sal_error *err)
{
    sal_fold how = SAL_FOLD(sal_node_eval);
    sal_explain_graph x;
    sal_status st = SAL_OK;

    *out = NULL;
    SAL_TRY(sal_explain_graph_build(&x, model, opts, SAL_FOR_EXPORT, err));
    SAL_TRY(sal_pass_dce(x.graph, err));
    SAL_TRY(sal_pass_expand(x.graph, sal_expand_if_internal, NULL, err));
    SAL_TRY(sal_pass_fold(x.graph, &how, err));
    SAL_TRY(sal_pass_identity(x.graph, err));
    SAL_TRY(sal_pass_cse(x.graph, err));
    SAL_TRY(sal_pass_dce(x.graph, err));
    SAL_TRY(export_describe(x.graph, &x, err));
    if (info != NULL && x.layer_text.len > 0)
        SAL_TRY(sal_bytes_printf(info, err, "layer %s\n", x.layer_text.data));
    if (info != NULL && x.notes.len > 0)
        SAL_TRY(sal_bytes_printf(info, err, "%s\n", x.notes.data));
    *out = x.graph;
    x.graph = NULL;
done:
    sal_explain_graph_free(&x);
    return st;
}

sal_status sal_export_write(const sal_graph *model, const sal_explain_opts *opts, const char *path,
                            sal_bytes *info, sal_error *err)
{
    sal_graph *g = NULL;
    sal_status st = SAL_OK;

    SAL_TRY(sal_export_graph(&g, model, opts, info, err));
    st = sal_onnx_write(g, path, err);
done:
    sal_graph_free(g);
    return st;
}
