/* FusedConv: activation(Conv(x, w, bias) + z). Inputs x, w, bias, z. */
#include "ops/core/ort.h"

static sal_status ort_fused_conv_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    static const char *const names[] = {"auto_pad", "dilations", "group", "kernel_shape",
                                        "pads",     "strides",   NULL};
    sal_attr a[SAL_ORT_ATTRS];
    const sal_attr *p = sal_node_attr(n, "activation_params");
    sal_vid in[3] = {n->in[0], n->in[1], sal_node_in(n, 2)}, z = sal_node_in(n, 3);
    sal_vid y = sal_b_op(b, "Conv", 3, in, sal_ort_attrs(n, names, a), a);
    if (z != SAL_NONE)
        y = sal_b2(b, "Add", y, z);
    bool given = p != NULL && p->kind == SAL_ATTR_FLOATS;
    out[0] = sal_ort_activation(b, n, y, sal_node_str(n, "activation", ""),
                                given ? p->floats : NULL, given ? p->n : 0);
    return b->st;
}

static const char *const ort_fused_conv_cases[] = {
    "f32[1,2,5,5] f32[3,2,3,3] f32[3] f32[1,3,5,5] ; pads=[1,1,1,1] "
    "activation=\"Relu\"",
    "f32[1,2,5,5] f32[3,2,3,3] f32[3] ; activation=\"LeakyRelu\" "
    "activation_params=[0.2]",
    "f32[1,2,5,5] f32[3,2,3,3] ; activation=\"Clip\" "
    "activation_params=[-0.2,0.6]",
    NULL,
};

const sal_op_desc sal_op_ort_fused_conv = {
    SAL_ORT_OP("FusedConv", 2, 4, 1),
    .expand = ort_fused_conv_expand,
    .cases = ort_fused_conv_cases,
};
