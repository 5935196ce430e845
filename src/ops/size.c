/* Size: the number of elements, as an int64 scalar. */
#include "ops/core/move.h"

static sal_status size_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    sal_status st;
    SAL_TRY(sal_infer_out(c, 0, SAL_I64, 0, NULL));
    if (x->rank >= 0) {
        int64_t n = sal_move_product(c->g, x->rank, x->dims);
        SAL_TRY(sal_infer_known_out(c, 0, &n, 1));
    }
done:
    return st;
}

static sal_status size_eval(const sal_eval *e)
{
    *(int64_t *)e->out[0]->data = sal_tensor_count(e->in[0]);
    return SAL_OK;
}

static const char *const size_cases[] = {
    "f32[2,3,4] ; ; nograd",
    "f32[] ; ; nograd",
    "f32[0,3] ; ; nograd",
    NULL,
};

const sal_op_desc sal_op_size = {
    .name = "Size",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_NOGRAD,
    .since = 13,
    .infer = size_infer,
    .eval = size_eval,
    .cases = size_cases,
};
