/* A model as an ONNX file in operators that every engine has. */
#include "api/api.h"

#include "format/onnx_write.h"
#include "graph/op.h"
#include "ops/core/evaluate.h"
#include "ops/expand.h"

enum { EXPORT_OPSET = 20 }; /* what later operators stand for is written out */

/* All that is ours or newer, in steps: packed matrices come out as Unpack nodes first, so that two
 * readers of one share its numbers. */
static bool export_all_but_unpack(const sal_graph *g, const sal_node *n, void *ctx)
{
    (void)ctx;
    return n->op->expand != NULL && strcmp(n->op->name, "Unpack") != 0 &&
           (sal_expand_if_internal(g, n, NULL) ||
            (n->op->since > EXPORT_OPSET && (n->op->flags & SAL_OP_CONTROL) == 0));
}

sal_status sal_model_export(const sal_model *m, const char *path, sal_error *err)
{
    sal_fold how = SAL_FOLD(sal_node_eval);
    sal_graph *g = NULL;
    sal_status st = SAL_OK;

    SAL_TRY(api_graph_own(m, &g, err));
    SAL_TRY(sal_pass_expand(g, export_all_but_unpack, NULL, err));
    SAL_TRY(sal_pass_fold(g, &how, err));
    SAL_TRY(sal_pass_identity(g, err));
    SAL_TRY(sal_pass_cse(g, err));
    SAL_TRY(sal_pass_dce(g, err));
    SAL_TRY(sal_pass_expand(g, sal_expand_if_internal, NULL, err));
    SAL_TRY(sal_pass_dce(g, err));
    st = sal_onnx_write(g, path, err);
done:
    sal_graph_free(g);
    return st;
}
