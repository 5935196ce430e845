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

/* How a lean explainer comes to the weights again (lean.c). */
typedef struct explainer_lean {
    sal_explainer_source source; /* NULL: the graphs keep their weights */
    void *ctx;
    sal_tensor *like; /* shapes of the model's inputs */
    size_t n_like;
    char *names[3]; /* layer, input, output of the options; may be NULL */
    bool stripped;  /* a plan has taken the weights */
} explainer_lean;

typedef struct sal_partial sal_partial; /* partial.c */

struct sal_explainer {
    sal_graph *model;          /* free dimensions fixed but for the batch */
    bool whole;                /* with the batch */
    sal_explain_graph x;       /* of the method; the forward graph where it has none */
    sal_explain_graph forward; /* made when first wanted */
    sal_explain_opts opts;     /* strings are not kept */
    explainer_plan plans[EXPLAINER_PLANS];
    uint64_t clock;
    sal_head *head;       /* made when first wanted */
    sal_partial *partial; /* likewise */
    sal_tensor baselines; /* the caller's, which opts points to; empty when there are none */
    sal_tensor features;  /* the caller's mask; empty when there is none */
    explainer_lean lean;
};

/* A method of one pass whose sum is compared with T(x) - T(baseline), by a forward pass of its own.
 */
bool explainer_wants_baseline(const sal_explainer *e);
/* The session of a graph for n samples and q rows of the query. */
sal_status explainer_session(sal_explainer *e, const sal_explain_graph *x, int64_t n, int64_t q,
                             sal_session **out, sal_error *err);
/* Copy of the model with the free dimensions of its inputs fixed to those of `like`, but for the
 * first of each unless `whole`. */
sal_status explainer_bind(sal_graph **out, const sal_graph *model, const sal_tensor *like,
                          bool whole, sal_error *err);
/* Give up the weights of a lean explainer's graphs; the method's graph with weights again. *out:
 * sal_explain_graph_free(), also after failure. */
void explainer_lean_strip(sal_explainer *e);
sal_status explainer_lean_rebuild(const sal_explainer *e, sal_explain_graph *out, sal_error *err);
void explainer_lean_free(explainer_lean *l);
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

/* Variants that change a rectangle: is it worth while to compute only what they reach? Then the
 * sample's own values are kept, and the job can be run. */
sal_status explainer_partial_ready(const sal_method_run *r, const sal_explain_graph *x, size_t s,
                                   const sal_batch_job *job, bool *ready);
sal_status explainer_partial_run(const sal_method_run *r, size_t s, const sal_batch_job *job,
                                 const sal_tensor *query, int64_t classes);
void explainer_partial_free(sal_partial *p);

#endif
