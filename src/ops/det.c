/* Det: determinant of the last two axes. Its derivative is the matrix of cofactors,
 * (-1)^(i+j) det(x without row i and column j), which needs no inverse and so holds for singular
 * matrices as well, at any order. */
#include "ops/core/move.h"

#include <math.h>

enum { DET_GRAD_MAX = 48 }; /* the minors have n^4 elements */

static sal_status det_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    if (x->dtype != SAL_DT_NONE && !sal_dtype_is_float(x->dtype))
        return sal_fail(c->err, SAL_EINVAL, "input 0 must be a float");
    if (x->rank < 0)
        return sal_infer_out(c, 0, x->dtype, -1, NULL);
    if (x->rank < 2 || (x->dims[x->rank - 1] >= 0 && x->dims[x->rank - 2] >= 0 &&
                        x->dims[x->rank - 1] != x->dims[x->rank - 2]))
        return sal_fail(c->err, SAL_ESHAPE, "the last two axes must be square");
    return sal_infer_out(c, 0, x->dtype, x->rank - 2, x->dims);
}

/* Elimination with row pivots; a is destroyed. */
static double det_of(double *a, int64_t n)
{
    double det = 1.0;
    for (int64_t k = 0; k < n; k++) {
        int64_t p = k;
        for (int64_t i = k + 1; i < n; i++)
            if (fabs(a[i * n + k]) > fabs(a[p * n + k]))
                p = i;
        if (a[p * n + k] == 0.0)
            return 0.0;
        for (int64_t j = k; j < n && p != k; j++) {
            double t = a[k * n + j];
            a[k * n + j] = a[p * n + j];
            a[p * n + j] = t;
        }
        det *= p != k ? -a[k * n + k] : a[k * n + k];
        for (int64_t i = k + 1; i < n; i++) {
            double f = a[i * n + k] / a[k * n + k];
            for (int64_t j = k + 1; j < n; j++)
                a[i * n + j] -= f * a[k * n + j];
        }
    }
    return det;
}

static sal_status det_eval(const sal_eval *e)
{
    const sal_tensor *x = e->in[0];
    int64_t n = x->dims[x->rank - 1], count = sal_tensor_count(e->out[0]);
    double *a = sal_malloc(((size_t)n * (size_t)n + 1) * sizeof *a);
    if (a == NULL)
        return sal_fail_nomem(e->err);
    for (int64_t m = 0; m < count; m++) {
        for (int64_t i = 0; i < n * n; i++)
            a[i] = sal_tensor_get(x, m * n * n + i);
        sal_tensor_set(e->out[0], m, det_of(a, n));
    }
    sal_free(a);
    return SAL_OK;
}

/* Constant [n, n-1]: row i counts 0..n-1 without i; and [n, n]: the signs (-1)^(i+j). */
static void det_tables(sal_builder *b, int64_t n, sal_dtype dtype, sal_vid *others, sal_vid *signs)
{
    sal_tensor t = SAL_TENSOR_INIT;
    int64_t dims[2] = {n, n - 1}, square[2] = {n, n};
    if (b->st == SAL_OK)
        b->st = sal_tensor_new(&t, SAL_I64, 2, dims, b->err);
    for (int64_t i = 0; b->st == SAL_OK && i < n * (n - 1); i++)
        ((int64_t *)t.data)[i] = i % (n - 1) + (i % (n - 1) >= i / (n - 1));
    *others = sal_b_tensor(b, &t);
    sal_tensor_free(&t);
    if (b->st == SAL_OK)
        b->st = sal_tensor_new(&t, dtype, 2, square, b->err);
    for (int64_t i = 0; b->st == SAL_OK && i < n * n; i++)
        sal_tensor_set(&t, i, (i / n + i % n) % 2 == 0 ? 1.0 : -1.0);
    *signs = sal_b_tensor(b, &t);
    sal_tensor_free(&t);
}

static sal_status det_vjp(sal_vjp *v)
{
    sal_builder *b = v->b;
    sal_vid x = v->node->in[0], others, signs;
    const sal_value *xv = sal_val(b->g, x);
    int64_t perm[SAL_MAX_RANK], last[2], n = xv->rank < 2 ? -1 : xv->dims[xv->rank - 1];
    int r = xv->rank;
    if (!v->need[0])
        return SAL_OK;
    if (n < 1 || n > DET_GRAD_MAX || r + 2 > SAL_MAX_RANK)
        return sal_fail(b->err, SAL_ENOGRAD,
                        "the derivative needs matrices of 1 to %d rows, of known size",
                        DET_GRAD_MAX);
    last[0] = r - 2;
    last[1] = r - 1;
    sal_vid g = sal_b_unsqueeze(b, v->gout[0], 2, last);
    if (n == 1) {
        v->gin[0] = g;
        return b->st;
    }
    det_tables(b, n, xv->dtype, &others, &signs);
    sal_attr rows = SAL_AI("axis", r - 2), cols = SAL_AI("axis", r);
    sal_vid y = sal_b_op(b, "Gather", 2, (sal_vid[]){x, others}, 1, &rows); /* i, n-1, n */
    y = sal_b_op(b, "Gather", 2, (sal_vid[]){y, others}, 1, &cols);         /* i, n-1, j, n-1 */
    for (int i = 0; i < r - 2; i++)
        perm[i] = i;
    perm[r - 2] = r - 2;
    perm[r - 1] = r;
    perm[r] = r - 1;
    perm[r + 1] = r + 1;
    y = sal_b1(b, "Det", sal_b_transpose(b, y, perm));
    v->gin[0] = sal_b2(b, "Mul", g, sal_b2(b, "Mul", signs, y));
    return b->st;
}

static const char *const det_cases[] = {
    "f32[3,3]", "f32[2,4,4]", "f32[2,1,1]", "f32[3,3]{1,2,3,2,4,6,0.5,1,-1}", "f32[2,2]", NULL,
};

const sal_op_desc sal_op_det = {
    .name = "Det",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .since = 11,
    .infer = det_infer,
    .eval = det_eval,
    .vjp = det_vjp,
    .cases = det_cases,
};
