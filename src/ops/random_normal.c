/* RandomNormal: independent draws from the normal distribution; the same ones at every run. */
#include "ops/core/random.h"

/* ONNX Runtime draws other numbers. */
static const char *const random_normal_cases[] = {
    "; shape=[2,3] seed=7.0 ; noort",
    "; shape=[4] mean=-2.0 scale=3.0 dtype=11 seed=1.0 ; noort",
    NULL,
};

const sal_op_desc sal_op_random_normal = {
    .name = "RandomNormal",
    .min_in = 0,
    .max_in = 0,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_NOGRAD,
    .since = 1,
    .upgrade = sal_random_upgrade,
    .infer = sal_random_infer_shape,
    .eval = sal_random_eval_normal,
    .cases = random_normal_cases,
};
