/* Reordering nodes before planning. */
#ifndef SAL_EXEC_SCHEDULE_H
#define SAL_EXEC_SCHEDULE_H

#include "graph/op.h"

/* Move element-wise nodes with a boolean result right behind what they read. Renumbers nodes. */
sal_status sal_schedule_masks(sal_graph *g, sal_error *err);
/* Element-wise nodes broadcast by themselves: where another operand has the full shape, read what
 * an Expand expands instead of its result. Expands that nobody reads then are dead. */
sal_status sal_schedule_broadcasts(sal_graph *g, sal_error *err);
/* Attention probabilities that the gradient reads again are computed again (recompute.c). */
sal_status sal_schedule_recompute(sal_graph *g, sal_error *err);

#endif
