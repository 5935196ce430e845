/* A session for graphs whose shapes depend on data: stages, each planned when the facts before it
 * are known, and kept for the next run with the same ones (exec/settle.h). */
#ifndef SAL_EXEC_STAGED_H
#define SAL_EXEC_STAGED_H

#include "exec/settle.h"

typedef struct sal_staged sal_staged;

/* The last stage is about to be planned: all shapes of g are fixed. May append nodes and one input;
 * *extra is what that holds when the caller of the run gives nothing. */
typedef sal_status (*sal_staged_finish)(void *ctx, sal_graph *g, sal_tensor *extra, sal_error *err);

typedef struct sal_staged_opts {
    sal_session_opts session;
    bool cut; /* nothing is computed twice; not for graphs that `finish` differentiates */
    sal_staged_finish finish;
    void *ctx;
} sal_staged_opts;

/* g is taken over, also on failure; its inputs must have fixed shapes. *out: sal_staged_free(). */
sal_status sal_staged_take(sal_staged **out, sal_graph *g, const sal_staged_opts *opts,
                           sal_error *err);
/* inputs: those of g. extra: for the input that `finish` made, NULL: its own. ms: times of the
 * steps of the last stage, may be NULL. */
sal_status sal_staged_run(sal_staged *s, const sal_tensor *inputs, const sal_tensor *extra,
                          double *ms, sal_error *err);
/* The session of the last stage of the last run; NULL before. */
sal_session *sal_staged_session(const sal_staged *s);
void sal_staged_free(sal_staged *s);

#endif
