/* RandomNormalLike: RandomNormal in the shape of the input, of which nothing else is read. */
#include "ops/core/random.h"

/* ONNX Runtime draws other numbers. */
static const char *const random_normal_like_cases[] = {
    "f32[2,3] ; seed=7.0 ; noort",
    "i64[4] ; mean=-2.0 scale=3.0 dtype=11 ; noort",
    NULL,
};

const sal_op_desc sal_op_random_normal_like = {
    .name = "RandomNormalLike",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_NOGRAD,
    .since = 1,
    .upgrade = sal_random_upgrade,
    .infer = sal_random_infer_like,
    .eval = sal_random_eval_normal,
    .cases = random_normal_like_cases,
};
