/* The inside of sal_explainer; for the files that run it. */
#ifndef SAL_EXPLAIN_EXPLAINER_PRIVATE_H
#define SAL_EXPLAIN_EXPLAINER_PRIVATE_H

#include "explain/explainer.h"
#include "explain/head.h"

#define EXPLAINER_PLANS 4

typedef struct explainer_plan {
    const sal_graph *of; /* e->x.graph or e->forward.graph; NULL: free slot */
    int64_t n, q;        /* samples, rows of the query */
    sal_session *session;
    uint64_t used;
} explainer_plan;

struct sal_explainer {
    sal_graph *model;          /* free dimensions fixed but for the batch */
    sal_explain_graph x;       /* of the method; the forward graph where it has none */
    sal_explain_graph forward; /* made when first wanted */
    sal_explain_opts opts;     /* strings are not kept */
    explainer_plan plans[EXPLAINER_PLANS];
    uint64_t clock;
    sal_head *head;       /* made when first wanted */
    sal_tensor baselines; /* the caller's, which opts points to; empty when there are none */
    sal_tensor features;  /* the caller's mask; empty when there is none */
};

/* The session of a graph for n samples and q rows of the query. */
sal_status explainer_session(sal_explainer *e, const sal_explain_graph *x, int64_t n, int64_t q,
                             sal_session **out, sal_error *err);
/* The graph that gives the logits alone. */
sal_status explainer_forward(sal_explainer *e, const sal_explain_graph **out, sal_error *err);
/* `copies` copies of sample s along axis 0, in dtype `dtype`. */
sal_status explainer_tile(const sal_tensor *in, int64_t s, int64_t copies, sal_tensor *out,
                          sal_error *err);
/* SAL_ECANCELLED when the caller wants to stop. */
sal_status explainer_progress(const sal_explainer *e, double done, sal_error *err);
/* T of one row of logits. */
double explainer_target(const sal_tensor *query, int64_t query_row, const sal_tensor *logits,
                        int64_t row, int64_t classes);

#endif
