/* TensorScatter: `update` written into past_cache along an axis, each row of the batch from its own
 * place on; circular: around the end. */
#include "ops/builder.h"
#include "ops/infer.h"

static sal_status tensor_scatter_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    const char *mode = sal_node_str(n, "mode", "linear");
    bool circular = strcmp(mode, "circular") == 0;
    const sal_value *x = sal_val(b->g, n->in[0]), *u = sal_val(b->g, n->in[1]);
    sal_infer c = {b->g, n, b->err};
    int axis = 0;
    int64_t axes[SAL_MAX_RANK], shape[SAL_MAX_RANK];
    int k = 0;
    if (x->rank < 2 || u->rank != x->rank || (!circular && strcmp(mode, "linear") != 0))
        return b->st =
                   sal_fail(b->err, SAL_ESHAPE,
                            "node %s: two inputs of one rank are needed, or no such mode", n->name);
    b->st = sal_infer_axis(&c, sal_node_int(n, "axis", -2), x->rank, &axis);
    for (int i = 0; i < x->rank && b->st == SAL_OK; i++) {
        shape[i] = i == 0 || i == axis ? 1 : u->dims[i];
        if (axis == 0 || x->dims[axis] < 1 || u->dims[axis] < 0 || (i > 0 && u->dims[i] < 0))
            b->st = sal_fail(b->err, SAL_ESHAPE,
                             "node %s: only the batch may have an unknown length", n->name);
    }
    if (b->st != SAL_OK)
        return b->st;
    /* index [batch, 1 .., sequence, 1 ..] = write_indices + 0, 1 .. */
    for (int i = axis + 1; i < x->rank; i++)
        axes[k++] = i - axis;
    sal_vid at =
        sal_b3(b, "Range", sal_b_scalar(b, SAL_I64, 0.0),
               sal_b_scalar(b, SAL_I64, (double)u->dims[axis]), sal_b_scalar(b, SAL_I64, 1.0));
    at = k > 0 ? sal_b_unsqueeze(b, at, k, axes) : at;
    if (sal_node_in(n, 2) != SAL_NONE) {
        for (k = 0; k < x->rank - 1; k++)
            axes[k] = k + 1;
        at = sal_b2(b, "Add", at, sal_b_unsqueeze(b, sal_b_cast(b, n->in[2], SAL_I64), k, axes));
    }
    if (circular)
        at = sal_b2(b, "Mod", at, sal_b_scalar(b, SAL_I64, (double)x->dims[axis]));
    sal_vid batch = sal_b_slice(b, sal_b_shape_of(b, n->in[1]), 0, 0, 1, 1);
    sal_vid rest = sal_b_ints(b, shape + 1, x->rank - 1);
    sal_vid index = sal_b2(b, "Expand", at, sal_b_concat(b, 2, (sal_vid[]){batch, rest}, 0));
    sal_attr a = SAL_AI("axis", axis);
    out[0] = sal_b_op(b, "ScatterElements", 3, (sal_vid[]){n->in[0], index, n->in[1]}, 1, &a);
    return b->st;
}

static const char *const tensor_scatter_cases[] = {
    "f32[2,3,5,4] f32[2,3,2,4] i64[2]{1,3}",
    "f32[2,4,3] f32[2,2,3] i64[2]{3,1} ; mode=\"circular\"",
    "f32[1,4,3] f32[1,2,3] ; axis=1",
    NULL,
};

const sal_op_desc sal_op_tensor_scatter = {
    .name = "TensorScatter",
    .min_in = 2,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_COMPOSITE,
    .since = 24,
    .alike = 1 << 1,
    .infer = sal_infer_expansion,
    .expand = tensor_scatter_expand,
    .cases = tensor_scatter_cases,
};
