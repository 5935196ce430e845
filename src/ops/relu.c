/* Relu: y = max(x, 0). The mask comes from the output, so that the executor need not keep the
 * input. */
#include "ops/core/elementwise.h"

SAL_EW_FLOAT(relu, x > 0.0 || isnan(x) ? x : 0.0)

SAL_EW_VJP(relu, sal_b_mask(b, sal_b2(b, "Greater", y, sal_b_like(b, y, 0.0)), g))

static const char *const relu_cases[] = {
    "f32[2,3,5]",
    "f32[3,4]:0.1..1",
    NULL,
};

const sal_op_desc sal_op_relu = {
    .name = "Relu",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE | SAL_OP_PIECEWISE,
    .since = 6,
    .infer = sal_infer_float,
    .eval = relu_eval,
    .vjp = relu_vjp,
    .cases = relu_cases,
};
