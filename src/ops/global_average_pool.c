/* GlobalAveragePool: the mean of each channel of each image, keeping the spatial axes with
 * length 1. */
#include "ops/builder.h"
#include "ops/core/gemm_ref.h"
#include "ops/infer.h"

static sal_status global_average_pool_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    int64_t dims[SAL_MAX_RANK];
    if (x->rank >= 0 && x->rank < 2)
        return sal_fail(c->err, SAL_ESHAPE, "input of rank %d; batch and channels are needed",
                        (int)x->rank);
    for (int i = 0; i < x->rank; i++)
        dims[i] = i < 2 ? x->dims[i] : 1;
    return sal_infer_out(c, 0, x->dtype, x->rank, dims);
}

static sal_status global_average_pool_eval(const sal_eval *e)
{
    sal_status st = SAL_OK;
    const sal_tensor *x = e->in[0];
    sal_ref rx = SAL_REF_INIT, ry = SAL_REF_INIT;
    int64_t size = 1;

    SAL_TRY(sal_ref_in(&rx, x, e->err));
    SAL_TRY(sal_ref_out(&ry, e->out[0], e->err));
    for (int i = 2; i < x->rank; i++)
        size *= x->dims[i];
    for (int64_t n = 0; n < x->dims[0] * x->dims[1]; n++) {
        const double *plane = rx.x + n * size;
        double sum = 0.0;
        for (int64_t i = 0; i < size; i++)
            sum += plane[i];
        ry.x[n] = sum / (double)size;
    }
    sal_ref_store(&ry);
done:
    sal_ref_free(&rx);
    sal_ref_free(&ry);
    return st;
}

static sal_status global_average_pool_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    int64_t axes[SAL_MAX_RANK];
    int rank = sal_val(b->g, n->in[0])->rank;
    if (rank < 2)
        return b->st =
                   sal_fail(b->err, SAL_ESHAPE, "node %s: the input's rank is not known", n->name);
    for (int i = 2; i < rank; i++)
        axes[i - 2] = i;
    out[0] = rank == 2 ? sal_b1(b, "Identity", n->in[0])
                       : sal_b_reduce(b, "ReduceMean", n->in[0], rank - 2, axes, true);
    return b->st;
}

static const char *const global_average_pool_cases[] = {
    "f32[2,3,4,5] ; ;",
    "f32[2,3,7] ; ;",
    "f32[1,2,3,2,4] ; ;",
    NULL,
};

const sal_op_desc sal_op_global_average_pool = {
    .name = "GlobalAveragePool",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .since = 1,
    .infer = global_average_pool_infer,
    .eval = global_average_pool_eval,
    .expand = global_average_pool_expand,
    .cases = global_average_pool_cases,
};
