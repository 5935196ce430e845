/* FakeQuantize(x, scale, zero): x rounded to a code and read back,
 *   y = (clamp(round(x / scale) + zero, lo, hi) - zero) * scale,
 * halves rounded to even, scale and zero floats that broadcast. What DequantizeLinear makes of the
 * result of QuantizeLinear.
 *
 * Its true derivative is 0 almost everywhere. Straight-through instead: 1 where the code is within
 * lo..hi, 0 where it was clamped (Bengio, Leonard & Courville 2013; as in quantisation-aware
 * training). Scales and zero points have no derivative. */
#include "ops/core/elementwise.h"
#include "ops/core/quant.h"

typedef struct fake_range {
    double lo, hi;
} fake_range;

static fake_range fake_range_of(const sal_node *n)
{
    return (fake_range){(double)sal_node_int(n, "lo", 0), (double)sal_node_int(n, "hi", 255)};
}

static double fake_quantize_f(const double *in, int n, const void *ctx)
{
    const fake_range *r = ctx;
    (void)n;
    double code = rint(in[0] / in[1]) + in[2];
    code = code < r->lo ? r->lo : code > r->hi ? r->hi : code;
    return (code - in[2]) * in[1];
}

static sal_status fake_quantize_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    fake_range r = fake_range_of(c->node);
    sal_status st = sal_infer_broadcast_float(c);
    if (st == SAL_OK && r.lo >= r.hi)
        return sal_fail(c->err, SAL_EINVAL, "no codes between %g and %g", r.lo, r.hi);
    return st == SAL_OK && x->rank >= 0 ? sal_infer_out_like(c, 0, 0) : st;
}

static sal_status fake_quantize_eval(const sal_eval *e)
{
    static const sal_ew k = {fake_quantize_f, NULL, NULL};
    fake_range r = fake_range_of(e->node);
    return sal_ew_eval(e, 3, &k, &r);
}

/* Scales or zero points as QuantizeLinear wants them: one number, or a list along the axis where
 * they vary. */
static sal_vid fake_flat(sal_builder *b, sal_vid v)
{
    if (b->st != SAL_OK || sal_val(b->g, v)->rank <= 1)
        return v;
    return sal_b_reshape(b, v, 1, sal_val(b->g, v)->dims, v);
}

static sal_status fake_quantize_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    fake_range r = fake_range_of(n);
    const sal_value *x = sal_val(b->g, n->in[0]), *s = sal_val(b->g, n->in[1]);
    sal_dtype to = r.hi > 255.0 ? (r.lo < 0.0 ? SAL_I16 : SAL_U16) : r.lo < 0.0 ? SAL_I8 : SAL_U8;
    if (r.hi > 65535.0)
        to = SAL_I32;
    int64_t axis = (int64_t)x->rank - s->rank;
    if (x->rank < 0 || s->rank < 0 || axis < 0)
        return b->st = sal_fail(b->err, SAL_ESHAPE, "node %s: the inputs' ranks are not known",
                                n->name);
    sal_vid scale = fake_flat(b, n->in[1]);
    sal_vid zero = sal_b_cast(b, fake_flat(b, n->in[2]), to);
    /* One zero point for many scales, or the reverse. */
    if (b->st == SAL_OK && sal_val(b->g, scale)->rank != sal_val(b->g, zero)->rank) {
        if (sal_val(b->g, zero)->rank == 0)
            zero = sal_b_expand_like(b, zero, scale);
        else
            scale = sal_b_expand_like(b, scale, zero);
        axis = (int64_t)x->rank - SAL_MAX(s->rank, sal_val(b->g, n->in[2])->rank);
    }
    axis = axis == x->rank ? 0 : axis;
    out[0] = sal_quant_real(b, sal_quant_codes(b, n->in[0], scale, zero, axis), scale, zero, axis);
    return b->st;
}

/* The code is in range where (lo - 1/2 - zero) scale <= x <= (hi + 1/2 - zero) scale. */
static sal_status fake_quantize_vjp(sal_vjp *v)
{
    sal_builder *b = v->b;
    sal_vid x = v->node->in[0], s = v->node->in[1], z = v->node->in[2];
    fake_range r = fake_range_of(v->node);
    if (!v->need[0])
        return SAL_OK;
    sal_vid low = sal_b2(b, "Mul", sal_b2(b, "Sub", sal_b_like(b, x, r.lo - 0.5), z), s);
    sal_vid high = sal_b2(b, "Mul", sal_b2(b, "Sub", sal_b_like(b, x, r.hi + 0.5), z), s);
    sal_vid in =
        sal_b2(b, "And", sal_b2(b, "GreaterOrEqual", x, low), sal_b2(b, "LessOrEqual", x, high));
    v->gin[0] = sal_b_mask(b, in, v->gout[0]);
    return b->st;
}

/* Finite differences see the steps: the derivative is compared with PyTorch's elsewhere. */
static const char *const fake_quantize_cases[] = {
    "f32[2,3,4]:-3..3 f32[]{0.02} f32[]{128} ; lo=0 hi=255 ; nograd",
    "f32[2,3,4]:-3..3 f32[]{0.02} f32[]{3} ; lo=-128 hi=127 ; nograd",
    "f32[2,3,4]:-3..3 f32[3,1]{0.02,0.01,0.05} f32[3,1]{3,0,-7} ; lo=-128 hi=127 ; nograd",
    "f32[5]:-3..3 f32[]{0.0137} f32[]{100} ; lo=0 hi=65535 ; nograd",
    NULL,
};

const sal_op_desc sal_op_fake_quantize = {
    .name = "FakeQuantize",
    .domain = SAL_DOMAIN_INTERNAL,
    .min_in = 3,
    .max_in = 3,
    .alike = 1 << 1 | 1 << 2,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE | SAL_OP_PIECEWISE,
    .since = 21,
    .infer = fake_quantize_infer,
    .eval = fake_quantize_eval,
    .expand = fake_quantize_expand,
    .vjp = fake_quantize_vjp,
    .cases = fake_quantize_cases,
};
