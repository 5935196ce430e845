/* Pow: y = x^p, result in x's type. dy/dx = p x^(p - 1), dy/dp = y ln x for x > 0 and 0 else. */
#include "ops/core/elementwise.h"

static double pow_f(const double *in, int n, const void *ctx)
{
    (void)n;
    (void)ctx;
    return pow(in[0], in[1]);
}

static int64_t pow_i(const int64_t *in, int n, const void *ctx)
{
    (void)n;
    (void)ctx;
    return sal_ew_ipow(in[0], in[1]);
}

static uint64_t pow_u(const uint64_t *in, int n, const void *ctx)
{
    uint64_t r = 1, base = in[0];
    (void)n;
    (void)ctx;
    for (uint64_t p = in[1]; p > 0; p >>= 1, base *= base)
        if (p & 1)
            r *= base;
    return r;
}

/* Base and exponent may differ in type. Between two kinds of numbers the power is computed in
 * float64 and then converted, truncating, to the type of the base. */
static sal_status pow_eval(const sal_eval *e)
{
    static const sal_ew k = {pow_f, pow_i, pow_u};
    const sal_tensor *x = e->in[0], *p = e->in[1];
    sal_tensor wide_x = SAL_TENSOR_INIT, wide_p = SAL_TENSOR_INIT, wide_y = SAL_TENSOR_INIT;
    sal_tensor res = SAL_TENSOR_INIT;
    sal_status st;
    if (sal_dtype_is_float(x->dtype) == sal_dtype_is_float(p->dtype) &&
        (x->dtype == SAL_U64) == (p->dtype == SAL_U64))
        return sal_ew_eval(e, 2, &k, NULL);
    SAL_TRY(sal_tensor_cast(&wide_x, x, SAL_F64, e->err));
    SAL_TRY(sal_tensor_cast(&wide_p, p, SAL_F64, e->err));
    SAL_TRY(sal_tensor_new(&wide_y, SAL_F64, e->out[0]->rank, e->out[0]->dims, e->err));
    const sal_tensor *in[2] = {&wide_x, &wide_p};
    sal_tensor *const out[1] = {&wide_y};
    sal_eval sub = {e->node, in, out, e->err};
    SAL_TRY(sal_ew_eval(&sub, 2, &k, NULL));
    SAL_TRY(sal_tensor_cast(&res, &wide_y, e->out[0]->dtype, e->err));
    if (sal_tensor_bytes(&res) > 0)
        memcpy(e->out[0]->data, res.data, sal_tensor_bytes(&res));
done:
    sal_tensor_free(&res);
    sal_tensor_free(&wide_y);
    sal_tensor_free(&wide_p);
    sal_tensor_free(&wide_x);
    return st;
}

/* The exponents that models hold as constants have derivatives without a power. */
static sal_vid pow_base_vjp_const(sal_builder *b, const sal_node *n, sal_vid g, double p)
{
    sal_vid x = n->in[0];
    if (p == 0.0)
        return SAL_NONE;
    if (p == 1.0)
        return g;
    if (p == 2.0)
        return sal_b2(b, "Mul", g, sal_b_mulc(b, x, 2.0));
    if (p == 0.5)
        return sal_b2(b, "Div", g, sal_b_mulc(b, n->out[0], 2.0));
    sal_vid power = sal_b2(b, "Pow", x, sal_b_like(b, x, p - 1.0));
    return sal_b2(b, "Mul", g, sal_b_mulc(b, power, p));
}

/* p = 0 has derivative 0 everywhere, though x^-1 is infinite at x = 0. */
static sal_vid pow_base_vjp(sal_builder *b, sal_vid x, sal_vid p, sal_vid g)
{
    sal_vid zero = sal_b_like(b, x, 0.0), one = sal_b_like(b, x, 1.0);
    sal_vid nonzero = sal_b1(b, "Not", sal_b2(b, "Equal", p, zero));
    sal_vid safe = sal_b3(b, "Where", nonzero, p, one);
    sal_vid power = sal_b2(b, "Pow", x, sal_b2(b, "Sub", safe, one));
    return sal_b2(b, "Mul", g, sal_b_mask(b, nonzero, sal_b2(b, "Mul", p, power)));
}

static sal_status pow_vjp(sal_vjp *v)
{
    sal_builder *b = v->b;
    const sal_node *n = v->node;
    sal_vid g = v->gout[0];
    sal_vid x = n->in[0], p = n->in[1], y = n->out[0];
    const sal_value *pv = sal_val(b->g, p);
    sal_dtype dtype = sal_val(b->g, x)->dtype;
    if (v->need[0] && pv->constant != NULL && sal_tensor_count(pv->constant) == 1) {
        v->gin[0] = pow_base_vjp_const(b, n, g, sal_tensor_get(pv->constant, 0));
        if (v->gin[0] != SAL_NONE)
            v->gin[0] = sal_b_sum_to(b, v->gin[0], x);
    } else if (v->need[0]) {
        v->gin[0] = sal_b_sum_to(b, pow_base_vjp(b, x, sal_b_cast(b, p, dtype), g), x);
    }
    if (v->need[1]) {
        sal_vid positive = sal_b2(b, "Greater", x, sal_b_like(b, x, 0.0));
        sal_vid ln = sal_b1(b, "Log", sal_b3(b, "Where", positive, x, sal_b_like(b, x, 1.0)));
        /* ln is 0 where x <= 0, but y may be infinite there */
        sal_vid d = sal_b_mask(b, positive, sal_b2(b, "Mul", y, ln));
        v->gin[1] = sal_b_cast(b, sal_b_sum_to(b, sal_b2(b, "Mul", g, d), p), pv->dtype);
    }
    return b->st;
}

static const char *const pow_cases[] = {
    "f32[2,3,5]:0.3..2 f32[2,3,5]:-2..2",
    "f32[2,3]:0.3..2 f32[3]:0.5..3",
    "f32[2,3] f32[]{2} ; ; const=1",
    "f32[2,3] f32[1]{3} ; ; const=1",
    "f32[2,3]:0.3..2 f32[]{0.5} ; ; const=1",
    "f32[2,3]:0.3..2 f32[]{-1.5} ; ; const=1",
    "f32[3] f32[]{1} ; ; const=1",
    "f32[2,3]:-2..-0.3 i64[3]{2,3,0}",
    "i64[4]{2,-3,1,5} i64[4]{3,3,-1,0}",
    "i64[3]{2,3,4} f32[]{0.5} ; ; noort",
    NULL,
};

const sal_op_desc sal_op_pow = {
    .name = "Pow",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE,
    .since = 12,
    .infer = sal_infer_broadcast,
    .eval = pow_eval,
    .vjp = pow_vjp,
    .cases = pow_cases,
};
