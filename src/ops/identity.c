/* Identity: y = x. */
#include "ops/core/elementwise.h"

static sal_status identity_infer(sal_infer *c)
{
    int64_t known[SAL_KNOWN_MAX];
    int n;
    sal_status st;
    SAL_TRY(sal_infer_same(c));
    SAL_TRY(sal_infer_known_in(c, 0, known, &n));
    SAL_TRY(sal_infer_known_out(c, 0, known, n));
done:
    return st;
}

static sal_status identity_eval(const sal_eval *e)
{
    if (sal_tensor_bytes(e->in[0]) > 0)
        memcpy(e->out[0]->data, e->in[0]->data, sal_tensor_bytes(e->in[0]));
    return SAL_OK;
}

SAL_EW_VJP(identity, g)

static const char *const identity_cases[] = {
    "f32[2,3,5]",
    "i64[3]{1,2,3}",
    "bool[2,2]",
    NULL,
};

const sal_op_desc sal_op_identity = {
    .name = "Identity",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE | SAL_OP_MOVE | SAL_OP_VIEW | SAL_OP_PIECEWISE,
    .since = 1,
    .infer = identity_infer,
    .eval = identity_eval,
    .vjp = identity_vjp,
    .cases = identity_cases,
};
