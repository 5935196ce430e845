/* Unsqueeze: insert axes of one element; `axes` count in the result. */
#include "ops/core/move.h"
#include "ops/upgrade.h"

static sal_status unsqueeze_upgrade(sal_upgrade *u)
{
    return sal_upgrade_attr_to_input(u, "axes", 1, SAL_F32); /* an attribute before opset 13 */
}

static sal_status unsqueeze_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0), *a = sal_infer_in(c, 1);
    int64_t axes[SAL_KNOWN_MAX], dims[SAL_MAX_RANK], known[SAL_KNOWN_MAX];
    bool fresh[SAL_MAX_RANK] = {false}, symbolic;
    int n, n_known;
    sal_status st = SAL_OK;
    SAL_TRY(sal_infer_ints(c, 1, axes, SAL_KNOWN_MAX, &n, &symbolic));
    if (x->rank >= 0 && n < 0 && a->rank == 1 && a->dims[0] >= 0 && a->dims[0] <= SAL_MAX_RANK)
        return sal_move_out_unknown(c, x->rank + (int)a->dims[0]);
    if (x->rank < 0 || n < 0 || symbolic)
        return sal_infer_out(c, 0, x->dtype, -1, NULL);
    int rank = x->rank + n;
    if (rank > SAL_MAX_RANK)
        return sal_fail(c->err, SAL_EUNSUPPORTED,
                        "a result with %d dimensions; at most %d are possible", rank, SAL_MAX_RANK);
    for (int i = 0; i < n; i++) {
        int k;
        SAL_TRY(sal_infer_axis(c, axes[i], rank, &k));
        if (fresh[k])
            return sal_fail(c->err, SAL_EINVAL, "axis %d is named twice", k);
        fresh[k] = true;
    }
    for (int i = 0, j = 0; i < rank; i++)
        dims[i] = fresh[i] ? 1 : x->dims[j++];
    SAL_TRY(sal_infer_out(c, 0, x->dtype, rank, dims));
    if (rank <= 1) {
        SAL_TRY(sal_infer_known_in(c, 0, known, &n_known));
        SAL_TRY(sal_infer_known_out(c, 0, known, n_known));
    }
done:
    return st;
}

static sal_status unsqueeze_eval(const sal_eval *e)
{
    return sal_move_all(e->out[0], e->in[0], e->err);
}

static sal_status unsqueeze_vjp(sal_vjp *v)
{
    if (v->need[0])
        v->gin[0] = sal_b_reshape_like(v->b, v->gout[0], v->node->in[0]);
    return v->b->st;
}

static const char *const unsqueeze_cases[] = {
    "f32[3,2] i64[1]{0}", "f32[3,2] i64[2]{-1,1}",       "f32[3,2] i64[2]{3,0}",
    "f32[] i64[1]{0}",    "i64[3] i64[1]{1} ; ; nograd", NULL,
};

const sal_op_desc sal_op_unsqueeze = {
    .name = "Unsqueeze",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_MOVE | SAL_OP_VIEW,
    .since = 13,
    .upgrade = unsqueeze_upgrade,
    .infer = unsqueeze_infer,
    .eval = unsqueeze_eval,
    .vjp = unsqueeze_vjp,
    .cases = unsqueeze_cases,
};
