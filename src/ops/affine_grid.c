/* AffineGrid: points [N, .., r] of a regular grid over -1..1 mapped by matrices [N, r, r+1]; `size`
 * is the shape [N, C, D1 .. Dr] of the image that is to be sampled. The last axis of the image
 * comes first. */
#include "ops/core/move.h"

/* The regular grid [D1 * .. * Dr, r + 1], its last column 1. */
static sal_vid affine_base(sal_builder *b, sal_dtype dtype, int r, const int64_t *dims, bool align)
{
    sal_tensor t = SAL_TENSOR_INIT;
    int64_t shape[2] = {1, r + 1};
    for (int k = 0; k < r; k++)
        shape[0] *= dims[k];
    b->st = sal_tensor_new(&t, dtype, 2, shape, b->err);
    for (int64_t i = 0; b->st == SAL_OK && i < shape[0]; i++) {
        int64_t rest = i;
        for (int k = r - 1; k >= 0; rest /= dims[k], k--) {
            double at = (double)(rest % dims[k]), d = (double)dims[k];
            double v = !align        ? (2.0 * at + 1.0) / d - 1.0
                       : dims[k] > 1 ? 2.0 * at / (d - 1.0) - 1.0
                                     : -1.0;
            sal_tensor_set(&t, i * (r + 1) + (r - 1 - k), v);
        }
        sal_tensor_set(&t, i * (r + 1) + r, 1.0);
    }
    sal_vid v = b->st == SAL_OK ? sal_b_tensor(b, &t) : SAL_NONE;
    sal_tensor_free(&t);
    return v;
}

static sal_status affine_grid_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    static const int64_t perm[] = {0, 2, 1};
    sal_infer c = {b->g, n, b->err};
    int64_t size[SAL_MAX_RANK], dims[SAL_MAX_RANK], count = 1;
    int known;
    bool symbolic;
    b->st = sal_infer_ints(&c, 1, size, SAL_MAX_RANK, &known, &symbolic);
    if (b->st != SAL_OK)
        return b->st;
    const sal_value *theta = sal_val(b->g, n->in[0]);
    int r = known - 2;
    bool fits =
        (r == 2 || r == 3) && theta->rank == 3 && theta->dims[1] == r && theta->dims[2] == r + 1;
    for (int k = 0; fits && k < r; k++) {
        fits = size[2 + k] > 0 && size[2 + k] <= (1 << 24) / count;
        count *= fits ? size[2 + k] : 1;
        dims[1 + k] = size[2 + k];
    }
    if (!fits)
        return b->st = sal_fail(
                   b->err, SAL_ESHAPE,
                   "node %s: matrices [N, 2, 3] or [N, 3, 4] and a constant size of as many "
                   "spatial axes are needed",
                   n->name);
    dims[0] = theta->dims[0];
    dims[1 + r] = r;
    sal_vid base =
        affine_base(b, theta->dtype, r, size + 2, sal_node_int(n, "align_corners", 0) != 0);
    sal_vid y =
        sal_b2(b, "MatMul", base, b->st == SAL_OK ? sal_b_transpose(b, n->in[0], perm) : base);
    out[0] = sal_b_reshape(b, y, r + 2, dims, n->in[0]);
    return b->st;
}
/* Sizes that are only known at run time leave the result's shape open. */
static sal_status affine_grid_infer(sal_infer *c)
{
    int64_t size[SAL_MAX_RANK];
    int count;
    bool symbolic;
    const sal_value *x = sal_infer_in(c, 0);
    if (sal_infer_in(c, 1) == NULL)
        return sal_infer_expansion(c);
    sal_status st = sal_infer_ints(c, 1, size, SAL_MAX_RANK, &count, &symbolic);
    if (st != SAL_OK || (count >= 0 && !symbolic))
        return st != SAL_OK ? st : sal_infer_expansion(c);
    return sal_move_out_unknown(c, x->rank == 3 && x->dims[1] == 2   ? 4
                                   : x->rank == 3 && x->dims[1] == 3 ? 5
                                                                     : -1);
}

static const char *const affine_grid_cases[] = {
    "f32[2,2,3] i64[4]{2,1,3,4}",
    "f32[2,2,3] i64[4]{2,1,3,4} ; align_corners=1",
    "f32[1,3,4] i64[5]{1,1,2,3,2}",
    NULL,
};

const sal_op_desc sal_op_affine_grid = {
    .name = "AffineGrid",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_COMPOSITE,
    .since = 20,
    .infer = affine_grid_infer,
    .expand = affine_grid_expand,
    .cases = affine_grid_cases,
};
