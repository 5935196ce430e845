/* ConvInteger: convolution of 8-bit codes less their zero points, as int32; padding has the value
 * of the zero point. In double precision the sums are exact. */
#include "ops/core/quant.h"

static sal_vid conv_integer_centred(sal_builder *b, const sal_node *n, int i)
{
    sal_vid x = sal_b_cast(b, n->in[i], SAL_F64), zero = sal_node_in(n, 2 + i);
    if (zero == SAL_NONE || b->st != SAL_OK)
        return x;
    zero = sal_b_cast(b, zero, SAL_F64);
    /* One for each output channel of the weights. */
    if (b->st == SAL_OK && i == 1 && sal_val(b->g, zero)->rank == 1 && sal_val(b->g, x)->rank > 1) {
        int64_t axes[SAL_MAX_RANK];
        int k = sal_val(b->g, x)->rank - 1;
        for (int d = 0; d < k; d++)
            axes[d] = d + 1;
        zero = sal_b_unsqueeze(b, zero, k, axes);
    }
    return sal_b2(b, "Sub", x, zero);
}

static sal_status conv_integer_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    sal_vid in[2] = {conv_integer_centred(b, n, 0), conv_integer_centred(b, n, 1)};
    out[0] = sal_b_cast(b, sal_b_op(b, "Conv", 2, in, n->n_attr, n->attr), SAL_I32);
    return b->st;
}

static const char *const conv_integer_cases[] = {
    "u8[1,2,4,4]:0..255 u8[3,2,2,2]:0..255 u8[]{7} u8[]{100} ; pads=[1,1,1,1]",
    "u8[2,2,5,4]:0..255 u8[2,1,3,2]:0..255 u8[]{128} ; group=2 strides=[2,1]",
    "u8[1,1,3,3]:0..255 u8[1,1,2,2]:0..255",
    NULL,
};

const sal_op_desc sal_op_conv_integer = {
    .name = "ConvInteger",
    .min_in = 2,
    .max_in = 4,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_COMPOSITE | SAL_OP_NOGRAD,
    .since = 10,
    .infer = sal_infer_expansion,
    .expand = conv_integer_expand,
    .cases = conv_integer_cases,
};
