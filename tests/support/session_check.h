/* Sessions against the reference evaluation, for tests of the executor. */
#ifndef SAL_TESTS_SESSION_CHECK_H
#define SAL_TESTS_SESSION_CHECK_H

#include "exec/session.h"

/* max |a - b| / max(|b|, 1e-2): equal values, two NaN and equal infinities count as 0; infinite
 * where shape, kind of type or finiteness differ. */
double session_distance(const sal_tensor *a, const sal_tensor *b);
/* Cosine of the angle between a and b; 1 for two tensors of zeros, -2 when a holds a NaN that b
 * does not hold. */
double session_cosine(const sal_tensor *a, const sal_tensor *b);
/* Plan g, run it once, copy the outputs: out[g->n_outputs], SAL_TENSOR_INIT before; free each. */
sal_status session_outputs(const sal_graph *g, const sal_tensor *inputs, const sal_session_opts *o,
                           sal_tensor *out, sal_error *err);
/* `wanted`, but 1 under the thread sanitizer: GNU OpenMP is not instrumented, so that every
 * hand-over inside its teams looks like a race. */
int session_threads(int wanted);
void session_free_all(sal_tensor *t, size_t n);

#endif
