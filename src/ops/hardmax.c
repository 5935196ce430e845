/* Hardmax: 1 at the first maximum along an axis, 0 elsewhere; flat between the jumps. */
#include "ops/core/reduce.h"

/* Before opset 13 the input was seen as a matrix, rows up to `axis` (default 1), with a single 1 a
 * row. That is the same when all axes after it have length 1. */
static sal_status hardmax_upgrade(sal_upgrade *u)
{
    sal_vid in = sal_node_in(u->node, 0);
    if (u->opset >= 13 || in == SAL_NONE)
        return SAL_OK;
    const sal_value *x = sal_val(u->g, in);
    int64_t axis = sal_node_int(u->node, "axis", 1);
    if (axis < 0 && x->rank >= 0)
        axis += x->rank;
    bool plain = x->rank >= 0 && axis >= 0 && axis < x->rank;
    for (int64_t d = axis + 1; plain && d < x->rank; d++)
        plain = x->dims[d] == 1;
    if (!plain)
        return sal_fail(u->err, SAL_EUNSUPPORTED,
                        "before opset 13 over several axes at once; convert the model to opset 13");
    return sal_upgrade_set_int(u, "axis", axis);
}

static sal_status hardmax_eval(const sal_eval *e)
{
    const sal_tensor *x = e->in[0];
    sal_lines l;
    sal_status st;
    SAL_TRY(sal_lines_of(&l, x, sal_node_int(e->node, "axis", -1), e->err));
    for (int64_t line = 0; line < l.outer * l.inner && l.len > 0; line++) {
        int64_t first = line / l.inner * l.len * l.inner + line % l.inner, best = first;
        for (int64_t k = 1; k < l.len; k++)
            if (sal_tensor_get(x, first + k * l.inner) > sal_tensor_get(x, best))
                best = first + k * l.inner;
        sal_tensor_set(e->out[0], best, 1.0);
    }
done:
    return st;
}

static const char *const hardmax_cases[] = {
    "f32[2,3,5]", "f32[2,3,5] ; axis=1", "f32[2,4]{3,0,3,2,1,1,1,1} ; axis=-1", "f32[7] ; axis=0",
    NULL,
};

const sal_op_desc sal_op_hardmax = {
    .name = "Hardmax",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_NOGRAD,
    .since = 13,
    .upgrade = hardmax_upgrade,
    .infer = sal_infer_softmax,
    .eval = hardmax_eval,
    .cases = hardmax_cases,
};
