/* QuantizeLinear: code = saturate(round(x / scale) + zero), halves rounded to even. */
#include "ops/core/quant.h"

#include <math.h>

static sal_status quantize_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0), *z = sal_infer_in(c, 2);
    int64_t to = sal_node_int(c->node, "output_dtype", 0);
    double lo, hi;
    sal_dtype dtype = z != NULL ? z->dtype : to != 0 ? (sal_dtype)to : SAL_U8;
    sal_status st = sal_quant_check(c);
    if (st != SAL_OK)
        return st;
    if (x->dtype != SAL_DT_NONE && !sal_dtype_is_float(x->dtype) && x->dtype != SAL_I32)
        return sal_fail(c->err, SAL_EINVAL, "the input is %s; it must be a float or int32",
                        sal_dtype_name(x->dtype));
    if (to < 0 || to > 64 || (dtype != SAL_DT_NONE && !sal_quant_range(dtype, &lo, &hi)))
        return sal_fail(c->err, SAL_EUNSUPPORTED,
                        "codes of type %s: 8-bit, 16-bit and 32-bit integers are supported",
                        to < 0 || to > 64 ? "unknown" : sal_dtype_name(dtype));
    return sal_infer_out(c, 0, dtype, x->rank, x->dims);
}

static sal_status quantize_eval(const sal_eval *e)
{
    const sal_tensor *x = e->in[0], *zero = e->node->n_in > 2 ? e->in[2] : NULL;
    sal_quant q;
    double lo = 0.0, hi = 0.0;
    sal_status st = sal_quant_of(&q, e->node, x, e->in[1], zero, e->err);
    if (st != SAL_OK)
        return st;
    (void)sal_quant_range(e->out[0]->dtype, &lo, &hi);
    bool narrow = x->dtype == SAL_F32 && q.scale->dtype == SAL_F32;
    for (int64_t o = 0, k = 0; o < q.outer; o++)
        for (int64_t d = 0; d < q.len; d++)
            for (int64_t i = 0; i < q.inner; i++, k++) {
                int64_t at = sal_quant_at(&q, o, d, i);
                double v = sal_tensor_get(x, k), s = sal_tensor_get(q.scale, at);
                /* The quotient is rounded to the operands' type first: it decides where halves
                 * are. */
                v = narrow ? (double)((float)v / (float)s) : v / s;
                v = rint(v) + (zero != NULL ? sal_tensor_get(zero, at) : 0.0);
                sal_tensor_set(e->out[0], k, v < lo ? lo : v > hi ? hi : v);
            }
    return SAL_OK;
}

static const char *const quantize_cases[] = {
    "f32[2,3,4]:-3..3 f32[]{0.02} u8[]{128}",
    "f32[2,3,4]:-3..3 f32[]{0.03} i8[]{-5}",
    "f32[7]{0.5,1.5,2.5,-0.5,-1.5,300,-300} f32[]{1} i8[]{0}",
    "f32[2,3]:-3..3 f32[1]{0.1}",
    "f32[2,3,4]:-3..3 f32[3]{0.02,0.05,0.01} u8[3]{0,128,255} ; axis=1",
    "f32[3,2]:-3..3 f32[2]{0.02,0.05} i8[2]{1,-1} ; axis=-1",
    "f32[2,3]:-3..3 f32[]{0.001} u16[]{30000}",
    "f32[2,3]:-3..3 f32[]{0.001} i16[]{-100}",
    "f32[2,6]:-3..3 f32[2,3]:0.1..0.2 i8[2,3]:-4..4 ; axis=1 block_size=2",
    "f32[5,2]:-3..3 f32[2,2]:0.1..0.2 u8[2,2]:9..20 ; axis=0 block_size=3",
    /* The checker of the onnx package wants the scale to be int32 as well. */
    "i32[4]{1,-20,30,400} f32[]{2.0} i8[]{3} ; ; noort",
    "f32[4]:-3..3 f32[]{0.02} ; output_dtype=3",
    NULL,
};

const sal_op_desc sal_op_quantize_linear = {
    .name = "QuantizeLinear",
    .min_in = 2,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_NOGRAD,
    .since = 21,
    .infer = quantize_infer,
    .eval = quantize_eval,
    .cases = quantize_cases,
};
