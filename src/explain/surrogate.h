/* Linear models of a target on features that are kept or removed. */
#ifndef SAL_EXPLAIN_SURROGATE_H
#define SAL_EXPLAIN_SURROGATE_H

#include "base/base.h"

/* Weighted sums over samples (z, y, w), z in {0,1}^m. */
typedef struct sal_surrogate {
    size_t m;
    double *gram;  /* [m, m] sum w z z^T */
    double *right; /* [m] sum w y z */
    double *sum;   /* [m] sum w z */
    double sum_y, weight;
} sal_surrogate;

/* *out: sal_surrogate_free(), also after failure. */
sal_status sal_surrogate_new(sal_surrogate *out, size_t m, sal_error *err);
void sal_surrogate_free(sal_surrogate *s);
void sal_surrogate_add(sal_surrogate *s, const uint8_t *z, double y, double w);

/* The b that minimises, with an offset c,
 *     (sum w (y - z b - c)^2 + ridge |b|^2) / (2 sum w) + lasso |b|_1. */
sal_status sal_surrogate_fit(const sal_surrogate *s, double ridge, double lasso, double *b,
                             sal_error *err);
/* The b that minimises sum w (y - z b)^2 with sum b = total. */
sal_status sal_surrogate_fit_sum(const sal_surrogate *s, double total, double *b, sal_error *err);

#endif
