/* Any bytes as an ONNX model. What is read must survive being written and read again, and the
 * passes, specialisation, planning and a run must end with a result or an error. */
#include "exec/settle.h"
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

/* All values together; a large model is a large amount of work, which is no fault. */
static bool onnx_fuzz_small(const sal_graph *g, bool settled)
{
    size_t sum = 0;
    for (size_t i = 0; i < g->n_values; i++) {
        const sal_value *v = sal_val(g, (sal_vid)i);
        size_t n = 1;
        for (int k = 0; k < v->rank; k++) {
            if (v->dims[k] < 0 && !settled)
                continue;
            if (v->dims[k] < 0 || !sal_mul_ok(n, (size_t)v->dims[k], &n))
                return false;
        }
        if ((v->rank < 0 && settled) || !sal_add_ok(sum, n, &sum))
            return false;
    }
    return sum < 1 << 16;
}

static sal_status onnx_fuzz_run(sal_graph *g, sal_error *err)
{
    sal_session_opts opts = SAL_SESSION_OPTS_INIT;
    sal_session *session = NULL;
    sal_tensor in[8] = {SAL_TENSOR_INIT};
    sal_status st = SAL_OK;
    opts.threads = 1;
    if (g->n_inputs > 8 || !onnx_fuzz_small(g, false))
        return SAL_OK;
    for (size_t i = 0; i < g->n_inputs; i++) {
        const sal_value *v = sal_val(g, g->inputs[i]);
        SAL_TRY(sal_tensor_new(&in[i], v->dtype, v->rank, v->dims, err));
        if (sal_tensor_bytes(&in[i]) > 0)
            memset(in[i].data, v->dtype == SAL_BOOL ? 1 : 0x3f, sal_tensor_bytes(&in[i]));
    }
    SAL_TRY(sal_settle_freeze(g, in, &opts, err));
    if (!onnx_fuzz_small(g, true))
        goto done;
    SAL_TRY(sal_session_new(&session, g, &opts, err));
    SAL_TRY(sal_session_run(session, in, err));
done:
    sal_session_free(session);
    for (size_t i = 0; i < 8; i++)
        sal_tensor_free(&in[i]);
    return st;
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
    if (st == SAL_OK)
        st = onnx_fuzz_run(bound, err);
    sal_bytes_free(&text);
    sal_graph_free(bound);
    return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Small limits: the point is the logic, not how fast memory can be filled. */
    const sal_fold how = {sal_node_eval, 1 << 16, 1 << 20, true, true};
    sal_error err = {SAL_OK, 0, ""};
    sal_graph *g = NULL, *again = NULL;
    sal_bytes bytes = {NULL, 0, 0};
    if (sal_onnx_read_memory(&g, data, size, "fuzz", getenv("SAL_FUZZ_DIR"), &err) != SAL_OK) {
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
