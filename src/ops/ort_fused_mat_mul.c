/* FusedMatMul: alpha A B, either factor with its last two axes exchanged (transA, transB) or with
 * its first axis moved behind those of the batch (transBatchA, transBatchB) first. */
#include "ops/core/ort.h"

/* The last two axes exchanged. */
static sal_vid fused_swap(sal_builder *b, const sal_node *n, sal_vid x)
{
    int64_t perm[SAL_MAX_RANK];
    int rank = sal_ort_rank(b, n, x);
    if (b->st != SAL_OK || rank < 2)
        return x;
    for (int i = 0; i < rank; i++)
        perm[i] = i;
    perm[rank - 1] = rank - 2;
    perm[rank - 2] = rank - 1;
    return sal_b_transpose(b, x, perm);
}

/* [M, batch .., K] -> [batch .., M, K]: the first axis stands last but one. */
static sal_vid fused_batch(sal_builder *b, const sal_node *n, sal_vid x)
{
    int64_t perm[SAL_MAX_RANK];
    int rank = sal_ort_rank(b, n, x);
    if (b->st != SAL_OK || rank < 3)
        return x;
    for (int i = 0; i < rank; i++)
        perm[i] = i < rank - 2 ? i + 1 : i == rank - 2 ? 0 : rank - 1;
    return sal_b_transpose(b, x, perm);
}

static sal_status ort_fused_mat_mul_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    sal_vid x[2];
    double alpha = sal_node_float(n, "alpha", 1.0);
    for (int i = 0; i < 2; i++) {
        x[i] = n->in[i];
        if (sal_node_int(n, i == 0 ? "transBatchA" : "transBatchB", 0) != 0)
            x[i] = fused_batch(b, n, x[i]);
        if (sal_node_int(n, i == 0 ? "transA" : "transB", 0) != 0)
            x[i] = fused_swap(b, n, x[i]);
    }
    sal_vid y = sal_b2(b, "MatMul", x[0], x[1]);
    out[0] = alpha == 1.0 ? y : sal_b2(b, "Mul", y, sal_b_like(b, y, alpha));
    return b->st;
}

static const char *const ort_fused_mat_mul_cases[] = {
    "f32[2,3,4] f32[2,4,5] ; alpha=0.5",
    "f32[4,3] f32[5,4] ; transA=1 transB=1",
    "f32[2,3,4] f32[2,5,4] ; transB=1 alpha=2.0",
    "f32[3,2,4] f32[2,4,5] ; transBatchA=1",
    NULL,
};

const sal_op_desc sal_op_ort_fused_mat_mul = {
    SAL_ORT_OP("FusedMatMul", 2, 2, 1),
    .expand = ort_fused_mat_mul_expand,
    .cases = ort_fused_mat_mul_cases,
};
