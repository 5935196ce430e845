/* Mul: a b. */
#include "ops/core/elementwise.h"

SAL_EW_BINARY(mul, a *b, sal_ew_wrap((uint64_t)a *(uint64_t)b), a *b)

static sal_status mul_vjp(sal_vjp *v)
{
    sal_builder *b = v->b;
    const sal_node *n = v->node;
    sal_vid g = v->gout[0];
    if (v->need[0])
        v->gin[0] = sal_b_sum_to(b, sal_b2(b, "Mul", g, n->in[1]), n->in[0]);
    if (v->need[1])
        v->gin[1] = sal_b_sum_to(b, sal_b2(b, "Mul", g, n->in[0]), n->in[1]);
    return b->st;
}

static const char *const mul_cases[] = {
    "f32[2,3,5] f32[2,3,5]",
    "f32[2,3,5] f32[3,1]",
    "f32[5] f32[2,3,1]",
    "f32[2,1,5] f32[1,3,1]",
    "f32[] f32[3,2]",
    "i64[2,3]{1,2,3,4,5,6} i64[3]{1,-2,3}",
    NULL,
};

const sal_op_desc sal_op_mul = {
    .name = "Mul",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE,
    .since = 7,
    .infer = sal_infer_arith,
    .eval = mul_eval,
    .vjp = mul_vjp,
    .cases = mul_cases,
};
