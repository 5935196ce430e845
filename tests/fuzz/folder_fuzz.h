/* What the targets for Hugging Face folders share. */
#ifndef SAL_TESTS_FOLDER_FUZZ_H
#define SAL_TESTS_FOLDER_FUZZ_H

#include "exec/session.h"
#include "format/language/folder_model.h"
#include "graph/dump.h"
#include "graph/passes/passes.h"
#include "ops/core/evaluate.h"

#include <stdio.h>

static const char *const folder_fuzz_seeds[] = {"gemma3", "llama", "phi3"};

enum { FOLDER_FUZZ_SEEDS = sizeof folder_fuzz_seeds / sizeof folder_fuzz_seeds[0] };

/* One line, and not about nothing. */
static inline void folder_fuzz_message(const sal_error *err)
{
    if (err->msg[0] == '\0' || strchr(err->msg, '\n') != NULL)
        abort();
}

/* A file of the corpus; read once and kept. */
static inline const sal_file *folder_fuzz_seed(size_t i, const char *folder, const char *ending)
{
    static sal_file files[FOLDER_FUZZ_SEEDS];
    char path[1024];
    (void)snprintf(path, sizeof path, SAL_SOURCE_DIR "/tests/fuzz/corpus/%s/%s.%s", folder,
                   folder_fuzz_seeds[i], ending);
    if (files[i].data == NULL && sal_file_open(&files[i], path, NULL) != SAL_OK)
        abort();
    return &files[i];
}

/* Much work that a large file asks for is no fault. */
static inline bool folder_fuzz_small(const sal_graph *g)
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

static inline sal_status folder_fuzz_run(const sal_graph *g, sal_error *err)
{
    const sal_fold how = {sal_node_eval, 1 << 16, 1 << 20, true, true};
    const sal_bound bound = {0, 2, {1, 2}};
    sal_session_opts opts = SAL_SESSION_OPTS_INIT;
    sal_session *session = NULL;
    sal_graph *ready = NULL;
    sal_tensor ids = SAL_TENSOR_INIT;
    sal_status st = SAL_OK;
    opts.threads = 1;
    SAL_TRY(sal_graph_bind(&ready, g, 1, &bound, &how, err));
    SAL_TRY(sal_pass_all(ready, &how, err));
    SAL_TRY(sal_tensor_new(&ids, SAL_I64, 2, bound.dims, err));
    SAL_TRY(sal_session_new(&session, ready, &opts, err));
    SAL_TRY(sal_session_run(session, &ids, err));
done:
    sal_session_free(session);
    sal_tensor_free(&ids);
    sal_graph_free(ready);
    return st;
}

static inline void folder_fuzz_model(const void *config, size_t n_config, const void *weights,
                                     size_t n_weights)
{
    sal_error err = {SAL_OK, 0, ""};
    sal_graph *g = NULL;
    if (sal_folder_read_model_memory(&g, config, n_config, weights, n_weights, "fuzz", &err) !=
        SAL_OK)
        folder_fuzz_message(&err);
    else if (folder_fuzz_small(g) && folder_fuzz_run(g, &err) != SAL_OK)
        folder_fuzz_message(&err);
    sal_graph_free(g);
}

#endif
