/* BatchNormTraining: BatchNormalization with training_mode = 1. Normalises by the statistics of the
 * batch, y = (x - mean) / sqrt(var + epsilon) * scale + bias, and gives running averages of them:
 * momentum * given + (1 - momentum) * that of the batch. */
#include "ops/core/norm.h"

static sal_status bn_training_infer(sal_infer *c)
{
    static const char *const what[] = {"x", "scale", "bias", "mean", "var"};
    static const int source[] = {0, 3, 4};
    const sal_value *x = sal_infer_in(c, 0);
    sal_status st = SAL_OK;
    if (x->rank >= 0 && x->rank < 2)
        return sal_fail(c->err, SAL_ESHAPE, "the input must have batch and channels");
    for (int i = 1; i < 5 && st == SAL_OK; i++)
        st = sal_norm_check_vector(c, i, x, what[i]);
    for (int i = 0; i < c->node->n_out && st == SAL_OK; i++)
        if (c->node->out[i] != SAL_NONE)
            st = sal_infer_out_like(c, i, source[i]);
    return st;
}

static sal_status bn_training_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    static const int64_t rest[] = {0, 2, 3, 4, 5, 6, 7};
    double momentum = sal_node_float(n, "momentum", 0.9);
    sal_vid x = n->in[0], of[3] = {SAL_NONE};
    int rank = sal_val(b->g, x)->rank;
    if (rank < 2)
        return b->st =
                   sal_fail(b->err, SAL_ESHAPE, "node %s: the input's rank is not known", n->name);
    of[1] = sal_b_reduce(b, "ReduceMean", x, rank - 1, rest, false);
    sal_vid d = sal_b2(b, "Sub", x, sal_norm_per_channel(b, of[1], rank));
    of[2] = sal_b_reduce(b, "ReduceMean", sal_b2(b, "Mul", d, d), rank - 1, rest, false);
    sal_vid shifted =
        sal_b2(b, "Add", of[2], sal_b_like(b, of[2], sal_node_float(n, "epsilon", 1e-5)));
    sal_vid a = sal_b2(b, "Div", n->in[1], sal_b1(b, "Sqrt", shifted));
    sal_vid y = sal_b2(b, "Mul", d, sal_norm_per_channel(b, a, rank));
    out[0] = sal_b2(b, "Add", y, sal_norm_per_channel(b, n->in[2], rank));
    for (int i = 1; i < n->n_out; i++) {
        if (n->out[i] == SAL_NONE)
            continue;
        sal_vid given = n->in[2 + i];
        given = sal_b2(b, "Mul", given, sal_b_like(b, given, momentum));
        out[i] =
            sal_b2(b, "Add", given, sal_b2(b, "Mul", of[i], sal_b_like(b, of[i], 1.0 - momentum)));
    }
    return b->st;
}

static const char *const bn_training_cases[] = {
    "f32[2,3,4,2] f32[3] f32[3] f32[3] f32[3]:0.5..2 ; ; out=3",
    "f32[4,3] f32[3] f32[3] f32[3] f32[3]:0.5..2 ; epsilon=0.1 momentum=0.3 ; out=3",
    NULL,
};

const sal_op_desc sal_op_batch_norm_training = {
    .name = "BatchNormTraining",
    .domain = SAL_DOMAIN_INTERNAL,
    .min_in = 5,
    .max_in = 5,
    .min_out = 1,
    .max_out = 3,
    .flags = SAL_OP_COMPOSITE,
    .since = 14,
    .infer = bn_training_infer,
    .expand = bn_training_expand,
    .cases = bn_training_cases,
};
