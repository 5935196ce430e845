/* LogSoftmax: y = x - ln sum e^x along an axis; gradient dy - e^y sum dy. */
#include "ops/core/reduce.h"

/* Before opset 13 the input was seen as a matrix, rows up to `axis` (default 1), and each row
 * normalised as a whole. That is the same when all axes after it have length 1. */
static sal_status log_softmax_upgrade(sal_upgrade *u)
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
        SAL_TRY(sal_upgrade_set_int(u, "log", 1));
    }
done:
    return st;
}

/* One line of `len` elements, `step` apart. */
static void log_softmax_line(const sal_tensor *x, sal_tensor *y, int64_t at, int64_t len,
                             int64_t step)
{
    double top = -(double)INFINITY, sum = 0.0;
    for (int64_t k = 0; k < len; k++)
        top = fmax(top, sal_tensor_get(x, at + k * step));
    for (int64_t k = 0; k < len; k++)
        sum += exp(sal_tensor_get(x, at + k * step) - top);
    for (int64_t k = 0; k < len; k++)
        sal_tensor_set(y, at + k * step, sal_tensor_get(x, at + k * step) - top - log(sum));
}

static sal_status log_softmax_eval(const sal_eval *e)
{
    sal_lines l;
    sal_status st;
    if (e->in[0]->rank == 0) {
        sal_tensor_set(e->out[0], 0, 0.0);
        return SAL_OK;
    }
    SAL_TRY(sal_lines_of(&l, e->in[0], sal_node_int(e->node, "axis", -1), e->err));
    for (int64_t o = 0; o < l.outer; o++)
        for (int64_t i = 0; i < l.inner; i++)
            log_softmax_line(e->in[0], e->out[0], o * l.len * l.inner + i, l.len, l.inner);
done:
    return st;
}

static sal_status log_softmax_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    int64_t axis = sal_node_int(n, "axis", -1);
    sal_vid x = n->in[0];
    sal_vid t = sal_b2(b, "Sub", x, sal_b_reduce(b, "ReduceMax", x, 1, &axis, true));
    sal_vid sum = sal_b_reduce(b, "ReduceSum", sal_b1(b, "Exp", t), 1, &axis, true);
    out[0] = sal_b2(b, "Sub", t, sal_b1(b, "Log", sum));
    return b->st;
}

static sal_status log_softmax_vjp(sal_vjp *v)
{
    sal_builder *b = v->b;
    int64_t axis = sal_node_int(v->node, "axis", -1);
    sal_vid g = v->gout[0];
    if (!v->need[0])
        return b->st;
    sal_vid sum = sal_b_reduce(b, "ReduceSum", g, 1, &axis, true);
    v->gin[0] = sal_b2(b, "Sub", g, sal_b2(b, "Mul", sal_b1(b, "Exp", v->node->out[0]), sum));
    return b->st;
}

static const char *const log_softmax_cases[] = {
    "f32[2,3,5]", "f32[2,3,5]:-3..3 ; axis=1", "f32[2,3,5]:-3..3 ; axis=-3", "f32[7]:-2..2", NULL,
};

const sal_op_desc sal_op_log_softmax = {
    .name = "LogSoftmax",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .since = 13,
    .upgrade = log_softmax_upgrade,
    .infer = sal_infer_softmax,
    .eval = log_softmax_eval,
    .expand = log_softmax_expand,
    .vjp = log_softmax_vjp,
    .cases = log_softmax_cases,
};
