/* Helpers for `upgrade` functions (nodes of older opsets). All memory comes from the graph's arena.
 */
#ifndef SAL_OPS_UPGRADE_H
#define SAL_OPS_UPGRADE_H

#include "graph/op.h"

/* Turn attribute `name` (INT, INTS, FLOAT, FLOATS or TENSOR) into input number i as a constant
 * (rank 0 for INT and FLOAT, rank 1 for lists; dtype int64 or `float_dtype`) and drop the
 * attribute. No-op when absent. */
sal_status sal_upgrade_attr_to_input(sal_upgrade *u, const char *name, int i,
                                     sal_dtype float_dtype);
sal_status sal_upgrade_set_int(sal_upgrade *u, const char *name, int64_t v); /* add or replace */
sal_status sal_upgrade_set_float(sal_upgrade *u, const char *name, double v);
sal_status sal_upgrade_set_str(sal_upgrade *u, const char *name, const char *v);
sal_status sal_upgrade_drop(sal_upgrade *u, const char *name);
sal_status sal_upgrade_set_input(sal_upgrade *u, int i,
                                 sal_vid v); /* grows the list with SAL_NONE */
/* Make it another operator (Upsample -> Resize). */
sal_status sal_upgrade_rename(sal_upgrade *u, const char *op);
sal_status sal_upgrade_const_ints(sal_upgrade *u, const int64_t *v, int n, sal_vid *out);
sal_status sal_upgrade_const_scalar(sal_upgrade *u, sal_dtype dtype, double v, sal_vid *out);

#endif
