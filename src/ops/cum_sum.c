/* CumSum: running sum along an axis, with or without the element itself, from either end. Its
 * gradient is the running sum from the other end. */
#include "ops/core/reduce.h"

static sal_status cum_sum_infer(sal_infer *c)
{
    int64_t axis = 0;
    int n, d;
    bool symbolic;
    sal_status st;
    SAL_TRY(sal_infer_same(c));
    SAL_TRY(sal_infer_ints(c, 1, &axis, 1, &n, &symbolic));
    if (n == 1 && !symbolic && sal_infer_in(c, 0)->rank >= 0)
        SAL_TRY(sal_infer_axis(c, axis, sal_infer_in(c, 0)->rank, &d));
done:
    return st;
}

typedef union cum_sum_acc {
    double f;
    uint64_t u; /* wraps around */
} cum_sum_acc;

static void cum_sum_add(cum_sum_acc *acc, const sal_tensor *x, int64_t at)
{
    switch (x->dtype) {
    case SAL_I64:
    case SAL_U64:
        acc->u += ((const uint64_t *)x->data)[at];
        break;
    case SAL_F32:
    case SAL_F64:
        acc->f += sal_tensor_get(x, at);
        break;
    default:
        acc->u += (uint64_t)(int64_t)sal_tensor_get(x, at);
        break;
    }
}

static void cum_sum_store(sal_tensor *y, int64_t at, cum_sum_acc acc)
{
    if (sal_dtype_is_float(y->dtype))
        sal_tensor_set(y, at, acc.f);
    else if (sal_dtype_size(y->dtype) == 8)
        ((uint64_t *)y->data)[at] = acc.u;
    else
        ((uint32_t *)y->data)[at] = (uint32_t)acc.u;
}

static sal_status cum_sum_eval(const sal_eval *e)
{
    const sal_tensor *x = e->in[0];
    bool exclusive = sal_node_int(e->node, "exclusive", 0) != 0;
    bool reverse = sal_node_int(e->node, "reverse", 0) != 0;
    sal_lines l;
    sal_status st;
    if (e->in[1] == NULL || sal_tensor_count(e->in[1]) != 1)
        return sal_fail(e->err, SAL_ESHAPE, "the axis must be a single number");
    if (!sal_dtype_is_float(x->dtype) && sal_dtype_size(x->dtype) < 4)
        return sal_fail(e->err, SAL_EUNSUPPORTED, "not defined for %s", sal_dtype_name(x->dtype));
    SAL_TRY(sal_lines_of(&l, x, (int64_t)sal_tensor_get(e->in[1], 0), e->err));
    for (int64_t line = 0; line < l.outer * l.inner; line++) {
        int64_t first = line / l.inner * l.len * l.inner + line % l.inner;
        cum_sum_acc acc = {.u = 0}; /* the bits of 0.0 as well */
        for (int64_t k = 0; k < l.len; k++) {
            int64_t at = first + (reverse ? l.len - 1 - k : k) * l.inner;
            if (exclusive)
                cum_sum_store(e->out[0], at, acc);
            cum_sum_add(&acc, x, at);
            if (!exclusive)
                cum_sum_store(e->out[0], at, acc);
        }
    }
done:
    return st;
}

static sal_status cum_sum_vjp(sal_vjp *v)
{
    sal_vid in[2] = {v->gout[0], v->node->in[1]};
    sal_attr a[] = {SAL_AI("exclusive", sal_node_int(v->node, "exclusive", 0)),
                    SAL_AI("reverse", sal_node_int(v->node, "reverse", 0) == 0)};
    if (v->need[0])
        v->gin[0] = sal_b_op(v->b, "CumSum", 2, in, 2, a);
    return v->b->st;
}

static const char *const cum_sum_cases[] = {
    "f32[2,3,5] i64[]{1}",
    "f32[2,3,5] i64[]{-1} ; exclusive=1 reverse=1",
    "f32[2,3] i64[]{0} ; exclusive=1",
    "f32[5] i64[]{0} ; reverse=1",
    "i64[4]{1,2,3,4} i64[]{0}",
    NULL,
};

const sal_op_desc sal_op_cum_sum = {
    .name = "CumSum",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .since = 11,
    .infer = cum_sum_infer,
    .eval = cum_sum_eval,
    .vjp = cum_sum_vjp,
    .cases = cum_sum_cases,
};
