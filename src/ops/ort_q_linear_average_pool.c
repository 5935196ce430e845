/* QLinearAveragePool: average pooling of codes. Inputs x, scale, zero point, those of y. */
#include "ops/core/ort.h"

static sal_status ort_q_linear_average_pool_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    static const char *const names[] = {
        "auto_pad", "ceil_mode", "count_include_pad", "kernel_shape", "pads", "strides", NULL};
    sal_attr a[SAL_ORT_ATTRS];
    if (sal_node_int(n, "channels_last", 0) != 0)
        return sal_ort_refuse(b, n, "channels_last is not supported");
    sal_vid x = sal_ort_real(b, n, 0, 0);
    sal_vid y = sal_b_op(b, "AveragePool", 1, &x, sal_ort_attrs(n, names, a), a);
    out[0] = sal_ort_codes(b, n, y, 3, n->in[0]);
    return b->st;
}

static const char *const ort_q_linear_average_pool_cases[] = {
    "u8[1,2,6,6]:0..255 f32[]{0.0213} u8[]{120} f32[]{0.0117} u8[]{100} ; kernel_shape=[3,3] "
    "strides=[2,2] pads=[1,1,1,1]",
    NULL,
};

const sal_op_desc sal_op_ort_q_linear_average_pool = {
    SAL_ORT_OP("QLinearAveragePool", 4, 5, 1),
    .expand = ort_q_linear_average_pool_expand,
    .cases = ort_q_linear_average_pool_cases,
};
