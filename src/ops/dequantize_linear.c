/* DequantizeLinear: y = (code - zero) * scale. */
#include "ops/core/quant.h"

static sal_status dequantize_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0), *s = sal_infer_in(c, 1), *z = sal_infer_in(c, 2);
    int64_t to = sal_node_int(c->node, "output_dtype", 0);
    double lo, hi;
    sal_status st = sal_quant_check(c);
    if (st != SAL_OK)
        return st;
    if (x->dtype != SAL_DT_NONE && !sal_quant_range(x->dtype, &lo, &hi))
        return sal_fail(c->err, SAL_EUNSUPPORTED,
                        "codes of type %s: 8-bit, 16-bit and 32-bit integers are supported",
                        sal_dtype_name(x->dtype));
    if (z != NULL && z->dtype != x->dtype && z->dtype != SAL_DT_NONE && x->dtype != SAL_DT_NONE)
        return sal_fail(c->err, SAL_EINVAL, "codes are %s but their zero point is %s",
                        sal_dtype_name(x->dtype), sal_dtype_name(z->dtype));
    if (to != 0 && (to < 0 || to > 64 || !sal_dtype_is_float((sal_dtype)to)))
        return sal_fail(c->err, SAL_EUNSUPPORTED, "output_dtype %lld is no float", (long long)to);
    return sal_infer_out(c, 0, to != 0 ? (sal_dtype)to : s->dtype, x->rank, x->dims);
}

static sal_status dequantize_eval(const sal_eval *e)
{
    const sal_tensor *x = e->in[0], *zero = e->node->n_in > 2 ? e->in[2] : NULL;
    sal_quant q;
    sal_status st = sal_quant_of(&q, e->node, x, e->in[1], zero, e->err);
    if (st != SAL_OK)
        return st;
    for (int64_t o = 0, k = 0; o < q.outer; o++)
        for (int64_t d = 0; d < q.len; d++)
            for (int64_t i = 0; i < q.inner; i++, k++) {
                int64_t at = sal_quant_at(&q, o, d, i);
                double z = zero != NULL ? sal_tensor_get(zero, at) : 0.0;
                sal_tensor_set(e->out[0], k,
                               (sal_tensor_get(x, k) - z) * sal_tensor_get(q.scale, at));
            }
    return SAL_OK;
}

static const char *const dequantize_cases[] = {
    "u8[2,3,4]:0..255 f32[]{0.02} u8[]{128}",
    "i8[2,3]:-128..127 f32[]{0.03} i8[]{-5}",
    "i8[2,3]:-128..127 f32[1]{0.1}",
    "u8[2,3,4]:0..255 f32[3]{0.02,0.05,0.01} u8[3]{0,128,255} ; axis=1",
    "i8[3,2]:-128..127 f32[2]{0.02,0.05} i8[2]{1,-1} ; axis=-1",
    "u16[2,3]:0..65535 f32[]{0.001} u16[]{30000}",
    "i16[2,3]:-32768..32767 f32[]{0.001} i16[]{-100}",
    "i32[4]{1,-200000,30,400} f32[]{0.002}",
    "i8[2,6]:-128..127 f32[2,3]:0.1..0.2 i8[2,3]:-4..4 ; axis=1 block_size=2",
    "u8[5,2]:0..255 f32[2,2]:0.1..0.2 u8[2,2]:9..20 ; axis=0 block_size=3",
    NULL,
};

const sal_op_desc sal_op_dequantize_linear = {
    .name = "DequantizeLinear",
    .min_in = 2,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_NOGRAD,
    .since = 21,
    .infer = dequantize_infer,
    .eval = dequantize_eval,
    .cases = dequantize_cases,
};
