/* Weighted least squares on few unknowns: normal equations in double precision (surrogate.h). */
#include "explain/surrogate.h"

#include <math.h>

enum { SURROGATE_SWEEPS = 10000 };

sal_status sal_surrogate_new(sal_surrogate *out, size_t m, sal_error *err)
{
    *out = (sal_surrogate){.m = m};
    if (m > 4096)
        return sal_fail(err, SAL_EINVAL, "%zu features are too many for a linear model; take fewer",
                        m);
    out->gram = sal_calloc(m * m + 1, sizeof(*out->gram));
    out->right = sal_calloc(m + 1, sizeof(*out->right));
    out->sum = sal_calloc(m + 1, sizeof(*out->sum));
    return out->gram == NULL || out->right == NULL || out->sum == NULL ? sal_fail_nomem(err)
                                                                       : SAL_OK;
}

void sal_surrogate_free(sal_surrogate *s)
{
    sal_free(s->gram);
    sal_free(s->right);
    sal_free(s->sum);
    *s = (sal_surrogate){.m = 0};
}

void sal_surrogate_add(sal_surrogate *s, const uint8_t *z, double y, double w)
{
    for (size_t i = 0; i < s->m; i++) {
        if (z[i] == 0)
            continue;
        for (size_t k = 0; k < s->m; k++)
            s->gram[i * s->m + k] += z[k] != 0 ? w : 0.0;
        s->right[i] += w * y;
        s->sum[i] += w;
    }
    s->sum_y += w * y;
    s->weight += w;
}

/* A = L L^T in the lower half. A pivot that vanishes beside the diagonal belongs to a direction
 * that no sample tells about; it is made so large that the solution has nothing of it. */
static void surrogate_factor(double *a, size_t m)
{
    double most = 0.0;

    for (size_t i = 0; i < m; i++)
        most = fmax(most, a[i * m + i]);
    for (size_t i = 0; i < m; i++) {
        for (size_t k = 0; k <= i; k++) {
            double sum = a[i * m + k];

            for (size_t j = 0; j < k; j++)
                sum -= a[i * m + j] * a[k * m + j];
            if (k < i)
                a[i * m + k] = sum / a[k * m + k];
            else
                a[i * m + i] = sum > 1e-11 * most ? sqrt(sum) : 1e8 * sqrt(most + 1e-300);
        }
    }
}

static void surrogate_solve(const double *l, size_t m, double *b)
{
    for (size_t i = 0; i < m; i++) {
        for (size_t k = 0; k < i; k++)
            b[i] -= l[i * m + k] * b[k];
        b[i] /= l[i * m + i];
    }
    for (size_t i = m; i-- > 0;) {
        for (size_t k = i + 1; k < m; k++)
            b[i] -= l[k * m + i] * b[k];
        b[i] /= l[i * m + i];
    }
}

/* Coordinate descent on (b^T A b / 2 - b^T c) / weight + lasso |b|_1. */
static void surrogate_descend(const double *a, const double *c, size_t m, double threshold,
                              double *b)
{
    for (int sweep = 0; sweep < SURROGATE_SWEEPS; sweep++) {
        double moved = 0.0, size = 0.0;

        for (size_t i = 0; i < m; i++) {
            double rest = c[i], old = b[i];

            for (size_t k = 0; k < m; k++)
                rest -= k != i ? a[i * m + k] * b[k] : 0.0;
            double shrunk = copysign(fmax(fabs(rest) - threshold, 0.0), rest);
            b[i] = a[i * m + i] > 0.0 ? shrunk / a[i * m + i] : 0.0;
            moved = fmax(moved, fabs(b[i] - old));
            size = fmax(size, fabs(b[i]));
        }
        if (moved <= 1e-12 * size)
            return;
    }
}

sal_status sal_surrogate_fit(const sal_surrogate *s, double ridge, double lasso, double *b,
                             sal_error *err)
{
    size_t m = s->m;
    double *a = sal_calloc(m * m + 1, sizeof(*a)), *c = sal_calloc(m + 1, sizeof(*c));

    if (a == NULL || c == NULL || !(s->weight > 0.0)) {
        bool empty = a != NULL && c != NULL;

        sal_free(a);
        sal_free(c);
        return empty ? sal_fail(err, SAL_EINVAL, "every sample has weight 0; widen the kernel")
                     : sal_fail_nomem(err);
    }
    for (size_t i = 0; i < m; i++) { /* centred: the offset drops out */
        for (size_t k = 0; k < m; k++)
            a[i * m + k] = s->gram[i * m + k] - s->sum[i] * s->sum[k] / s->weight;
        a[i * m + i] += ridge;
        c[i] = s->right[i] - s->sum[i] * s->sum_y / s->weight;
        b[i] = 0.0;
    }
    if (lasso > 0.0) {
        surrogate_descend(a, c, m, lasso * s->weight, b);
    } else {
        surrogate_factor(a, m);
        memcpy(b, c, m * sizeof(*b));
        surrogate_solve(a, m, b);
    }
    sal_free(a);
    sal_free(c);
    return SAL_OK;
}

/* b = A^-1 (c - lambda 1), lambda so that the sum is right. */
sal_status sal_surrogate_fit_sum(const sal_surrogate *s, double total, double *b, sal_error *err)
{
    size_t m = s->m;
    double *a = sal_calloc(m * m + 1, sizeof(*a)), *ones = sal_calloc(m + 1, sizeof(*ones));
    double sum = 0.0, sum_ones = 0.0;

    if (a == NULL || ones == NULL) {
        sal_free(a);
        sal_free(ones);
        return sal_fail_nomem(err);
    }
    memcpy(a, s->gram, m * m * sizeof(*a));
    memcpy(b, s->right, m * sizeof(*b));
    for (size_t i = 0; i < m; i++) {
        ones[i] = 1.0;
        a[i * m + i] += 1e-9 * s->weight;
    }
    surrogate_factor(a, m);
    surrogate_solve(a, m, b);
    surrogate_solve(a, m, ones);
    for (size_t i = 0; i < m; i++) {
        sum += b[i];
        sum_ones += ones[i];
    }
    for (size_t i = 0; i < m; i++)
        b[i] += (total - sum) / sum_ones * ones[i];
    sal_free(a);
    sal_free(ones);
    return SAL_OK;
}
