/* Reference arithmetic in double precision. */
#include "ops/core/gemm_ref.h"

sal_status sal_ref_in(sal_ref *r, const sal_tensor *t, sal_error *err)
{
    r->x = r->owned = NULL;
    r->t = t;
    if (t == NULL)
        return SAL_OK;
    if (t->dtype == SAL_F64 && t->data != NULL) {
        r->x = t->data;
        return SAL_OK;
    }
    int64_t n = sal_tensor_count(t);
    r->owned = sal_calloc((size_t)SAL_MAX(n, 1), sizeof(double));
    if (r->owned == NULL)
        return sal_fail_nomem(err);
    r->x = r->owned;
    if (t->dtype == SAL_F32) {
        const float *f = t->data;
        for (int64_t i = 0; i < n; i++)
            r->owned[i] = (double)f[i];
    } else {
        for (int64_t i = 0; i < n; i++)
            r->owned[i] = sal_tensor_get(t, i);
    }
    return SAL_OK;
}

sal_status sal_ref_out(sal_ref *r, const sal_tensor *t, sal_error *err)
{
    r->x = r->owned = NULL;
    r->t = t;
    if (t == NULL)
        return SAL_OK;
    if (t->dtype == SAL_F64 && t->data != NULL) {
        r->x = t->data;
        return SAL_OK;
    }
    r->owned = sal_calloc((size_t)SAL_MAX(sal_tensor_count(t), 1), sizeof(double));
    if (r->owned == NULL)
        return sal_fail_nomem(err);
    r->x = r->owned;
    return SAL_OK;
}

void sal_ref_store(const sal_ref *r)
{
    if (r->t == NULL || r->owned == NULL)
        return;
    sal_tensor t = *r->t; /* same memory; the fields are not changed */
    int64_t n = sal_tensor_count(&t);
    if (t.dtype == SAL_F32) {
        float *f = t.data;
        for (int64_t i = 0; i < n; i++)
            f[i] = (float)r->owned[i];
        return;
    }
    for (int64_t i = 0; i < n; i++)
        sal_tensor_set(&t, i, r->owned[i]);
}

void sal_ref_free(sal_ref *r)
{
    sal_free(r->owned);
    r->x = r->owned = NULL;
}

sal_status sal_ref_broadcast(double **out, const sal_tensor *t, int rank, const int64_t *dims,
                             sal_error *err)
{
    sal_ref in = SAL_REF_INIT;
    int64_t stride[SAL_MAX_RANK] = {0}, at[SAL_MAX_RANK] = {0};
    int64_t count = 1, step = 1, offset = 0;

    *out = NULL;
    if (t->rank > rank)
        return sal_fail(err, SAL_ESHAPE, "a tensor of rank %d does not broadcast to rank %d",
                        (int)t->rank, rank);
    for (int i = 0; i < rank; i++)
        count *= dims[i];
    for (int i = t->rank - 1; i >= 0; i--) {
        int64_t d = t->dims[i];
        if (d != 1 && d != dims[rank - t->rank + i])
            return sal_fail(err, SAL_ESHAPE, "a size of %lld does not broadcast to %lld",
                            (long long)d, (long long)dims[rank - t->rank + i]);
        stride[rank - t->rank + i] = d == 1 ? 0 : step;
        step *= d;
    }
    sal_status st = sal_ref_in(&in, t, err);
    if (st != SAL_OK)
        return st;
    double *y = sal_calloc((size_t)SAL_MAX(count, 1), sizeof(double));
    if (y == NULL) {
        sal_ref_free(&in);
        return sal_fail_nomem(err);
    }
    for (int64_t i = 0; i < count; i++) {
        y[i] = in.x[offset];
        for (int a = rank - 1; a >= 0; a--) {
            offset += stride[a];
            if (++at[a] < dims[a])
                break;
            offset -= stride[a] * dims[a];
            at[a] = 0;
        }
    }
    sal_ref_free(&in);
    *out = y;
    return SAL_OK;
}

uint64_t sal_ref_get_bits(const sal_tensor *t, int64_t i)
{
    switch (t->dtype) {
    case SAL_U8:
    case SAL_BOOL:
        return ((const uint8_t *)t->data)[i];
    case SAL_I8:
        return (uint64_t)(int64_t)((const int8_t *)t->data)[i];
    case SAL_U16:
        return ((const uint16_t *)t->data)[i];
    case SAL_I16:
        return (uint64_t)(int64_t)((const int16_t *)t->data)[i];
    case SAL_U32:
        return ((const uint32_t *)t->data)[i];
    case SAL_I32:
        return (uint64_t)(int64_t)((const int32_t *)t->data)[i];
    case SAL_I64:
    case SAL_U64:
        return ((const uint64_t *)t->data)[i];
    default:
        return (uint64_t)(int64_t)sal_tensor_get(t, i);
    }
}

void sal_ref_set_bits(const sal_tensor *t, int64_t i, uint64_t v)
{
    switch (t->dtype) {
    case SAL_U8:
    case SAL_I8:
        ((uint8_t *)t->data)[i] = (uint8_t)v;
        break;
    case SAL_U16:
    case SAL_I16:
        ((uint16_t *)t->data)[i] = (uint16_t)v;
        break;
    case SAL_U32:
    case SAL_I32:
        ((uint32_t *)t->data)[i] = (uint32_t)v;
        break;
    case SAL_I64:
    case SAL_U64:
        ((uint64_t *)t->data)[i] = v;
        break;
    default:
        break;
    }
}

/* Columns of b are taken 64 at a time and its rows 256 at a time into a dense panel that stays in
 * cache; the fixed inner length lets the compiler vectorise. */
#define GEMM_COLS 64
#define GEMM_ROWS 256

static void gemm_pack(double *panel, sal_ref_mat b, int64_t rows, int64_t cols)
{
    for (int64_t l = 0; l < rows; l++) {
        double *to = panel + l * GEMM_COLS;
        for (int64_t j = 0; j < cols; j++)
            to[j] = b.p[l * b.rs + j * b.cs];
        for (int64_t j = cols; j < GEMM_COLS; j++)
            to[j] = 0.0;
    }
}

static void gemm_row(double *restrict acc, const double *restrict panel, const double *a,
                     int64_t cs, int64_t rows)
{
    int64_t l = 0;
    for (; l + 4 <= rows; l += 4) {
        const double *restrict b = panel + l * GEMM_COLS;
        double a0 = a[l * cs], a1 = a[(l + 1) * cs], a2 = a[(l + 2) * cs], a3 = a[(l + 3) * cs];
        for (int j = 0; j < GEMM_COLS; j++)
            acc[j] += (a0 * b[j] + a1 * b[GEMM_COLS + j]) +
                      (a2 * b[2 * GEMM_COLS + j] + a3 * b[3 * GEMM_COLS + j]);
    }
    for (; l < rows; l++) {
        const double *restrict b = panel + l * GEMM_COLS;
        double a0 = a[l * cs];
        for (int j = 0; j < GEMM_COLS; j++)
            acc[j] += a0 * b[j];
    }
}

sal_status sal_ref_gemm(int64_t m, int64_t n, int64_t k, sal_ref_mat a, sal_ref_mat b, double *c,
                        int64_t ldc, sal_error *err)
{
    double acc[GEMM_COLS];
    double *panel = sal_malloc(sizeof(double) * GEMM_COLS * GEMM_ROWS);
    if (panel == NULL)
        return sal_fail_nomem(err);
    for (int64_t j0 = 0; j0 < n; j0 += GEMM_COLS) {
        int64_t cols = SAL_MIN(n - j0, GEMM_COLS);
        for (int64_t l0 = 0; l0 < k; l0 += GEMM_ROWS) {
            int64_t rows = SAL_MIN(k - l0, GEMM_ROWS);
            sal_ref_mat part = {b.p + l0 * b.rs + j0 * b.cs, b.rs, b.cs};
            gemm_pack(panel, part, rows, cols);
            for (int64_t i = 0; i < m; i++) {
                double *to = c + i * ldc + j0;
                memset(acc, 0, sizeof(acc));
                gemm_row(acc, panel, a.p + i * a.rs + l0 * a.cs, a.cs, rows);
                for (int64_t j = 0; j < cols; j++)
                    to[j] += acc[j];
            }
        }
    }
    sal_free(panel);
    return SAL_OK;
}
