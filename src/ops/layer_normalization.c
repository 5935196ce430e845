/* LayerNormalization: y = (x - mean) / sqrt(var + epsilon) * scale + bias, the statistics over the
 * axes from `axis` on. Optional outputs: the mean and 1 / sqrt(var + epsilon), with those axes of
 * length 1. */
#include "ops/core/norm.h"

/* The axes from `axis` on; returns how many. */
static int layer_norm_axes(const sal_node *n, int rank, int64_t *axes)
{
    int64_t axis = sal_node_int(n, "axis", -1);
    int from = (int)(axis < 0 ? axis + rank : axis);
    for (int i = from; i < rank; i++)
        axes[i - from] = i;
    return rank - from;
}

static sal_status layer_norm_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    int64_t dims[SAL_MAX_RANK];
    int axis = 0;
    sal_status st = SAL_OK;
    if (x->rank >= 0)
        st = sal_infer_axis(c, sal_node_int(c->node, "axis", -1), x->rank, &axis);
    for (int i = 1; i < 3 && st == SAL_OK; i++)
        st = sal_norm_check_scale(c, i, x, true);
    if (st == SAL_OK)
        st = sal_infer_out_like(c, 0, 0);
    for (int i = 0; i < x->rank; i++)
        dims[i] = i < axis ? x->dims[i] : 1;
    for (int i = 1; i < c->node->n_out && st == SAL_OK; i++)
        if (c->node->out[i] != SAL_NONE)
            st = sal_infer_out(c, i, sal_norm_stash(c->node, x->dtype), x->rank, dims);
    return st;
}

static sal_status layer_norm_eval(const sal_eval *e)
{
    sal_status st = SAL_OK;
    const sal_tensor *x = e->in[0], *bias = e->node->n_in > 2 ? e->in[2] : NULL;
    sal_ref rx = SAL_REF_INIT, ry = SAL_REF_INIT, rm = SAL_REF_INIT, ri = SAL_REF_INIT;
    double *scale = NULL, *shift = NULL;
    int64_t axes[SAL_MAX_RANK];
    int from = x->rank - layer_norm_axes(e->node, x->rank, axes);

    SAL_TRY(sal_ref_in(&rx, x, e->err));
    SAL_TRY(sal_ref_out(&ry, e->out[0], e->err));
    SAL_TRY(sal_ref_out(&rm, e->node->n_out > 1 ? e->out[1] : NULL, e->err));
    SAL_TRY(sal_ref_out(&ri, e->node->n_out > 2 ? e->out[2] : NULL, e->err));
    SAL_TRY(sal_ref_broadcast(&scale, e->in[1], x->rank, x->dims, e->err));
    if (bias != NULL)
        SAL_TRY(sal_ref_broadcast(&shift, bias, x->rank, x->dims, e->err));
    sal_norm_ref_rows(rx.x, ry.x, sal_norm_span(x->dims, 0, from),
                      sal_norm_span(x->dims, from, x->rank),
                      sal_node_float(e->node, "epsilon", 1e-5), true, rm.x, ri.x);
    for (int64_t i = 0; i < sal_tensor_count(x); i++)
        ry.x[i] = ry.x[i] * scale[i] + (shift != NULL ? shift[i] : 0.0);
    sal_ref_store(&ry);
    sal_ref_store(&rm);
    sal_ref_store(&ri);
done:
    sal_free(scale);
    sal_free(shift);
    sal_ref_free(&rx);
    sal_ref_free(&ry);
    sal_ref_free(&rm);
    sal_ref_free(&ri);
    return st;
}

static sal_status layer_norm_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    int64_t axes[SAL_MAX_RANK];
    int rank = sal_val(b->g, n->in[0])->rank;
    if (rank < 1)
        return b->st =
                   sal_fail(b->err, SAL_ESHAPE, "node %s: the input's rank is not known", n->name);
    int n_axes = layer_norm_axes(n, rank, axes);
    sal_vid mean = SAL_NONE, inv = SAL_NONE;
    sal_vid y = sal_norm_build(b, sal_norm_wide(b, n, n->in[0]), n_axes, axes,
                               sal_node_float(n, "epsilon", 1e-5), true, &mean, &inv);
    y = sal_b2(b, "Mul", sal_norm_narrow(b, y, n->in[0]), n->in[1]);
    sal_vid bias = sal_node_in(n, 2);
    out[0] = bias == SAL_NONE ? y : sal_b2(b, "Add", y, bias);
    if (sal_node_out(n, 1) != SAL_NONE)
        out[1] = mean;
    if (sal_node_out(n, 2) != SAL_NONE)
        out[2] = inv;
    return b->st;
}

/* With n elements a row and inv = 1 / sqrt(var + epsilon): d mean / dx = 1 / n,
 * d inv / dx = -inv^3 (x - mean) / n. */
static sal_vid layer_norm_statistics_vjp(sal_vjp *v, int n_axes, const int64_t *axes)
{
    sal_builder *b = v->b;
    sal_vid x = v->node->in[0], g = SAL_NONE;
    sal_vid gm = v->node->n_out > 1 ? v->gout[1] : SAL_NONE;
    sal_vid gi = v->node->n_out > 2 ? v->gout[2] : SAL_NONE;
    if (gm == SAL_NONE && gi == SAL_NONE)
        return SAL_NONE;
    sal_vid ones = sal_norm_wide(b, v->node, sal_b_ones_like(b, x));
    sal_vid count = sal_b_reduce(b, "ReduceSum", ones, n_axes, axes, true);
    if (gm != SAL_NONE)
        g = sal_b2(b, "Mul", ones, sal_b2(b, "Div", gm, count));
    if (gi != SAL_NONE) {
        sal_vid wide = sal_norm_wide(b, v->node, x), inv = SAL_NONE;
        sal_vid y = sal_norm_build(b, wide, n_axes, axes, sal_node_float(v->node, "epsilon", 1e-5),
                                   true, NULL, &inv);
        sal_vid t = sal_b2(b, "Mul", gi, sal_b2(b, "Mul", inv, inv));
        t = sal_b2(b, "Mul", y, sal_b2(b, "Div", sal_b1(b, "Neg", t), count));
        g = sal_b_add_opt(b, g, t);
    }
    return sal_norm_narrow(b, g, x);
}

static sal_status layer_norm_vjp(sal_vjp *v)
{
    sal_builder *b = v->b;
    const sal_node *n = v->node;
    sal_vid x = n->in[0], scale = n->in[1], gy = v->gout[0];
    int64_t axes[SAL_MAX_RANK];
    int rank = sal_val(b->g, x)->rank;
    if (rank < 1)
        return b->st =
                   sal_fail(b->err, SAL_ESHAPE, "node %s: the input's rank is not known", n->name);
    int n_axes = layer_norm_axes(n, rank, axes);
    double epsilon = sal_node_float(n, "epsilon", 1e-5);
    sal_attr attr[] = {SAL_AI("axis", rank - n_axes), SAL_AF("epsilon", epsilon),
                       SAL_AI("stash_type", sal_node_int(n, "stash_type", 1))};
    if (v->need[0]) {
        v->gin[0] = layer_norm_statistics_vjp(v, n_axes, axes);
        if (gy != SAL_NONE)
            v->gin[0] = sal_b_add_opt(
                b, v->gin[0], sal_b_op(b, "LayerNormGrad", 3, (sal_vid[]){gy, x, scale}, 3, attr));
    }
    if (gy == SAL_NONE)
        return b->st;
    if (v->need[1]) {
        sal_vid y =
            sal_norm_build(b, sal_norm_wide(b, n, x), n_axes, axes, epsilon, true, NULL, NULL);
        v->gin[1] = sal_b_sum_to(b, sal_b2(b, "Mul", gy, sal_norm_narrow(b, y, x)), scale);
    }
    if (n->n_in > 2 && v->need[2])
        v->gin[2] = sal_b_sum_to(b, gy, n->in[2]);
    return b->st;
}

static const char *const layer_norm_cases[] = {
    "f32[2,3,6] f32[6] f32[6] ; ;",
    "f32[2,5,4] f32[4] ; epsilon=0.01 ;",
    "f32[2,3,4] f32[3,4] f32[3,4] ; axis=1 ;",
    "f32[2,2,3,2] f32[3,2] f32[3,2] ; axis=-2 epsilon=0.1 ; out=3",
    NULL,
};

const sal_op_desc sal_op_layer_normalization = {
    .name = "LayerNormalization",
    .min_in = 2,
    .max_in = 3,
    .alike = 1 << 1 | 1 << 2,
    .min_out = 1,
    .max_out = 3,
    .since = 17,
    .infer = layer_norm_infer,
    .eval = layer_norm_eval,
    .expand = layer_norm_expand,
    .vjp = layer_norm_vjp,
    .cases = layer_norm_cases,
};
