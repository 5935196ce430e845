/* CastLike: Cast to the element type of the second input. */
#include "ops/core/elementwise.h"

static sal_status cast_like_upgrade(sal_upgrade *u)
{
    sal_vid like = sal_node_in(u->node, 1);
    sal_dtype to = like == SAL_NONE ? SAL_DT_NONE : sal_val(u->g, like)->dtype;
    sal_status st = SAL_OK;
    if (to == SAL_DT_NONE) /* told at run time: it stays what it is */
        return SAL_OK;
    SAL_TRY(sal_upgrade_set_int(u, "to", to));
    SAL_TRY(sal_upgrade_rename(u, "Cast"));
    u->node->n_in = 1;
done:
    return st;
}

static sal_status cast_like_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    return sal_infer_out(c, 0, sal_infer_in(c, 1)->dtype, x->rank, x->dims);
}

static sal_status cast_like_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    out[0] = sal_b_cast(b, n->in[0], sal_val(b->g, n->in[1])->dtype);
    return b->st;
}

static const char *const cast_like_cases[] = {
    "f32[2,3] f32[1]",
    "f32[2,3]:-5..5 i64[1]{1} ; ; nograd",
    "i64[3]{0,-1,300} f32[1] ; ; wrt=",
    "f32[3]{0.0,0.5,-1.0} bool[1] ; ; nograd",
    NULL,
};

const sal_op_desc sal_op_cast_like = {
    .name = "CastLike",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_COMPOSITE,
    .since = 15,
    .upgrade = cast_like_upgrade,
    .infer = cast_like_infer,
    .expand = cast_like_expand,
    .cases = cast_like_cases,
};
