/* From graph to steps. */
#ifndef SAL_EXEC_LOWER_H
#define SAL_EXEC_LOWER_H

#include "exec/plan.h"

/* Fill an empty plan (graph, threads, precision, reference set) with the steps that compute its
 * graph. */
sal_status sal_lower_graph(sal_plan *p, sal_error *err);

#endif
