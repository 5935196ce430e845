/* Any bytes as an ONNX model. What is read must survive being written and read again, and the
 * passes and specialisation must end with a graph or an error. */
#include "format/onnx_read.h"
#include "format/onnx_write.h"
#include "graph/dump.h"
#include "graph/passes/passes.h"
#include "ops/core/evaluate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One line, and not about nothing. */
static void onnx_fuzz_message(const sal_error *err)
{
    if (err->msg[0] == '\0' || strchr(err->msg, '\n') != NULL)
        abort();
}

static sal_status onnx_fuzz_bind(const sal_graph *g, const sal_fold *how, sal_error *err)
{
    sal_graph *bound = NULL;
    sal_bound in[8];
    sal_bytes text = {NULL, 0, 0};
    int n = 0;
    for (size_t i = 0; i < g->n_inputs && n < 8; i++, n++) {
        const sal_value *v = sal_val(g, g->inputs[i]);
        memset(&in[n], 0, sizeof in[n]);
        in[n].input = (int32_t)i;
        in[n].rank = v->rank < 0 ? 2 : v->rank;
        for (int k = 0; k < in[n].rank; k++)
            in[n].dims[k] = v->rank < 0 || v->dims[k] < 0 ? 2 : v->dims[k];
    }
    sal_status st = sal_graph_bind(&bound, g, n, in, how, err);
    if (st == SAL_OK)
        st = sal_pass_all(bound, how, err);
    if (st == SAL_OK)
        st = sal_graph_dump_text(bound, &text, err);
    if (st == SAL_OK)
        st = sal_graph_dump_dot(bound, &text, err);
    sal_bytes_free(&text);
    sal_graph_free(bound);
    return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Small limits: the point is the logic, not how fast memory can be filled. */
    const sal_fold how = {sal_node_eval, 1 << 16, 1 << 20};
    sal_error err = {SAL_OK, 0, ""};
    sal_graph *g = NULL, *again = NULL;
    sal_bytes bytes = {NULL, 0, 0};
    if (sal_onnx_read_memory(&g, data, size, "fuzz", NULL, &err) != SAL_OK) {
        onnx_fuzz_message(&err);
        return 0;
    }
    if (sal_onnx_write_memory(g, &bytes, &err) != SAL_OK)
        onnx_fuzz_message(&err);
    else if (sal_onnx_read_memory(&again, bytes.data, bytes.len, "again", NULL, &err) != SAL_OK)
        abort();
    if (onnx_fuzz_bind(g, &how, &err) != SAL_OK)
        onnx_fuzz_message(&err);
    sal_bytes_free(&bytes);
    sal_graph_free(again);
    sal_graph_free(g);
    return 0;
}
