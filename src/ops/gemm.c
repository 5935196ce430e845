/* Gemm: y = alpha op(A) op(B) + beta C, op the transpose where transA / transB say so; C
 * broadcasts. */
#include "ops/builder.h"
#include "ops/core/gemm_ref.h"
#include "ops/infer.h"

static sal_status gemm_infer(sal_infer *c)
{
    const sal_value *a = sal_infer_in(c, 0), *b = sal_infer_in(c, 1), *add = sal_infer_in(c, 2);
    bool ta = sal_node_int(c->node, "transA", 0) != 0, tb = sal_node_int(c->node, "transB", 0) != 0;
    int64_t dims[SAL_MAX_RANK], sum[SAL_MAX_RANK];
    int rank;

    if ((a->rank >= 0 && a->rank != 2) || (b->rank >= 0 && b->rank != 2))
        return sal_fail(c->err, SAL_ESHAPE, "inputs of rank %d and %d; two matrices are needed",
                        (int)a->rank, (int)b->rank);
    dims[0] = a->rank == 2 ? a->dims[ta] : sal_dim_fresh(c->g);
    dims[1] = b->rank == 2 ? b->dims[!tb] : sal_dim_fresh(c->g);
    if (a->rank == 2 && b->rank == 2 && a->dims[!ta] >= 0 && b->dims[tb] >= 0 &&
        a->dims[!ta] != b->dims[tb])
        return sal_fail(c->err, SAL_ESHAPE, "inner dimensions %lld and %lld differ",
                        (long long)a->dims[!ta], (long long)b->dims[tb]);
    if (add != NULL && add->rank >= 0) {
        sal_status st =
            sal_infer_broadcast_dims(c->g, 2, dims, add->rank, add->dims, &rank, sum, c->err);
        if (st != SAL_OK)
            return st;
        for (int i = 0; i < 2; i++)
            if (rank != 2 || (dims[i] >= 0 && sum[i] != dims[i]))
                return sal_fail(c->err, SAL_ESHAPE, "C does not broadcast to the product's shape");
    }
    return sal_infer_out(c, 0, a->dtype, 2, dims);
}

/* Whole numbers wrap around in 64 bits, so that no digit is lost. */
static void gemm_eval_bits(const sal_eval *e, bool ta, bool tb, int64_t k)
{
    const sal_tensor *a = e->in[0], *b = e->in[1], *add = e->node->n_in > 2 ? e->in[2] : NULL;
    int64_t m = e->out[0]->dims[0], n = e->out[0]->dims[1];
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j++) {
            uint64_t sum = 0;
            for (int64_t l = 0; l < k; l++)
                sum += sal_ref_get_bits(a, ta ? l * m + i : i * k + l) *
                       sal_ref_get_bits(b, tb ? j * k + l : l * n + j);
            if (add != NULL) {
                int64_t cols = add->rank > 0 ? add->dims[add->rank - 1] : 1;
                int64_t rows = add->rank > 1 ? add->dims[0] : 1;
                sum += sal_ref_get_bits(add, (rows > 1 ? i * cols : 0) + (cols > 1 ? j : 0));
            }
            sal_ref_set_bits(e->out[0], i * n + j, sum);
        }
    }
}

static sal_status gemm_eval(const sal_eval *e)
{
    sal_status st = SAL_OK;
    const sal_tensor *a = e->in[0], *add = e->node->n_in > 2 ? e->in[2] : NULL;
    bool ta = sal_node_int(e->node, "transA", 0) != 0, tb = sal_node_int(e->node, "transB", 0) != 0;
    double alpha = sal_node_float(e->node, "alpha", 1.0),
           beta = sal_node_float(e->node, "beta", 1.0);
    int64_t k = a->dims[!ta], m = e->out[0]->dims[0], n = e->out[0]->dims[1];
    sal_ref ra = SAL_REF_INIT, rb = SAL_REF_INIT, ry = SAL_REF_INIT;
    double *c = NULL;

    if (!sal_dtype_is_float(a->dtype) && alpha == 1.0 && beta == 1.0) {
        gemm_eval_bits(e, ta, tb, k);
        return SAL_OK;
    }
    SAL_TRY(sal_ref_in(&ra, a, e->err));
    SAL_TRY(sal_ref_in(&rb, e->in[1], e->err));
    SAL_TRY(sal_ref_out(&ry, e->out[0], e->err));
    if (add != NULL)
        SAL_TRY(sal_ref_broadcast(&c, add, 2, e->out[0]->dims, e->err));
    sal_ref_mat ma = {ra.x, ta ? 1 : k, ta ? m : 1}, mb = {rb.x, tb ? 1 : n, tb ? k : 1};
    SAL_TRY(sal_ref_gemm(m, n, k, ma, mb, ry.x, n, e->err));
    for (int64_t i = 0; i < m * n; i++)
        ry.x[i] = alpha * ry.x[i] + (c != NULL ? beta * c[i] : 0.0);
    sal_ref_store(&ry);
done:
    sal_free(c);
    sal_ref_free(&ra);
    sal_ref_free(&rb);
    sal_ref_free(&ry);
    return st;
}

static sal_vid gemm_product(sal_builder *b, sal_vid x, sal_vid y, bool tx, bool ty, double alpha)
{
    sal_attr attr[] = {SAL_AI("transA", tx), SAL_AI("transB", ty), SAL_AF("alpha", alpha)};
    return sal_b_op(b, "Gemm", 2, (sal_vid[]){x, y}, 3, attr);
}

/* dA = alpha gy op(B)^T and dB = alpha op(A)^T gy, transposed as A and B are. */
static sal_status gemm_vjp(sal_vjp *v)
{
    sal_builder *b = v->b;
    const sal_node *n = v->node;
    sal_vid gy = v->gout[0], a = n->in[0], w = n->in[1];
    bool ta = sal_node_int(n, "transA", 0) != 0, tb = sal_node_int(n, "transB", 0) != 0;
    double alpha = sal_node_float(n, "alpha", 1.0), beta = sal_node_float(n, "beta", 1.0);

    if (v->need[0])
        v->gin[0] = ta ? gemm_product(b, w, gy, tb, true, alpha)
                       : gemm_product(b, gy, w, false, !tb, alpha);
    if (v->need[1])
        v->gin[1] = tb ? gemm_product(b, gy, a, true, ta, alpha)
                       : gemm_product(b, a, gy, !ta, false, alpha);
    if (n->n_in > 2 && v->need[2]) {
        sal_vid g = beta == 1.0 ? gy : sal_b2(b, "Mul", gy, sal_b_like(b, gy, beta));
        v->gin[2] = sal_b_sum_to(b, g, n->in[2]);
    }
    return b->st;
}

static const char *const gemm_cases[] = {
    "f32[3,4] f32[4,5] f32[5] ; ;",
    "f32[3,4] f32[5,4] f32[5] ; transB=1 alpha=0.5 beta=2.0 ;",
    "f32[4,3] f32[4,5] f32[3,1] ; transA=1 alpha=1.5 ;",
    "f32[4,3] f32[5,4] f32[3,5] ; transA=1 transB=1 beta=0.25 ;",
    "f32[3,4] f32[4,2] ; alpha=-2.0 ;",
    "f32[3,4] f32[4,2] f32[1] ; beta=0.5 ;",
    "i32[2,3]{1,-2,3,4,5,-6} i32[3,2]{7,8,-9,10,11,12} i32[2]{1,2} ; ; nograd",
    NULL,
};

const sal_op_desc sal_op_gemm = {
    .name = "Gemm",
    .min_in = 2,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .since = 11,
    .infer = gemm_infer,
    .eval = gemm_eval,
    .vjp = gemm_vjp,
    .cases = gemm_cases,
};
