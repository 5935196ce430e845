/* Helpers for `infer` functions. */
#ifndef SAL_OPS_INFER_H
#define SAL_OPS_INFER_H

#include "graph/op.h"

/* Value of input / output i, NULL when omitted. */
const sal_value *sal_infer_in(const sal_infer *c, int i);
sal_status sal_infer_out(sal_infer *c, int i, sal_dtype dtype, int rank, const int64_t *dims);
/* Output i has the type of input j. */
sal_status sal_infer_out_like(sal_infer *c, int i, int j);
/* Whole-node rules, usable directly as .infer: */
sal_status sal_infer_same(sal_infer *c); /* out0 = type of in0 */
sal_status
sal_infer_broadcast(sal_infer *c);                 /* out0 = broadcast of all inputs, dtype of in0;
                                                      propagates known for Add Sub Mul Div Mod on integers */
sal_status sal_infer_broadcast_bool(sal_infer *c); /* same with dtype bool */
/* Outputs have the types that the operator's expansion gives them: for operators that are expanded
 * as soon as they are read. */
sal_status sal_infer_expansion(sal_infer *c);
/* Broadcast two shapes; unknown against 1 gives the unknown, symbol against another symbol or a
 * number > 1 gives the number (or a fresh unknown). SAL_ESHAPE when impossible. */
sal_status sal_infer_broadcast_dims(sal_graph *g, int ra, const int64_t *a, int rb,
                                    const int64_t *b, int *rank, int64_t *dims, sal_error *err);
/* axis in -rank..rank-1 made non-negative; SAL_EINVAL else. */
sal_status sal_infer_axis(const sal_infer *c, int64_t axis, int rank, int *out);
/* Integer contents of input i: from its constant or from `known`. *n = -1 when not known. Elements
 * < 0 are numbers when the value is constant (*symbolic = false), symbols otherwise. `buf` has room
 * for cap. */
sal_status sal_infer_ints(const sal_infer *c, int i, int64_t *buf, int cap, int *n, bool *symbolic);

/* ---- `known` in full ----
 * Shape chains hold -1 beside symbols (Concat of N, -1, 768 before a Reshape). In `known` a
 * negative number v is stored as INT64_MIN - v, far below every symbol. Code that reads v->known
 * itself must expect it; sal_infer_ints decodes whenever no symbol is left (*symbolic = false). */
#define SAL_KNOWN_MAX 64
static inline bool sal_known_is_number(int64_t k)
{
    return k >= 0 || k < INT64_MIN / 2;
}
static inline int64_t sal_known_encode(int64_t v)
{
    return v >= 0 ? v : INT64_MIN - (v < INT64_MIN / 4 ? INT64_MIN / 4 : v);
}
static inline int64_t sal_known_decode(int64_t k)
{
    return k < INT64_MIN / 2 ? INT64_MIN - k : k;
}
/* Contents of integer input i (constant or known), encoded; *n = -1 when unknown. buf:
 * SAL_KNOWN_MAX. */
sal_status sal_infer_known_in(const sal_infer *c, int i, int64_t *buf, int *n);
/* Set the known contents of output i; nothing when n < 0 or too long. */
sal_status sal_infer_known_out(sal_infer *c, int i, const int64_t *known, int n);

#endif
