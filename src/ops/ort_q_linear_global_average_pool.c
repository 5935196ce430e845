/* QLinearGlobalAveragePool: mean of every channel of codes. Inputs x, scale, zero point, those of
 * y. */
#include "ops/core/ort.h"

static sal_status ort_q_linear_global_average_pool_expand(sal_builder *b, const sal_node *n,
                                                          sal_vid *out)
{
    int rank = sal_ort_rank(b, n, n->in[0]);
    int64_t axes[SAL_MAX_RANK];
    int last = sal_node_int(n, "channels_last", 0) != 0;
    for (int i = 2; i < rank; i++)
        axes[i - 2] = i - last;
    if (b->st == SAL_OK && rank < 3)
        return sal_ort_refuse(b, n, "an input of three or more axes is needed");
    sal_vid y = sal_b_reduce(b, "ReduceMean", sal_ort_real(b, n, 0, 0), rank - 2, axes, true);
    out[0] = sal_ort_codes(b, n, y, 3, n->in[0]);
    return b->st;
}

static const char *const ort_q_linear_global_average_pool_cases[] = {
    "u8[1,2,6,6]:0..255 f32[]{0.0213} u8[]{120} f32[]{0.0117} u8[]{100}",
    "u8[2,5,3,2]:0..255 f32[]{0.0213} u8[]{120} f32[]{0.0117} u8[]{100} ; channels_last=1",
    NULL,
};

const sal_op_desc sal_op_ort_q_linear_global_average_pool = {
    SAL_ORT_OP("QLinearGlobalAveragePool", 4, 5, 1),
    .expand = ort_q_linear_global_average_pool_expand,
    .cases = ort_q_linear_global_average_pool_cases,
};
