/* Relu: y = max(x, 0), of signed integers too. The mask comes from the output, so that the executor
 * need not keep the input. */
#include "ops/core/elementwise.h"

SAL_EW_UNARY(relu, a > 0.0 || isnan(a) ? a : 0.0, a > 0 ? a : 0, a)

SAL_EW_VJP(relu, sal_b_mask(b, sal_b2(b, "Greater", y, sal_b_like(b, y, 0.0)), g))

static const char *const relu_cases[] = {
    "f32[2,3,5]",
    "f32[3,4]:0.1..1",
    "i32[4]{-3,0,5,16777217} ; ; noort",     /* written as opset 13, which has floats only */
    "i64[2]{9007199254740993,-1} ; ; noort", /* ONNX Runtime has no kernel for it */
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
    .infer = sal_infer_same,
    .eval = relu_eval,
    .vjp = relu_vjp,
    .cases = relu_cases,
};
