/* Correlations of maps. */
#ifndef SAL_EVALUATE_SIMILARITY_H
#define SAL_EVALUATE_SIMILARITY_H

#include "base/base.h"

#include <salience/evaluate.h>

/* Rank of every value, from 0, equal values at their mean rank. */
sal_status sal_ranks(double *ranks, const float *v, size_t n, sal_error *err);
/* Pearson's correlation; 0 when one side is constant. */
double sal_pearson(const double *a, const double *b, size_t n);

#endif
