/* GlobalLpPool: the Lp norm over all spatial axes, (sum |x|^p)^(1/p). */
#include "ops/core/reduce.h"

static sal_status global_lp_pool_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    int64_t dims[SAL_MAX_RANK];
    if (x->dtype != SAL_DT_NONE && !sal_dtype_is_float(x->dtype))
        return sal_fail(c->err, SAL_EINVAL, "input 0 must be a float");
    if (sal_node_int(c->node, "p", 2) < 1)
        return sal_fail(c->err, SAL_EINVAL, "attribute p must be at least 1");
    if (x->rank >= 0 && x->rank < 3)
        return sal_fail(c->err, SAL_ESHAPE, "the input must have at least 3 dimensions");
    for (int i = 0; i < x->rank; i++)
        dims[i] = i < 2 ? x->dims[i] : 1;
    return sal_infer_out(c, 0, x->dtype, x->rank, dims);
}

static sal_status global_lp_pool_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    int64_t p = sal_node_int(n, "p", 2), axes[SAL_MAX_RANK];
    sal_vid x = n->in[0];
    int rank = sal_val(b->g, x)->rank;
    if (rank < 3)
        return b->st =
                   sal_fail(b->err, SAL_ESHAPE, "node %s: the input's rank is not known", n->name);
    for (int i = 2; i < rank; i++)
        axes[i - 2] = i;
    if (p <= 2) {
        out[0] = sal_b_reduce(b, p == 1 ? "ReduceL1" : "ReduceL2", x, rank - 2, axes, true);
        return b->st;
    }
    sal_vid power = sal_b2(b, "Pow", sal_b1(b, "Abs", x), sal_b_like(b, x, (double)p));
    sal_vid sum = sal_b_reduce(b, "ReduceSum", power, rank - 2, axes, true);
    out[0] = sal_b2(b, "Pow", sum, sal_b_like(b, x, 1.0 / (double)p));
    return b->st;
}

static const char *const global_lp_pool_cases[] = {
    "f32[2,3,4,5]",
    "f32[2,3,5]:0.1..1 ; p=1",
    "f32[1,2,3,3]:0.1..1 ; p=3",
    NULL,
};

const sal_op_desc sal_op_global_lp_pool = {
    .name = "GlobalLpPool",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_COMPOSITE,
    .since = 2,
    .infer = global_lp_pool_infer,
    .expand = global_lp_pool_expand,
    .cases = global_lp_pool_cases,
};
