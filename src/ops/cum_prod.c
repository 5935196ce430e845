/* CumProd: running product along an axis, with or without the element itself, from either end. The
 * expansion multiplies by copies shifted 1, 2, 4, ... places, so that its derivative is right where
 * factors are zero and no division is needed. */
#include "ops/core/reduce.h"

static sal_status cum_prod_infer(sal_infer *c)
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

typedef union cum_prod_acc {
    double f;
    uint64_t u; /* wraps around */
} cum_prod_acc;

static void cum_prod_times(cum_prod_acc *acc, const sal_tensor *x, int64_t at)
{
    if (sal_dtype_is_float(x->dtype))
        acc->f *= sal_tensor_get(x, at);
    else if (sal_dtype_size(x->dtype) == 8)
        acc->u *= ((const uint64_t *)x->data)[at];
    else
        acc->u *= (uint64_t)(int64_t)sal_tensor_get(x, at);
}

static void cum_prod_store(sal_tensor *y, int64_t at, cum_prod_acc acc)
{
    if (sal_dtype_is_float(y->dtype))
        sal_tensor_set(y, at, acc.f);
    else if (sal_dtype_size(y->dtype) == 8)
        ((uint64_t *)y->data)[at] = acc.u;
    else
        ((uint32_t *)y->data)[at] = (uint32_t)acc.u;
}

static sal_status cum_prod_eval(const sal_eval *e)
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
        cum_prod_acc acc = {.u = 1};
        if (sal_dtype_is_float(x->dtype))
            acc.f = 1.0;
        for (int64_t k = 0; k < l.len; k++) {
            int64_t at = first + (reverse ? l.len - 1 - k : k) * l.inner;
            if (exclusive)
                cum_prod_store(e->out[0], at, acc);
            cum_prod_times(&acc, x, at);
            if (!exclusive)
                cum_prod_store(e->out[0], at, acc);
        }
    }
done:
    return st;
}

/* x moved `by` places along the axis, towards the end (or the beginning), ones coming in. */
static sal_vid cum_prod_shift(sal_builder *b, sal_vid x, int axis, int64_t by, bool reverse)
{
    const sal_value *v = sal_val(b->g, x);
    int64_t len = v->dims[axis], pads[2] = {reverse ? 0 : by, reverse ? by : 0};
    int64_t axes[1] = {axis};
    sal_vid kept = sal_b_slice(b, x, axis, reverse ? by : 0, reverse ? len : len - by, 1);
    sal_vid in[4] = {kept, sal_b_ints(b, pads, 2), sal_b_like(b, x, 1.0), sal_b_ints(b, axes, 1)};
    return sal_b_op(b, "Pad", 4, in, 0, NULL);
}

static sal_status cum_prod_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    const sal_value *x = sal_val(b->g, n->in[0]);
    const sal_tensor *at = sal_val(b->g, n->in[1])->constant;
    bool reverse = sal_node_int(n, "reverse", 0) != 0;
    int64_t axis = at != NULL && sal_tensor_count(at) == 1 ? (int64_t)sal_tensor_get(at, 0) : -99;
    axis = axis < 0 ? axis + x->rank : axis;
    if (x->rank < 0 || axis < 0 || axis >= x->rank || x->dims[axis] < 0)
        return b->st =
                   sal_fail(b->err, SAL_ENOGRAD,
                            "CumProd node '%s': the axis and its length must be known", n->name);
    int64_t len = x->dims[axis];
    sal_vid y = n->in[0];
    if (sal_node_int(n, "exclusive", 0) != 0 && len > 0)
        y = cum_prod_shift(b, y, (int)axis, 1, reverse);
    for (int64_t by = 1; by < len && b->st == SAL_OK; by *= 2)
        y = sal_b2(b, "Mul", y, cum_prod_shift(b, y, (int)axis, by, reverse));
    out[0] = y == n->in[0] ? sal_b1(b, "Identity", y) : y;
    return b->st;
}

static const char *const cum_prod_cases[] = {
    "f32[2,3,5] i64[]{1}",
    "f32[2,3,5] i64[]{-1} ; exclusive=1 reverse=1",
    "f32[2,3] i64[]{0} ; exclusive=1",
    "f32[5]{0.5,0.0,2.0,-1.5,0.0} i64[]{0} ; reverse=1",
    "f32[1] i64[]{0}",
    "i64[4]{1,2,3037000499,3037000501} i64[]{0} ; ; nograd",
    NULL,
};

const sal_op_desc sal_op_cum_prod = {
    .name = "CumProd",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_EVAL,
    .since = 26,
    .infer = cum_prod_infer,
    .eval = cum_prod_eval,
    .expand = cum_prod_expand,
    .cases = cum_prod_cases,
};
