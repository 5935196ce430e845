/* Reference arithmetic in double precision: tensors as arrays of doubles, matrix product. */
#ifndef SAL_OPS_CORE_GEMM_REF_H
#define SAL_OPS_CORE_GEMM_REF_H

#include "base/base.h"

/* A tensor's elements as doubles: the tensor's own memory when it is float64, a copy else. Never
 * NULL for a tensor, even one without elements. */
typedef struct sal_ref {
    double *x;
    double *owned;
    const sal_tensor *t;
} sal_ref;

#define SAL_REF_INIT                                                                               \
    {                                                                                              \
        NULL, NULL, NULL                                                                           \
    }

/* For reading; t NULL gives x NULL. The memory may be the tensor's: do not write. */
sal_status sal_ref_in(sal_ref *r, const sal_tensor *t, sal_error *err);
/* For writing: x is zeroed; sal_ref_store() rounds it into the tensor. */
sal_status sal_ref_out(sal_ref *r, const sal_tensor *t, sal_error *err);
void sal_ref_store(const sal_ref *r);
void sal_ref_free(sal_ref *r);
/* The elements broadcast to a shape of at least the same rank; the caller frees *out. */
sal_status sal_ref_broadcast(double **out, const sal_tensor *t, int rank, const int64_t *dims,
                             sal_error *err);

/* Integers in 64 bits that wrap around (unsigned ones by the same bits). */
uint64_t sal_ref_get_bits(const sal_tensor *t, int64_t i);
void sal_ref_set_bits(const sal_tensor *t, int64_t i, uint64_t v);

/* A matrix in memory: element (i, j) at p[i * rs + j * cs]. */
typedef struct sal_ref_mat {
    const double *p;
    int64_t rs, cs;
} sal_ref_mat;

/* c[i * ldc + j] += sum over l of a(i,l) b(l,j); c is m x n, the sum has k terms. */
sal_status sal_ref_gemm(int64_t m, int64_t n, int64_t k, sal_ref_mat a, sal_ref_mat b, double *c,
                        int64_t ldc, sal_error *err);

#endif
