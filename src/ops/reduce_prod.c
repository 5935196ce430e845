/* ReduceProd: product over axes. The derivative is that of the expansion into a tree of products,
 * which needs no division and so is right for zeros too, to every order. */
#include "ops/core/reduce.h"

static double reduce_prod_f(const double *x, int64_t n)
{
    double r = 1.0;
    for (int64_t k = 0; k < n; k++)
        r *= x[k];
    return r;
}

static int64_t reduce_prod_i(const int64_t *x, int64_t n, sal_dtype dtype)
{
    uint64_t r = 1;
    (void)dtype;
    for (int64_t k = 0; k < n; k++)
        r *= (uint64_t)x[k];
    return sal_ew_wrap(r);
}

static uint64_t reduce_prod_u(const uint64_t *x, int64_t n)
{
    uint64_t r = 1;
    for (int64_t k = 0; k < n; k++)
        r *= x[k];
    return r;
}

static sal_status reduce_prod_eval(const sal_eval *e)
{
    static const sal_reduce k = {reduce_prod_f, reduce_prod_i, reduce_prod_u};
    return sal_reduce_eval(e, &k);
}

/* Product along one axis of known length, which stays with length 1: halves are multiplied until
 * one is left, an odd last element is carried along. */
static sal_vid reduce_prod_axis(sal_builder *b, sal_vid x, int64_t axis, int64_t len)
{
    while (len > 1 && b->st == SAL_OK) {
        int64_t half = len / 2;
        sal_vid lo = sal_b_slice(b, x, axis, 0, half, 1);
        sal_vid y = sal_b2(b, "Mul", lo, sal_b_slice(b, x, axis, half, 2 * half, 1));
        if (len % 2 != 0) {
            sal_vid parts[2] = {y, sal_b_slice(b, x, axis, len - 1, len, 1)};
            y = sal_b_concat(b, 2, parts, axis);
        }
        x = y;
        len = half + len % 2;
    }
    return x;
}

static sal_status reduce_prod_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    sal_axes a;
    if (!sal_reduce_axes(b, n, &a))
        return b->st;
    const sal_value *v = sal_val(b->g, n->in[0]);
    sal_vid x = n->in[0];
    for (int i = 0; i < a.n; i++) {
        int64_t len = v->dims[a.list[i]];
        if (len == 0) { /* the product of nothing */
            sal_vid none = sal_b_reduce(b, "ReduceSum", x, 1, &a.list[i], true);
            x = sal_b2(b, "Add", none, sal_b_like(b, x, 1.0));
            continue;
        }
        if (len < 0) {
            b->st =
                sal_fail(b->err, SAL_ENOGRAD,
                         "ReduceProd node '%s': the length of axis %lld is only known at run time; "
                         "give the model fixed input shapes",
                         n->name, (long long)a.list[i]);
            return b->st;
        }
        x = reduce_prod_axis(b, x, a.list[i], len);
    }
    if (!a.keepdims && a.n > 0)
        x = sal_b_squeeze(b, x, a.n, a.list);
    out[0] = x == n->in[0] ? sal_b1(b, "Identity", x) : x;
    return b->st;
}

static const char *const reduce_prod_cases[] = {
    "f32[2,3,5]:0.3..1.5",
    "f32[2,3,5]:0.3..1.5 i64[1]{-1} ; keepdims=0",
    "f32[2,3,5,2]:0.3..1.5 i64[2]{1,-2}",
    "f32[2,3,4]:0.3..1.5 i64[2]{2,0} ; keepdims=0",
    "f32[2,3]:0.3..1.5 ; noop_with_empty_axes=1",
    "f32[5]:0.3..1.5 ; keepdims=0",
    "f32[2,5] i64[1]{1}",
    "f32[2,4]{0,2,3,4,1,0,2,0} i64[1]{1}",
    "f32[7]",
    "f32[2,0,3] i64[1]{1}",
    "i64[2,3]{1,2,3,4,5,6} i64[1]{0}",
    NULL,
};

const sal_op_desc sal_op_reduce_prod = {
    .name = "ReduceProd",
    .min_in = 1,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .since = 18,
    .upgrade = sal_reduce_upgrade,
    .infer = sal_reduce_infer,
    .eval = reduce_prod_eval,
    .expand = reduce_prod_expand,
    .cases = reduce_prod_cases,
};
