/* Masks of activations; used by lower.c. */
#ifndef SAL_EXEC_MASK_H
#define SAL_EXEC_MASK_H

#include "exec/plan.h"

/* Lower an element-wise group that is a range mask or applies a mask; *done stays false for others.
 */
sal_status sal_lower_mask(sal_plan *p, const sal_group *group, bool *done, sal_error *err);

#endif
