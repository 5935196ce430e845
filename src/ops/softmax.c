/* Softmax: y = e^x / sum e^x along an axis. */
#include "ops/core/reduce.h"

/* Before opset 13 the input was seen as a matrix, rows up to `axis` (default 1), and each row
 * normalised as a whole. That is the same when all axes after it have length 1. */
static sal_status softmax_upgrade(sal_upgrade *u)
{
    sal_vid in = sal_node_in(u->node, 0);
    sal_status st;
    if (u->opset >= 13 || in == SAL_NONE)
        return SAL_OK;
    const sal_value *x = sal_val(u->g, in);
    int64_t axis = sal_node_int(u->node, "axis", 1);
    if (axis < 0 && x->rank >= 0)
        axis += x->rank;
    bool plain = x->rank >= 0 && axis >= 0 && axis < x->rank;
    for (int64_t d = axis + 1; plain && d < x->rank; d++)
        plain = x->dims[d] == 1;
    SAL_TRY(sal_upgrade_set_int(u, "axis", axis));
    if (!plain) {
        SAL_TRY(sal_upgrade_rename(u, "CoercedSoftmax"));
        SAL_TRY(sal_upgrade_set_int(u, "log", 0));
    }
done:
    return st;
}

/* One line of `len` elements, `step` apart. */
static void softmax_line(const sal_tensor *x, sal_tensor *y, int64_t at, int64_t len, int64_t step)
{
    double top = -(double)INFINITY, sum = 0.0;
    for (int64_t k = 0; k < len; k++)
        top = fmax(top, sal_tensor_get(x, at + k * step));
    for (int64_t k = 0; k < len; k++)
        sum += exp(sal_tensor_get(x, at + k * step) - top);
    for (int64_t k = 0; k < len; k++)
        sal_tensor_set(y, at + k * step, exp(sal_tensor_get(x, at + k * step) - top) / sum);
}

static sal_status softmax_eval(const sal_eval *e)
{
    sal_lines l;
    sal_status st;
    if (e->in[0]->rank == 0) {
        sal_tensor_set(e->out[0], 0, 1.0);
        return SAL_OK;
    }
    SAL_TRY(sal_lines_of(&l, e->in[0], sal_node_int(e->node, "axis", -1), e->err));
    for (int64_t o = 0; o < l.outer; o++)
        for (int64_t i = 0; i < l.inner; i++)
            softmax_line(e->in[0], e->out[0], o * l.len * l.inner + i, l.len, l.inner);
done:
    return st;
}

static sal_status softmax_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    int64_t axis = sal_node_int(n, "axis", -1);
    sal_vid x = n->in[0];
    sal_vid e =
        sal_b1(b, "Exp", sal_b2(b, "Sub", x, sal_b_reduce(b, "ReduceMax", x, 1, &axis, true)));
    out[0] = sal_b2(b, "Div", e, sal_b_reduce(b, "ReduceSum", e, 1, &axis, true));
    return b->st;
}

static sal_status softmax_vjp(sal_vjp *v)
{
    sal_vid in[2] = {v->gout[0], v->node->out[0]};
    sal_attr a = SAL_AI("axis", sal_node_int(v->node, "axis", -1));
    if (v->need[0])
        v->gin[0] = sal_b_op(v->b, "SoftmaxGrad", 2, in, 1, &a);
    return v->b->st;
}

static const char *const softmax_cases[] = {
    "f32[2,3,5]", "f32[2,3,5]:-3..3 ; axis=1", "f32[2,3,5]:-3..3 ; axis=-3", "f32[7]:-2..2", NULL,
};

const sal_op_desc sal_op_softmax = {
    .name = "Softmax",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .since = 13,
    .upgrade = softmax_upgrade,
    .infer = sal_infer_softmax,
    .eval = softmax_eval,
    .expand = softmax_expand,
    .vjp = softmax_vjp,
    .cases = softmax_cases,
};
