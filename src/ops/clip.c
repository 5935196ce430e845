/* Clip: y = min(max(x, lo), hi). The derivative is 0 at the borders, taken from the output so that
 * the executor need not keep the input. */
#include "ops/core/elementwise.h"

/* Attributes until opset 10, inputs since then. */
static sal_status clip_upgrade(sal_upgrade *u)
{
    sal_status st = SAL_OK;
    sal_vid x = sal_node_in(u->node, 0);
    if (u->opset >= 11 || x == SAL_NONE)
        return SAL_OK;
    sal_dtype dtype = sal_val(u->g, x)->dtype;
    if (dtype == SAL_DT_NONE)
        dtype = SAL_F32;
    SAL_TRY(sal_upgrade_attr_to_input(u, "min", 1, dtype));
    SAL_TRY(sal_upgrade_attr_to_input(u, "max", 2, dtype));
done:
    return st;
}

static sal_status clip_infer(sal_infer *c)
{
    sal_status st;
    SAL_TRY(sal_infer_same_dtype(c, 0, 1));
    SAL_TRY(sal_infer_same_dtype(c, 0, 2));
    SAL_TRY(sal_infer_same(c));
done:
    return st;
}

/* Operands: x, then the bounds that are given; ctx says which. min(max(x, lo), hi) also decides lo
 * > hi. NaN stays NaN: comparisons with it are false. */
#define CLIP_KERNEL(name, type)                                                                    \
    static type name(const type *in, int n, const void *ctx)                                       \
    {                                                                                              \
        const bool *given = ctx;                                                                   \
        type x = in[0];                                                                            \
        int i = 1;                                                                                 \
        (void)n;                                                                                   \
        if (given[0] && x < in[i++])                                                               \
            x = in[i - 1];                                                                         \
        if (given[1] && x > in[i])                                                                 \
            x = in[i];                                                                             \
        return x;                                                                                  \
    }
CLIP_KERNEL(clip_f, double)
CLIP_KERNEL(clip_i, int64_t)
CLIP_KERNEL(clip_u, uint64_t)

static sal_status clip_eval(const sal_eval *e)
{
    static const sal_ew k = {clip_f, clip_i, clip_u};
    const sal_tensor *in[3] = {e->in[0]};
    bool given[2];
    int n = 1;
    for (int i = 1; i <= 2; i++) {
        given[i - 1] = i < e->node->n_in && e->in[i] != NULL;
        if (given[i - 1] && sal_tensor_count(e->in[i]) != 1)
            return sal_fail(e->err, SAL_ESHAPE, "input %d must be a single number", i);
        if (given[i - 1])
            in[n++] = e->in[i];
    }
    sal_eval sub = {e->node, in, e->out, e->err};
    return sal_ew_eval(&sub, n, &k, given);
}

/* Gradient of a bound: what it replaced. */
static sal_vid clip_bound_vjp(sal_builder *b, sal_vid g, sal_vid outside, sal_vid bound)
{
    return sal_b_sum_to(b, sal_b_mask(b, outside, g), bound);
}

static sal_status clip_vjp(sal_vjp *v)
{
    sal_builder *b = v->b;
    const sal_node *n = v->node;
    sal_vid g = v->gout[0];
    sal_vid x = n->in[0], y = n->out[0], lo = sal_node_in(n, 1), hi = sal_node_in(n, 2);
    if (v->need[0]) {
        sal_vid m = SAL_NONE;
        if (lo != SAL_NONE)
            m = sal_b2(b, "Greater", y, lo);
        if (hi != SAL_NONE) {
            sal_vid below = sal_b2(b, "Less", y, hi);
            m = m == SAL_NONE ? below : sal_b2(b, "And", m, below);
        }
        v->gin[0] = m == SAL_NONE ? g : sal_b_mask(b, m, g);
    }
    /* lo counts where x < lo unless hi then overrules it; hi counts where max(x, lo) > hi. */
    if (lo != SAL_NONE && v->need[1]) {
        sal_vid out = sal_b2(b, "Less", x, lo);
        if (hi != SAL_NONE)
            out = sal_b2(b, "And", out, sal_b2(b, "LessOrEqual", lo, hi));
        v->gin[1] = clip_bound_vjp(b, g, out, lo);
    }
    if (hi != SAL_NONE && v->need[2]) {
        sal_vid out = sal_b2(b, "Greater", x, hi);
        if (lo != SAL_NONE)
            out = sal_b2(b, "Or", out, sal_b2(b, "Greater", lo, hi));
        v->gin[2] = clip_bound_vjp(b, g, out, hi);
    }
    return b->st;
}

static const char *const clip_cases[] = {
    "f32[2,3,5]:-0.9..0.9 f32[]{-0.3} f32[]{0.5}",
    "f32[2,3] f32[]{-0.25}",
    "f32[2,3] _ f32[]{0.25}",
    "f32[2,3]",
    "i64[4]{-5,0,3,9} i64[]{-1} i64[]{4}",
    "f32[3,4] f32[]{0.4} f32[]{-0.2}",
    NULL,
};

const sal_op_desc sal_op_clip = {
    .name = "Clip",
    .min_in = 1,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE | SAL_OP_PIECEWISE,
    .since = 12,
    .upgrade = clip_upgrade,
    .infer = clip_infer,
    .eval = clip_eval,
    .vjp = clip_vjp,
    .cases = clip_cases,
};
