/* Run a graph: plan it once for its concrete shapes, run it often (docs/architecture.md).
 *
 * A session belongs to one thread at a time and keeps references to the graph's constants, not the
 * graph. Kernels allocate nothing while they run; evaluator and cast steps may. The same inputs,
 * thread count and machine give the same bytes. */
#ifndef SAL_EXEC_SESSION_H
#define SAL_EXEC_SESSION_H

#include "exec/cache.h"
#include "graph/graph.h"

typedef struct sal_session sal_session;

/* How products with packed matrices are computed. */
typedef enum sal_packed {
    SAL_PACKED_EXACT, /* float32 arithmetic with the unpacked numbers */
    SAL_PACKED_FAST /* a few rows at once: activations rounded to 8 bits; many: both to bfloat16 */
} sal_packed;

typedef struct sal_session_opts {
    uint32_t struct_size; /* set by SAL_SESSION_OPTS_INIT */
    int threads;          /* 0: all that OpenMP offers */
    sal_dtype precision;  /* SAL_F32; SAL_BF16 keeps activations and weights of heavy kernels in
                             bfloat16 */
    bool reference;       /* run every node by its evaluator: slow, for comparison */
    sal_packed packed;
    sal_cache *cache; /* causal Attention nodes append their keys and values to it and attend over
                         all that it holds, the i-th node in layer i; the rows of the batch are
                         those of sal_cache_rows(), and sal_cache_advance() ends a run. Outlives the
                         session. NULL: attention sees what the graph gives it */
} sal_session_opts;

#define SAL_SESSION_OPTS_INIT                                                                      \
    {                                                                                              \
        (uint32_t)sizeof(sal_session_opts), 0, SAL_F32, false, SAL_PACKED_EXACT, NULL              \
    }

/* All shapes of g must be static (graph/passes/passes.h binds them). *out: sal_session_free(). */
sal_status sal_session_new(sal_session **out, const sal_graph *g, const sal_session_opts *opts,
                           sal_error *err);
/* The same for a graph that nobody else needs: it is taken over (also on failure), and its
 * constants are given up as soon as kernels hold them in their own layouts, so that the
 * session holds each weight once for every kernel that reads it. */
sal_status sal_session_take(sal_session **out, sal_graph *g, const sal_session_opts *opts,
                            sal_error *err);
/* inputs: one tensor for each graph input, in order, of its dtype and shape; read during the call
 * only. */
sal_status sal_session_run(sal_session *s, const sal_tensor *inputs, sal_error *err);
/* Output i of the last run; borrowed, valid until the next run or free. */
const sal_tensor *sal_session_output(const sal_session *s, size_t i);
void sal_session_free(sal_session *s);

typedef struct sal_session_stats {
    size_t steps;           /* kernel launches a run */
    size_t reference_steps; /* of them on reference evaluators */
    size_t arena_bytes;     /* activations */
    size_t weight_bytes;    /* prepared weights */
    size_t scratch_bytes;
} sal_session_stats;

void sal_session_get_stats(const sal_session *s, sal_session_stats *out);
/* One line a step: kernel, implementation, node, shapes. Appended to *out. */
sal_status sal_session_describe(const sal_session *s, sal_bytes *out, sal_error *err);
/* Run once and fill ms[steps] with each step's time in milliseconds (for `bench --profile`). */
sal_status sal_session_profile(sal_session *s, const sal_tensor *inputs, double *ms,
                               sal_error *err);
/* One line a step with the times of sal_session_profile. */
const char *sal_session_step_text(const sal_session *s, size_t step);

#endif
