/* GroupNormalization: each of num_groups groups of channels of every image has its own mean and
 * variance; scale and bias are by channel (opset 21; by group before). */
#include "ops/core/norm.h"
#include "ops/upgrade.h"

/* Repeat a constant vector of one number a group for every channel. */
static sal_status group_norm_widen(sal_upgrade *u, int i, int64_t groups, int64_t channels)
{
    const sal_value *v = sal_val(u->g, u->node->in[i]);
    sal_tensor t = SAL_TENSOR_INIT;
    sal_vid wide = SAL_NONE;
    sal_status st = SAL_OK;

    if (v->rank != 1 || v->dims[0] != groups || groups == channels)
        return SAL_OK;
    if (v->constant == NULL)
        return sal_fail(u->err, SAL_EUNSUPPORTED,
                        "node %s: GroupNormalization of opset %d with computed scale "
                        "or bias; convert the model to opset 21",
                        u->node->name, u->opset);
    SAL_TRY(sal_tensor_new(&t, v->dtype, 1, &channels, u->err));
    for (int64_t c = 0; c < channels; c++)
        sal_tensor_set(&t, c, sal_tensor_get(v->constant, c / (channels / groups)));
    SAL_TRY(sal_graph_constant(u->g, NULL, &t, &wide, u->err));
    SAL_TRY(sal_upgrade_set_input(u, i, wide));
done:
    sal_tensor_free(&t);
    return st;
}

static sal_status group_norm_upgrade(sal_upgrade *u)
{
    if (u->opset >= 21 || u->node->n_in < 3)
        return SAL_OK;
    const sal_value *x = sal_val(u->g, u->node->in[0]);
    int64_t groups = sal_node_int(u->node, "num_groups", 0);
    if (x->rank < 2 || x->dims[1] < 0 || groups < 1 || x->dims[1] % groups != 0)
        return sal_fail(u->err, SAL_EUNSUPPORTED,
                        "node %s: GroupNormalization of opset %d over an unknown "
                        "number of channels; convert the model to opset 21",
                        u->node->name, u->opset);
    int64_t channels = x->dims[1];
    sal_status st = group_norm_widen(u, 1, groups, channels);
    return st == SAL_OK ? group_norm_widen(u, 2, groups, channels) : st;
}

static sal_status group_norm_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    int64_t groups = sal_node_int(c->node, "num_groups", 0);
    if (x->rank >= 0 && x->rank < 3)
        return sal_fail(c->err, SAL_ESHAPE,
                        "input of rank %d; batch, channels and a spatial axis are needed",
                        (int)x->rank);
    if (groups < 1 || (x->rank > 1 && x->dims[1] >= 0 && x->dims[1] % groups != 0))
        return sal_fail(c->err, SAL_EINVAL,
                        "num_groups is %lld; it must divide the number of channels",
                        (long long)groups);
    sal_status st = sal_norm_check_vector(c, 1, x, "scale");
    if (st == SAL_OK)
        st = sal_norm_check_vector(c, 2, x, "bias");
    return st == SAL_OK ? sal_infer_out_like(c, 0, 0) : st;
}

static sal_status group_norm_eval(const sal_eval *e)
{
    sal_status st = SAL_OK;
    const sal_tensor *x = e->in[0];
    sal_ref rx = SAL_REF_INIT, rs = SAL_REF_INIT, rb = SAL_REF_INIT, ry = SAL_REF_INIT;
    int64_t groups = sal_node_int(e->node, "num_groups", 1),
            size = sal_norm_span(x->dims, 2, x->rank);
    int64_t channels = x->dims[1];

    SAL_TRY(sal_ref_in(&rx, x, e->err));
    SAL_TRY(sal_ref_in(&rs, e->in[1], e->err));
    SAL_TRY(sal_ref_in(&rb, e->in[2], e->err));
    SAL_TRY(sal_ref_out(&ry, e->out[0], e->err));
    sal_norm_ref_rows(rx.x, ry.x, x->dims[0] * groups, channels / groups * size,
                      sal_node_float(e->node, "epsilon", 1e-5), true, NULL, NULL);
    for (int64_t r = 0; r < x->dims[0] * channels; r++)
        for (int64_t i = r * size; i < (r + 1) * size; i++)
            ry.x[i] = ry.x[i] * rs.x[r % channels] + rb.x[r % channels];
    sal_ref_store(&ry);
done:
    sal_ref_free(&rx);
    sal_ref_free(&rs);
    sal_ref_free(&rb);
    sal_ref_free(&ry);
    return st;
}

static sal_status group_norm_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    static const int64_t last[] = {2};
    const sal_value *xv = sal_val(b->g, n->in[0]);
    int rank = xv->rank;
    if (rank < 3)
        return b->st =
                   sal_fail(b->err, SAL_ESHAPE, "node %s: the input's rank is not known", n->name);
    int64_t groups = sal_node_int(n, "num_groups", 1);
    int64_t flat[3] = {xv->dims[0], groups, sal_dim_div(b->g, xv->dims[1], groups)};
    for (int i = 2; i < rank; i++)
        flat[2] = sal_dim_mul(b->g, flat[2], xv->dims[i]);
    sal_vid x = sal_b_reshape(b, sal_norm_wide(b, n, n->in[0]), 3, flat, n->in[0]);
    sal_vid y = sal_norm_build(b, x, 1, last, sal_node_float(n, "epsilon", 1e-5), true, NULL, NULL);
    y = sal_norm_narrow(b, sal_b_reshape_like(b, y, n->in[0]), n->in[0]);
    y = sal_b2(b, "Mul", y, sal_norm_per_channel(b, n->in[1], rank));
    out[0] = sal_b2(b, "Add", y, sal_norm_per_channel(b, n->in[2], rank));
    return b->st;
}

static const char *const group_norm_cases[] = {
    "f32[2,6,3,2] f32[6] f32[6] ; num_groups=3 ;",
    "f32[2,4,5] f32[4] f32[4] ; num_groups=2 epsilon=0.01 ;",
    "f32[1,4,2,2,3] f32[4] f32[4] ; num_groups=1 ;",
    NULL,
};

const sal_op_desc sal_op_group_normalization = {
    .name = "GroupNormalization",
    .min_in = 3,
    .max_in = 3,
    .alike = 1 << 1 | 1 << 2,
    .min_out = 1,
    .max_out = 1,
    .since = 21,
    .upgrade = group_norm_upgrade,
    .infer = group_norm_infer,
    .eval = group_norm_eval,
    .expand = group_norm_expand,
    .cases = group_norm_cases,
};
