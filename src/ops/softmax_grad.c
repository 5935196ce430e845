/* SoftmaxGrad(dy, y): gradient of y = Softmax(x) along `axis`: y (dy - sum of dy y). Its own
 * derivative is that of the expansion. */
#include "ops/core/reduce.h"

static void softmax_grad_line(const sal_eval *e, int64_t at, int64_t len, int64_t step)
{
    const sal_tensor *dy = e->in[0], *y = e->in[1];
    double dot = 0.0;
    for (int64_t k = 0; k < len; k++)
        dot += sal_tensor_get(dy, at + k * step) * sal_tensor_get(y, at + k * step);
    for (int64_t k = 0; k < len; k++) {
        int64_t i = at + k * step;
        sal_tensor_set(e->out[0], i, sal_tensor_get(y, i) * (sal_tensor_get(dy, i) - dot));
    }
}

static sal_status softmax_grad_eval(const sal_eval *e)
{
    sal_lines l;
    sal_status st;
    if (e->in[0]->rank == 0)
        return SAL_OK; /* a constant's gradient: the output is zeroed already */
    SAL_TRY(sal_lines_of(&l, e->in[1], sal_node_int(e->node, "axis", -1), e->err));
    if (sal_tensor_count(e->in[0]) != sal_tensor_count(e->in[1])) {
        st = sal_fail(e->err, SAL_ESHAPE, "the two inputs differ in shape");
        goto done;
    }
    for (int64_t o = 0; o < l.outer; o++)
        for (int64_t i = 0; i < l.inner; i++)
            softmax_grad_line(e, o * l.len * l.inner + i, l.len, l.inner);
done:
    return st;
}

static sal_status softmax_grad_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    int64_t axis = sal_node_int(n, "axis", -1);
    sal_vid dy = n->in[0], y = n->in[1];
    sal_vid dot = sal_b_reduce(b, "ReduceSum", sal_b2(b, "Mul", dy, y), 1, &axis, true);
    out[0] = sal_b2(b, "Mul", y, sal_b2(b, "Sub", dy, dot));
    return b->st;
}

static const char *const softmax_grad_cases[] = {
    "f32[2,3,5] f32[2,3,5]:0..1",
    "f32[2,3,5] f32[2,3,5]:0..1 ; axis=1",
    NULL,
};

const sal_op_desc sal_op_softmax_grad = {
    .name = "SoftmaxGrad",
    .domain = SAL_DOMAIN_INTERNAL,
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .since = 1,
    .infer = sal_infer_softmax,
    .eval = softmax_grad_eval,
    .expand = softmax_grad_expand,
    .cases = softmax_grad_cases,
};
