/* Squeeze: drop axes of one element; without `axes` all of them. */
#include "ops/core/move.h"
#include "ops/upgrade.h"

static sal_status squeeze_upgrade(sal_upgrade *u)
{
    return sal_upgrade_attr_to_input(u, "axes", 1, SAL_F32); /* an attribute before opset 13 */
}

static sal_status squeeze_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0), *a = sal_infer_in(c, 1);
    int64_t axes[SAL_KNOWN_MAX], dims[SAL_MAX_RANK], known[SAL_KNOWN_MAX];
    bool drop[SAL_MAX_RANK] = {false}, symbolic = false;
    int n = 0, rank = 0, n_known;
    sal_status st = SAL_OK;
    if (a != NULL)
        SAL_TRY(sal_infer_ints(c, 1, axes, SAL_KNOWN_MAX, &n, &symbolic));
    if (x->rank < 0 || n < 0 || symbolic) {
        if (n >= 0 && a != NULL && x->rank >= 0 && !symbolic)
            return sal_move_out_unknown(c, x->rank - n);
        return sal_infer_out(c, 0, x->dtype, -1, NULL);
    }
    for (int i = 0; i < n; i++) {
        int k;
        SAL_TRY(sal_infer_axis(c, axes[i], x->rank, &k));
        if (x->dims[k] >= 0 && x->dims[k] != 1)
            return sal_fail(c->err, SAL_ESHAPE,
                            "axis %d has %lld elements; only axes of 1 can be dropped", k,
                            (long long)x->dims[k]);
        drop[k] = true;
    }
    for (int i = 0; i < x->rank; i++) {
        /* Without `axes` a named dimension is taken to differ from 1. */
        if (drop[i] || (a == NULL && x->dims[i] == 1))
            continue;
        dims[rank++] = x->dims[i];
    }
    SAL_TRY(sal_infer_out(c, 0, x->dtype, rank, dims));
    SAL_TRY(sal_infer_known_in(c, 0, known, &n_known));
    SAL_TRY(sal_infer_known_out(c, 0, known, n_known));
done:
    return st;
}

static sal_status squeeze_eval(const sal_eval *e)
{
    return sal_move_all(e->out[0], e->in[0], e->err);
}

static sal_status squeeze_vjp(sal_vjp *v)
{
    if (v->need[0])
        v->gin[0] = sal_b_reshape_like(v->b, v->gout[0], v->node->in[0]);
    return v->b->st;
}

static const char *const squeeze_cases[] = {
    "f32[1,3,1,2] i64[1]{0}",
    "f32[1,3,1,2] i64[2]{-2,0}",
    "f32[1,3,1,2]",
    "f32[1,1]",
    "bool[2,1,3] i64[1]{1} ; ; nograd",
    NULL,
};

const sal_op_desc sal_op_squeeze = {
    .name = "Squeeze",
    .min_in = 1,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_MOVE | SAL_OP_VIEW,
    .since = 13,
    .upgrade = squeeze_upgrade,
    .infer = squeeze_infer,
    .eval = squeeze_eval,
    .vjp = squeeze_vjp,
    .cases = squeeze_cases,
};
