/* Shapes that depend on data: what has to be computed before the rest of a graph can be planned.
 *
 * A session's shapes are fixed. Where a shape depends on what an input holds (how many boxes are
 * left, how long a list is, which branch is taken), the graph is run up to there; what was found is
 * put into the graph as a fact, and more of it has fixed shapes then. */
#ifndef SAL_EXEC_SETTLE_H
#define SAL_EXEC_SETTLE_H

#include "exec/session.h"

enum {
    /* How often shapes may depend on data in a row; rounds of a loop count. */
    SAL_SETTLE_ROUNDS_MAX = 2048,
};

/* A value that must be computed first. */
typedef struct sal_fact {
    sal_vid v;
    bool contents; /* it decides shapes or the course of control flow: it becomes a constant. Else
                      only its shape matters: it becomes an input */
} sal_fact;

/* Bring operators with data-dependent shapes that have derivatives (Compress, Unique) into the form
 * of an operator without one and an ordinary one. */
sal_status sal_settle_prepare(sal_graph *g, sal_error *err);
/* What is missing next; *n = 0 when all shapes are fixed. cut: ask for every value that the rest
 * reads, so that nothing is computed twice (but no derivative can be taken through the cut).
 * *facts: sal_free(). SAL_ESHAPE names a node whose shape cannot be found at all. */
sal_status sal_settle_facts(const sal_graph *g, bool cut, sal_fact **facts, size_t *n,
                            sal_error *err);
/* Finding the facts out, as often as one likes. Borrows g and facts. *out: sal_probe_free(). */
typedef struct sal_probe sal_probe;
sal_status sal_probe_new(sal_probe **out, const sal_graph *g, const sal_fact *facts, size_t n,
                         const sal_session_opts *opts, sal_error *err);
/* *out: a tensor for each fact, borrowed until the next run. */
sal_status sal_probe_run(sal_probe *p, const sal_tensor *inputs, const sal_tensor **out,
                         sal_error *err);
void sal_probe_free(sal_probe *p);
/* Put the facts in: t[i] is what facts[i] turned out to be. freeze: all of them become constants.
 * New inputs are appended in the order of the facts. */
sal_status sal_settle_put(sal_graph *g, const sal_fact *facts, size_t n, const sal_tensor *t,
                          bool freeze, sal_error *err);

/* Settle everything with these inputs, by constants: what the graph selects for them (boxes,
 * positions, the order of TopK, branches) is selected for good. g's inputs must have fixed shapes;
 * nothing happens when all shapes are fixed. */
sal_status sal_settle_freeze(sal_graph *g, const sal_tensor *inputs, const sal_session_opts *opts,
                             sal_error *err);

#endif
