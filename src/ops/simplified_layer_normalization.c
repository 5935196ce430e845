/* SimplifiedLayerNormalization: the name under which ONNX Runtime wrote RMSNormalization into
 * ONNX's domain before ONNX had it. Becomes that when it is read. */
#include "ops/builder.h"
#include "ops/infer.h"
#include "ops/upgrade.h"

static sal_status simplified_upgrade(sal_upgrade *u)
{
    if (sal_node_out(u->node, 1) != SAL_NONE)
        return sal_fail(u->err, SAL_EUNSUPPORTED,
                        "the second output of SimplifiedLayerNormalization is not supported");
    u->node->n_out = 1;
    return sal_upgrade_rename(u, "RMSNormalization");
}

static sal_status simplified_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    out[0] = sal_b_op(b, "RMSNormalization", 2, n->in, n->n_attr, n->attr);
    return b->st;
}

const sal_op_desc sal_op_simplified_layer_normalization = {
    .name = "SimplifiedLayerNormalization",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 2,
    .flags = SAL_OP_COMPOSITE,
    .since = 1,
    .upgrade = simplified_upgrade,
    .infer = sal_infer_expansion,
    .expand = simplified_expand,
};
