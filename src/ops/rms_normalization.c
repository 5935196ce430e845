/* RMSNormalization: y = x / sqrt(mean of x^2 + epsilon) * scale, the mean over the axes from `axis`
 * on. */
#include "ops/core/norm.h"

static sal_status rms_norm_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0), *s = sal_infer_in(c, 1);
    int axis;
    if (x->rank < 0)
        return sal_infer_out(c, 0, s->dtype, -1, NULL);
    sal_status st = sal_infer_axis(c, sal_node_int(c->node, "axis", -1), x->rank, &axis);
    if (st == SAL_OK)
        st = sal_norm_check_scale(c, 1, x, true);
    return st == SAL_OK ? sal_infer_out(c, 0, s->dtype, x->rank, x->dims) : st;
}

static sal_status rms_norm_eval(const sal_eval *e)
{
    sal_status st = SAL_OK;
    const sal_tensor *x = e->in[0];
    sal_ref rx = SAL_REF_INIT, ry = SAL_REF_INIT;
    int64_t axis = sal_node_int(e->node, "axis", -1);
    int from = (int)(axis < 0 ? axis + x->rank : axis);
    double *scale = NULL;

    SAL_TRY(sal_ref_in(&rx, x, e->err));
    SAL_TRY(sal_ref_out(&ry, e->out[0], e->err));
    SAL_TRY(sal_ref_broadcast(&scale, e->in[1], x->rank, x->dims, e->err));
    sal_norm_ref_rows(rx.x, ry.x, sal_norm_span(x->dims, 0, from),
                      sal_norm_span(x->dims, from, x->rank),
                      sal_node_float(e->node, "epsilon", 1e-5), false, NULL, NULL);
    for (int64_t i = 0; i < sal_tensor_count(x); i++)
        ry.x[i] *= scale[i];
    sal_ref_store(&ry);
done:
    sal_free(scale);
    sal_ref_free(&rx);
    sal_ref_free(&ry);
    return st;
}

static sal_status rms_norm_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    int64_t axes[SAL_MAX_RANK], axis = sal_node_int(n, "axis", -1);
    int rank = sal_val(b->g, n->in[0])->rank, from = (int)(axis < 0 ? axis + rank : axis);
    if (rank < 1)
        return b->st =
                   sal_fail(b->err, SAL_ESHAPE, "node %s: the input's rank is not known", n->name);
    for (int i = from; i < rank; i++)
        axes[i - from] = i;
    sal_vid x = sal_norm_wide(b, n, n->in[0]);
    sal_vid y = sal_norm_build(b, x, rank - from, axes, sal_node_float(n, "epsilon", 1e-5), false,
                               NULL, NULL);
    out[0] = sal_b2(b, "Mul", sal_norm_narrow(b, y, n->in[1]), n->in[1]);
    return b->st;
}

static const char *const rms_norm_cases[] = {
    "f32[2,3,6] f32[6] ; ;",
    "f32[2,3,4] f32[3,4] ; axis=1 epsilon=0.01 ;",
    "f32[2,3,2,2] f32[2] ; axis=-2 ;",
    NULL,
};

const sal_op_desc sal_op_rms_normalization = {
    .name = "RMSNormalization",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .since = 23,
    .infer = rms_norm_infer,
    .eval = rms_norm_eval,
    .expand = rms_norm_expand,
    .cases = rms_norm_cases,
};
