/* Bernoulli: 1 with the probability that the input holds, else 0; the same draws at every run. A
 * draw is a step function of the probability: no gradient. */
#include "ops/core/random.h"

static sal_status bernoulli_eval(const sal_eval *e)
{
    sal_rng r = sal_random_of(e->node);
    int64_t n = sal_tensor_count(e->out[0]);
    for (int64_t i = 0; i < n; i++)
        sal_tensor_set(e->out[0], i, sal_rng_uniform(&r) < sal_tensor_get(e->in[0], i) ? 1.0 : 0.0);
    return SAL_OK;
}

/* ONNX Runtime 1.32 draws other numbers, and 1 with the probability 1 - p. */
static const char *const bernoulli_cases[] = {
    "f32[2,3]:0..1 ; seed=3.0 ; noort",
    "f32[5]{0.0,1.0,0.0,1.0,1.0} ; dtype=7 ; noort",
    NULL,
};

const sal_op_desc sal_op_bernoulli = {
    .name = "Bernoulli",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_NOGRAD,
    .since = 15,
    .upgrade = sal_random_upgrade,
    .infer = sal_random_infer_like,
    .eval = bernoulli_eval,
    .cases = bernoulli_cases,
};
