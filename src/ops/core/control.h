/* What If, Loop and Scan share. */
#ifndef SAL_OPS_CORE_CONTROL_H
#define SAL_OPS_CORE_CONTROL_H

#include "ops/infer.h"

/* The graph in attribute `name`; NULL when there is none. */
const sal_graph *sal_control_graph(const sal_node *n, const char *name);
/* Room for sal_unfold_body(): a constant for every value, a result for every output. sal_free(). */
sal_status sal_control_room(const sal_graph *g, sal_vid **constants, sal_vid **out, sal_error *err);
/* Compute a graph; in: its inputs in order. out: body->n_outputs tensors, to be freed. */
sal_status sal_control_run(const sal_graph *body, const sal_tensor *const *in, sal_tensor *out,
                           sal_error *err);
/* Stack `count` tensors of one shape along a new axis; count >= 1. */
sal_status sal_control_stack(const sal_tensor *t, size_t count, int64_t axis, sal_tensor *out,
                             sal_error *err);
/* Move result i to output i of the node where it is wanted. */
void sal_control_give(const sal_eval *e, int i, sal_tensor *t);

#endif
