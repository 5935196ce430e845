/* InstanceNormalization: every channel of every image has its own mean and variance;
 * y = scale (x - mean) / sqrt(var + epsilon) + bias, scale and bias by channel. */
#include "ops/core/norm.h"

static sal_status instance_norm_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    if (x->rank >= 0 && x->rank < 3)
        return sal_fail(c->err, SAL_ESHAPE,
                        "input of rank %d; batch, channels and a spatial axis are needed",
                        (int)x->rank);
    sal_status st = sal_norm_check_vector(c, 1, x, "scale");
    if (st == SAL_OK)
        st = sal_norm_check_vector(c, 2, x, "bias");
    return st == SAL_OK ? sal_infer_out_like(c, 0, 0) : st;
}

static sal_status instance_norm_eval(const sal_eval *e)
{
    sal_status st = SAL_OK;
    const sal_tensor *x = e->in[0];
    sal_ref rx = SAL_REF_INIT, rs = SAL_REF_INIT, rb = SAL_REF_INIT, ry = SAL_REF_INIT;
    int64_t rows = x->dims[0] * x->dims[1], size = sal_norm_span(x->dims, 2, x->rank);

    SAL_TRY(sal_ref_in(&rx, x, e->err));
    SAL_TRY(sal_ref_in(&rs, e->in[1], e->err));
    SAL_TRY(sal_ref_in(&rb, e->in[2], e->err));
    SAL_TRY(sal_ref_out(&ry, e->out[0], e->err));
    sal_norm_ref_rows(rx.x, ry.x, rows, size, sal_node_float(e->node, "epsilon", 1e-5), true, NULL,
                      NULL);
    for (int64_t r = 0; r < rows; r++) {
        int64_t c = r % x->dims[1];
        for (int64_t i = r * size; i < (r + 1) * size; i++)
            ry.x[i] = ry.x[i] * rs.x[c] + rb.x[c];
    }
    sal_ref_store(&ry);
done:
    sal_ref_free(&rx);
    sal_ref_free(&rs);
    sal_ref_free(&rb);
    sal_ref_free(&ry);
    return st;
}

static sal_status instance_norm_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    static const int64_t spatial[] = {2, 3, 4, 5, 6, 7};
    int rank = sal_val(b->g, n->in[0])->rank;
    if (rank < 3)
        return b->st =
                   sal_fail(b->err, SAL_ESHAPE, "node %s: the input's rank is not known", n->name);
    sal_vid x = sal_norm_wide(b, n, n->in[0]);
    sal_vid y = sal_norm_build(b, x, rank - 2, spatial, sal_node_float(n, "epsilon", 1e-5), true,
                               NULL, NULL);
    y = sal_b2(b, "Mul", sal_norm_narrow(b, y, n->in[0]), sal_norm_per_channel(b, n->in[1], rank));
    out[0] = sal_b2(b, "Add", y, sal_norm_per_channel(b, n->in[2], rank));
    return b->st;
}

static const char *const instance_norm_cases[] = {
    "f32[2,3,4,3] f32[3] f32[3] ; ;",
    "f32[2,2,7] f32[2] f32[2] ; epsilon=0.01 ;",
    "f32[1,2,2,3,2] f32[2] f32[2] ; ;",
    NULL,
};

const sal_op_desc sal_op_instance_normalization = {
    .name = "InstanceNormalization",
    .min_in = 3,
    .max_in = 3,
    .alike = 1 << 1 | 1 << 2,
    .min_out = 1,
    .max_out = 1,
    .since = 6,
    .infer = instance_norm_infer,
    .eval = instance_norm_eval,
    .expand = instance_norm_expand,
    .cases = instance_norm_cases,
};
