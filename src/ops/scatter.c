/* Scatter (opsets 9 and 10): the older name of ScatterElements. */
#include "ops/core/move.h"
#include "ops/upgrade.h"

static sal_status scatter_upgrade(sal_upgrade *u)
{
    return sal_upgrade_rename(u, "ScatterElements");
}

static sal_status scatter_infer(sal_infer *c)
{
    return sal_infer_out_like(c, 0, 0);
}

static sal_status scatter_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    const sal_attr *axis = sal_node_attr(n, "axis");
    out[0] = sal_b_op(b, "ScatterElements", n->n_in, n->in, axis != NULL, axis);
    return b->st;
}

const sal_op_desc sal_op_scatter = {
    .name = "Scatter",
    .min_in = 3,
    .max_in = 3,
    .alike = 1 << 2,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_COMPOSITE,
    .since = 9,
    .upgrade = scatter_upgrade,
    .infer = scatter_infer,
    .expand = scatter_expand,
};
