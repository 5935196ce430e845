/* Mod: remainder of a / b. fmod=0: it has the sign of b (Python's %); fmod=1: the sign of a (C's
 * fmod). */
#include "ops/core/elementwise.h"

static bool mod_is_c(const void *ctx)
{
    return *(const bool *)ctx;
}

static double mod_f(const double *in, int n, const void *ctx)
{
    double r = fmod(in[0], in[1]);
    (void)n;
    return !mod_is_c(ctx) && r != 0 && (r < 0) != (in[1] < 0) ? r + in[1] : r;
}

static int64_t mod_i(const int64_t *in, int n, const void *ctx)
{
    (void)n;
    if (in[1] == 0 ||
        in[1] == -1) /* by 0: 0, as in NumPy; by -1 the machine's division may overflow */
        return 0;
    int64_t r = in[0] % in[1];
    return !mod_is_c(ctx) && r != 0 && (r < 0) != (in[1] < 0) ? r + in[1] : r;
}

static uint64_t mod_u(const uint64_t *in, int n, const void *ctx)
{
    (void)n;
    (void)ctx;
    return in[1] == 0 ? 0 : in[0] % in[1];
}

static sal_status mod_eval(const sal_eval *e)
{
    static const sal_ew k = {mod_f, mod_i, mod_u};
    bool c_sign = sal_node_int(e->node, "fmod", 0) != 0;
    return sal_ew_eval(e, 2, &k, &c_sign);
}

/* y = a - b q with the whole number q = (a - y) / b, which is constant between its jumps: dy/da =
 * 1, dy/db = -q. */
static sal_status mod_vjp(sal_vjp *v)
{
    sal_builder *b = v->b;
    const sal_node *n = v->node;
    sal_vid g = v->gout[0], x = n->in[0], d = n->in[1], y = n->out[0];
    if (v->need[0])
        v->gin[0] = sal_b_sum_to(b, g, x);
    if (v->need[1]) {
        sal_vid q = sal_b2(b, "Div", sal_b2(b, "Sub", y, x), d);
        v->gin[1] = sal_b_sum_to(b, sal_b2(b, "Mul", g, q), d);
    }
    return b->st;
}

static const char *const mod_cases[] = {
    "f32[5]{1.5,-1.5,7.25,-7.25,0.3} f32[5]{1,1,-2,3,5} ; fmod=1",
    "f32[2,3]:2.1..2.9 f32[3]:0.9..1 ; fmod=1",
    "i64[6]{-4,7,5,4,-7,8} i64[6]{2,-3,8,-2,3,5} ; ; nograd",
    "i64[6]{-4,7,5,4,-7,8} i64[6]{2,-3,8,-2,3,5} ; fmod=1 ; nograd",
    "u8[2,2]{9,8,7,6} u8[2]{5,4} ; ; nograd",
    NULL,
};

const sal_op_desc sal_op_mod = {
    .name = "Mod",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE,
    .since = 13,
    .infer = sal_infer_broadcast,
    .eval = mod_eval,
    .vjp = mod_vjp,
    .cases = mod_cases,
};
