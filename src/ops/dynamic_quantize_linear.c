/* DynamicQuantizeLinear: codes 0..255 with the scale and zero point that the tensor's own range
 * asks for:
 *   scale = (max(0, x) - min(0, x)) / 255,  zero = saturate(round(-min(0, x) / scale)),
 *   code = saturate(round(x / scale) + zero). Outputs: codes, scale, zero. */
#include "ops/core/quant.h"

#include <math.h>

static sal_status dynamic_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    if (x->dtype != SAL_DT_NONE && !sal_dtype_is_float(x->dtype))
        return sal_fail(c->err, SAL_EINVAL, "the input is %s; it must be a float",
                        sal_dtype_name(x->dtype));
    sal_status st = sal_infer_out(c, 0, SAL_U8, x->rank, x->dims);
    if (st == SAL_OK)
        st = sal_infer_out(c, 1, x->dtype, 0, NULL);
    return st == SAL_OK ? sal_infer_out(c, 2, SAL_U8, 0, NULL) : st;
}

static double dynamic_clamp(double v)
{
    return v > 0.0 ? (v < 255.0 ? v : 255.0) : 0.0;
}

static sal_status dynamic_eval(const sal_eval *e)
{
    const sal_tensor *x = e->in[0];
    bool narrow = x->dtype == SAL_F32; /* every step rounded to float32, as defined */
    double lo = 0.0, hi = 0.0;
    int64_t n = sal_tensor_count(x);
    for (int64_t i = 0; i < n; i++) {
        lo = fmin(lo, sal_tensor_get(x, i));
        hi = fmax(hi, sal_tensor_get(x, i));
    }
    double scale = narrow ? (double)(((float)hi - (float)lo) / 255.0f) : (hi - lo) / 255.0;
    scale = scale == 0.0 ? 1.0 : scale; /* all zeros: any scale does */
    double zero = rint(dynamic_clamp(narrow ? (double)(-(float)lo / (float)scale) : -lo / scale));
    for (int64_t i = 0; e->out[0] != NULL && i < n; i++) {
        double v = sal_tensor_get(x, i);
        v = narrow ? (double)((float)v / (float)scale) : v / scale;
        sal_tensor_set(e->out[0], i, dynamic_clamp(rint(v) + zero));
    }
    if (e->node->n_out > 1 && e->out[1] != NULL)
        sal_tensor_set(e->out[1], 0, scale);
    if (e->node->n_out > 2 && e->out[2] != NULL)
        sal_tensor_set(e->out[2], 0, zero);
    return SAL_OK;
}

static const char *const dynamic_cases[] = {
    "f32[2,3,4]:-3..3 ; ; out=3",
    "f32[7]:0.5..4 ; ; out=3",
    "f32[5]:-4..-1 ; ; out=3",
    "f32[3]{0} ; ; out=3",
    NULL,
};

const sal_op_desc sal_op_dynamic_quantize_linear = {
    .name = "DynamicQuantizeLinear",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 3,
    .flags = SAL_OP_NOGRAD,
    .since = 11,
    .infer = dynamic_infer,
    .eval = dynamic_eval,
    .cases = dynamic_cases,
};
