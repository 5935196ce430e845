/* BatchNormalization with given statistics: y = (x - mean) / sqrt(var + epsilon) * scale + bias by
 * channel. The further outputs that older files list are the statistics unchanged. */
#include "ops/core/norm.h"
#include "ops/upgrade.h"

#include <math.h>

/* Opset 14 and later: training_mode = 1 is another operator. Opsets 7 and 8: spatial = 0 keeps
 * statistics for every element instead of every channel. */
static sal_status batch_norm_upgrade(sal_upgrade *u)
{
    sal_vid scale = sal_node_in(u->node, 1);
    if (sal_node_int(u->node, "training_mode", 0) != 0)
        return sal_upgrade_rename(u, "BatchNormTraining");
    if (sal_node_int(u->node, "spatial", 1) == 0 && scale != SAL_NONE &&
        sal_val(u->g, scale)->rank != 1)
        return sal_fail(u->err, SAL_EUNSUPPORTED,
                        "node %s: BatchNormalization with spatial=0; export the "
                        "model with statistics by channel",
                        u->node->name);
    return sal_upgrade_drop(u, "spatial");
}

static sal_status batch_norm_infer(sal_infer *c)
{
    static const char *const what[] = {"x", "scale", "bias", "mean", "var"};
    static const int source[] = {0, 3, 4, 3, 4};
    const sal_value *x = sal_infer_in(c, 0);
    sal_status st = SAL_OK;
    if (sal_node_int(c->node, "training_mode", 0) != 0)
        return sal_fail(c->err, SAL_EUNSUPPORTED,
                        "training_mode=1 is the operator BatchNormTraining");
    if (x->rank == 0)
        return sal_fail(c->err, SAL_ESHAPE, "the input is a scalar; batch and channels are needed");
    for (int i = 1; i < 5 && st == SAL_OK; i++)
        st = sal_norm_check_vector(c, i, x, what[i]);
    for (int i = 0; i < c->node->n_out && st == SAL_OK; i++)
        if (c->node->out[i] != SAL_NONE)
            st = sal_infer_out_like(c, i, source[i]);
    return st;
}

static sal_status batch_norm_eval(const sal_eval *e)
{
    sal_status st = SAL_OK;
    const sal_tensor *x = e->in[0];
    sal_ref r[5] = {SAL_REF_INIT, SAL_REF_INIT, SAL_REF_INIT, SAL_REF_INIT, SAL_REF_INIT};
    sal_ref ry = SAL_REF_INIT;
    double epsilon = sal_node_float(e->node, "epsilon", 1e-5);
    int64_t channels = x->rank > 1 ? x->dims[1] : 1, size = sal_norm_span(x->dims, 2, x->rank);

    for (int i = 0; i < 5; i++)
        SAL_TRY(sal_ref_in(&r[i], e->in[i], e->err));
    SAL_TRY(sal_ref_out(&ry, e->out[0], e->err));
    for (int64_t n = 0; n < x->dims[0] * channels && ry.x != NULL; n++) {
        int64_t c = n % channels;
        double inv = 1.0 / sqrt(r[4].x[c] + epsilon);
        for (int64_t i = n * size; i < (n + 1) * size; i++)
            ry.x[i] = (r[0].x[i] - r[3].x[c]) * inv * r[1].x[c] + r[2].x[c];
    }
    sal_ref_store(&ry);
    for (int i = 1; i < e->node->n_out; i++)
        if (e->out[i] != NULL && e->out[i]->data != NULL)
            memcpy(e->out[i]->data, e->in[i % 2 == 1 ? 3 : 4]->data, sal_tensor_bytes(e->out[i]));
done:
    for (int i = 0; i < 5; i++)
        sal_ref_free(&r[i]);
    sal_ref_free(&ry);
    return st;
}

static sal_vid batch_norm_inv(sal_builder *b, const sal_node *n)
{
    sal_vid var = n->in[4];
    sal_vid sum = sal_b2(b, "Add", var, sal_b_like(b, var, sal_node_float(n, "epsilon", 1e-5)));
    return sal_b1(b, "Reciprocal", sal_b1(b, "Sqrt", sum));
}

static sal_status batch_norm_rank(sal_builder *b, const sal_node *n, int *rank)
{
    *rank = sal_val(b->g, n->in[0])->rank;
    if (*rank >= 1)
        return SAL_OK;
    return b->st = sal_fail(b->err, SAL_ESHAPE, "node %s: the input's rank is not known", n->name);
}

/* y = x a + (bias - mean a), a = scale / sqrt(var + epsilon): two constants by channel in a trained
 * model. */
static sal_status batch_norm_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    int rank;
    sal_status st = batch_norm_rank(b, n, &rank);
    if (st != SAL_OK)
        return st;
    sal_vid a = sal_b2(b, "Mul", n->in[1], batch_norm_inv(b, n));
    sal_vid shift = sal_b2(b, "Sub", n->in[2], sal_b2(b, "Mul", n->in[3], a));
    sal_vid y = sal_b2(b, "Mul", n->in[0], sal_norm_per_channel(b, a, rank));
    out[0] = sal_b2(b, "Add", y, sal_norm_per_channel(b, shift, rank));
    for (int i = 1; i < n->n_out; i++)
        if (n->out[i] != SAL_NONE)
            out[i] = sal_b1(b, "Identity", n->in[i % 2 == 1 ? 3 : 4]);
    return b->st;
}

static sal_status batch_norm_vjp(sal_vjp *v)
{
    static const int64_t rest[] = {0, 2, 3, 4, 5, 6, 7};
    sal_builder *b = v->b;
    const sal_node *n = v->node;
    sal_vid gy = v->gout[0];
    int rank;
    sal_status st = batch_norm_rank(b, n, &rank);
    if (st != SAL_OK)
        return st;
    for (int i = 1; i < n->n_out; i++) /* the statistics passed through */
        if (v->gout[i] != SAL_NONE && v->need[i % 2 == 1 ? 3 : 4])
            v->gin[i % 2 == 1 ? 3 : 4] = sal_b_add_opt(b, v->gin[i % 2 == 1 ? 3 : 4], v->gout[i]);
    if (gy == SAL_NONE)
        return b->st;
    sal_vid inv = batch_norm_inv(b, n), a = sal_b2(b, "Mul", n->in[1], inv);
    if (v->need[0])
        v->gin[0] = sal_b2(b, "Mul", gy, sal_norm_per_channel(b, a, rank));
    if (!v->need[1] && !v->need[2] && !v->need[3] && !v->need[4])
        return b->st;

    int n_axes = rank == 1 ? 1 : rank - 1;
    sal_vid sum = sal_b_reduce(b, "ReduceSum", gy, n_axes, rest, false);
    if (rank == 1)
        sum = sal_b_reshape_like(b, sum, n->in[2]);
    if (v->need[2])
        v->gin[2] = sum;
    if (v->need[3])
        v->gin[3] = sal_b_add_opt(b, v->gin[3], sal_b1(b, "Neg", sal_b2(b, "Mul", sum, a)));
    if (!v->need[1] && !v->need[4])
        return b->st;
    sal_vid d = sal_b2(b, "Sub", n->in[0], sal_norm_per_channel(b, n->in[3], rank));
    sal_vid dot = sal_b_reduce(b, "ReduceSum", sal_b2(b, "Mul", gy, d), n_axes, rest, false);
    if (rank == 1)
        dot = sal_b_reshape_like(b, dot, n->in[1]);
    if (v->need[1])
        v->gin[1] = sal_b2(b, "Mul", dot, inv);
    if (v->need[4]) { /* d inv / d var = -inv^3 / 2 */
        sal_vid t = sal_b2(b, "Mul", sal_b2(b, "Mul", dot, a), sal_b2(b, "Mul", inv, inv));
        v->gin[4] = sal_b_add_opt(b, v->gin[4], sal_b2(b, "Mul", t, sal_b_like(b, t, -0.5)));
    }
    return b->st;
}

static const char *const batch_norm_cases[] = {
    "f32[2,3,4,2] f32[3] f32[3] f32[3] f32[3]:0.5..2 ; ;",
    "f32[4,3] f32[3] f32[3] f32[3] f32[3]:0.5..2 ; epsilon=0.1 ;",
    "f32[2,3,5] f32[3] f32[3] f32[3] f32[3]:0.5..2 ; epsilon=1e-3 momentum=0.7 ;",
    "f32[1,2,2,3,2] f32[2] f32[2] f32[2] f32[2]:0.5..2 ; ; const=1,2,3,4",
    NULL,
};

const sal_op_desc sal_op_batch_normalization = {
    .name = "BatchNormalization",
    .min_in = 5,
    .max_in = 5,
    .min_out = 1,
    .max_out = 5,
    .since = 9,
    .upgrade = batch_norm_upgrade,
    .infer = batch_norm_infer,
    .eval = batch_norm_eval,
    .expand = batch_norm_expand,
    .vjp = batch_norm_vjp,
    .cases = batch_norm_cases,
};
