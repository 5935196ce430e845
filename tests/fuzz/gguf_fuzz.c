/* Any bytes as a GGUF file: what is read as a language model is listed, bound to two tokens and
 * run. */
#include "exec/session.h"
#include "format/gguf.h"
#include "format/language/gguf_model.h"
#include "graph/dump.h"
#include "graph/passes/passes.h"
#include "ops/core/evaluate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void gguf_fuzz_message(const sal_error *err)
{
    if (err->msg[0] == '\0' || strchr(err->msg, '\n') != NULL)
        abort();
}

/* Much work that a large file asks for is no fault. */
static bool gguf_fuzz_small(const sal_graph *g)
{
    size_t sum = 0;
    for (size_t i = 0; i < g->n_values; i++) {
        const sal_value *v = sal_val(g, (sal_vid)i);
        size_t n = 1;
        for (int k = 0; k < v->rank; k++)
            if (!sal_mul_ok(n, (size_t)(v->dims[k] < 0 ? 2 : v->dims[k]), &n))
                return false;
        if (!sal_add_ok(sum, n, &sum))
            return false;
    }
    return sum < 1 << 20 && g->n_nodes < 2000;
}

static sal_status gguf_fuzz_run(const sal_graph *g, sal_error *err)
{
    const sal_fold how = {sal_node_eval, 1 << 16, 1 << 20, true, true};
    const sal_bound bound = {0, 2, {1, 2}};
    sal_session_opts opts = SAL_SESSION_OPTS_INIT;
    sal_session *session = NULL;
    sal_graph *ready = NULL;
    sal_tensor ids = SAL_TENSOR_INIT;
    sal_bytes text = {NULL, 0, 0};
    sal_status st = SAL_OK;
    opts.threads = 1;
    SAL_TRY(sal_graph_bind(&ready, g, 1, &bound, &how, err));
    SAL_TRY(sal_pass_all(ready, &how, err));
    SAL_TRY(sal_graph_dump_text(ready, &text, err));
    SAL_TRY(sal_tensor_new(&ids, SAL_I64, 2, bound.dims, err));
    SAL_TRY(sal_session_new(&session, ready, &opts, err));
    SAL_TRY(sal_session_run(session, &ids, err));
done:
    sal_bytes_free(&text);
    sal_session_free(session);
    sal_tensor_free(&ids);
    sal_graph_free(ready);
    return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sal_error err = {SAL_OK, 0, ""};
    sal_gguf *file = NULL;
    sal_graph *g = NULL;
    if (sal_gguf_open_memory(&file, data, size, "fuzz", &err) != SAL_OK) {
        gguf_fuzz_message(&err);
        return 0;
    }
    for (size_t i = 0; i < sal_gguf_pair_count(file); i++) {
        const sal_gguf_pair *p = sal_gguf_pair_at(file, i);
        const uint8_t *at = p->data;
        sal_gguf_text text;
        uint64_t strings = 0;
        while (sal_gguf_array_next(p, &at, &text))
            strings++;
        if (p->array && p->type == SAL_GGUF_STRING && strings != p->count)
            abort();
        (void)sal_gguf_array_int(p, p->count - 1);
        (void)sal_gguf_array_float(p, p->count - 1);
    }
    for (size_t i = 0; i < sal_gguf_tensor_count(file); i++) {
        const sal_gguf_tensor *t = sal_gguf_tensor_at(file, i);
        if (t->data != NULL && t->row_bytes > 0) /* the last byte is there */
            err.offset += t->data[(size_t)t->rows * t->row_bytes - 1];
    }
    sal_gguf_close(file);
    if (sal_gguf_read_model_memory(&g, data, size, "fuzz", &err) != SAL_OK) {
        gguf_fuzz_message(&err);
        return 0;
    }
    if (gguf_fuzz_small(g) && gguf_fuzz_run(g, &err) != SAL_OK)
        gguf_fuzz_message(&err);
    sal_graph_free(g);
    return 0;
}
