/* Declarations of the kernels' lowering functions, from the table. */
#ifndef SAL_EXEC_KERNELS_H
#define SAL_EXEC_KERNELS_H

#include "exec/plan.h"

#define SAL_KERNEL(op, function, file)                                                             \
    sal_status sal_lower_##function(sal_plan *p, const sal_node *n, const sal_group *group,        \
                                    bool *done, sal_error *err);
#define SAL_ANCHOR(op)
#define SAL_COVERS(op, function)                                                                   \
    bool sal_covers_##function(const sal_plan *p, const sal_graph *g, const sal_node *n);
#include "exec/kernels.def"
#undef SAL_KERNEL
#undef SAL_ANCHOR
#undef SAL_COVERS

#endif
