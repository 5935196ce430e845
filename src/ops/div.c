/* Div: a / b; integers truncate towards zero. With y = a / b: dy/da = 1 / b, dy/db = -y / b. */
#include "ops/core/elementwise.h"

SAL_EW_BINARY(div, a / b, sal_ew_div(a, b), b == 0 ? 0 : a / b)

static sal_status div_vjp(sal_vjp *v)
{
    sal_builder *b = v->b;
    const sal_node *n = v->node;
    sal_vid g = v->gout[0];
    sal_vid q = sal_b2(b, "Div", g, n->in[1]);
    if (v->need[0])
        v->gin[0] = sal_b_sum_to(b, q, n->in[0]);
    if (v->need[1])
        v->gin[1] = sal_b_sum_to(b, sal_b1(b, "Neg", sal_b2(b, "Mul", q, n->out[0])), n->in[1]);
    return b->st;
}

static const char *const div_cases[] = {
    "f32[2,3,5] f32[2,3,5]:0.5..2",
    "f32[2,3,5] f32[3,1]:0.5..2",
    "f32[5] f32[2,3,1]:-2..-0.5",
    "f32[2,1,5] f32[1,3,1]:0.5..2",
    "f32[] f32[3,2]:0.5..2",
    "i64[6]{7,-7,7,-7,1,0} i64[6]{2,2,-2,-2,5,3}",
    NULL,
};

const sal_op_desc sal_op_div = {
    .name = "Div",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE,
    .since = 7,
    .infer = sal_infer_arith,
    .eval = div_eval,
    .vjp = div_vjp,
    .cases = div_cases,
};
