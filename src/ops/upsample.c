/* Upsample (until opset 9): Resize with asymmetric coordinates, rounded down. */
#include "ops/core/move.h"
#include "ops/upgrade.h"

static sal_status upsample_upgrade(sal_upgrade *u)
{
    sal_status st;
    SAL_TRY(sal_upgrade_attr_to_input(u, "scales", 1, SAL_F32)); /* an attribute before opset 9 */
    if (sal_node_in(u->node, 1) == SAL_NONE)
        return sal_fail(u->err, SAL_EFORMAT, "scales are missing");
    SAL_TRY(sal_upgrade_set_input(u, 2, u->node->in[1]));
    SAL_TRY(sal_upgrade_set_input(u, 1, SAL_NONE));
    if (strcmp(sal_node_str(u->node, "mode", "nearest"), "bilinear") ==
        0) /* written by old exporters */
        SAL_TRY(sal_upgrade_set_str(u, "mode", "linear"));
    SAL_TRY(sal_upgrade_set_str(u, "coordinate_transformation_mode", "asymmetric"));
    SAL_TRY(sal_upgrade_set_str(u, "nearest_mode", "floor"));
    SAL_TRY(sal_upgrade_rename(u, "Resize"));
done:
    return st;
}

static sal_vid upsample_build(sal_builder *b, const sal_node *n)
{
    sal_attr a[3] = {SAL_AS("coordinate_transformation_mode", "asymmetric"),
                     SAL_AS("nearest_mode", "floor")};
    const sal_attr *mode = sal_node_attr(n, "mode");
    sal_vid in[3] = {sal_node_in(n, 0), SAL_NONE, sal_node_in(n, 1)};
    if (mode != NULL)
        a[2] = *mode;
    return sal_b_op(b, "Resize", 3, in, mode != NULL ? 3 : 2, a);
}

static sal_status upsample_infer(sal_infer *c)
{
    /* the importer makes it a Resize; one that is left comes from no valid file */
    return sal_fail(c->err, SAL_EUNSUPPORTED, "removed in opset 10; use Resize");
}

static sal_status upsample_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    out[0] = upsample_build(b, n);
    return b->st;
}

const sal_op_desc sal_op_upsample = {
    .name = "Upsample",
    .min_in = 1,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_COMPOSITE,
    .since = 9,
    .upgrade = upsample_upgrade,
    .infer = upsample_infer,
    .expand = upsample_expand,
};
