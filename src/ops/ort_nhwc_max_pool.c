/* NhwcMaxPool: MaxPool of a tensor whose channels stand last. */
#include "ops/core/ort.h"

static sal_status ort_nhwc_max_pool_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    static const char *const names[] = {"auto_pad", "ceil_mode", "dilations", "kernel_shape",
                                        "pads",     "strides",   NULL};
    sal_attr a[SAL_ORT_ATTRS];
    int64_t perm[SAL_MAX_RANK], back[SAL_MAX_RANK];
    int rank = sal_ort_rank(b, n, n->in[0]);
    if (b->st == SAL_OK && rank < 3)
        return sal_ort_refuse(b, n, "an input of three or more axes is needed");
    for (int i = 0; i < rank; i++) {
        perm[i] = i == 0 ? 0 : i == 1 ? rank - 1 : i - 1;
        back[i] = i == 0 ? 0 : i == rank - 1 ? 1 : i + 1;
    }
    sal_vid x = sal_b_transpose(b, n->in[0], perm);
    out[0] = sal_b_transpose(b, sal_b_op(b, "MaxPool", 1, &x, sal_ort_attrs(n, names, a), a), back);
    return b->st;
}

static const char *const ort_nhwc_max_pool_cases[] = {
    "u8[1,6,5,2]:0..255 ; kernel_shape=[3,2] strides=[2,1]",
    NULL,
};

const sal_op_desc sal_op_ort_nhwc_max_pool = {
    SAL_ORT_OP("NhwcMaxPool", 1, 1, 1),
    .expand = ort_nhwc_max_pool_expand,
    .cases = ort_nhwc_max_pool_cases,
};
