/* Reshape: the same elements in the same order under another shape. 0 copies a dimension of the
 * input (unless allowzero), one -1 takes what is left. */
#include "ops/core/move.h"

#include <stdio.h>

static sal_status reshape_known(sal_infer *c, int rank)
{
    int64_t known[SAL_KNOWN_MAX];
    int n = -1;
    sal_status st = SAL_OK;
    if (rank > 1)
        return SAL_OK;
    SAL_TRY(sal_infer_known_in(c, 0, known, &n));
    SAL_TRY(sal_infer_known_out(c, 0, known, n));
done:
    return st;
}

/* A nameless unknown in the shape can be solved for like -1: whatever it is, it must fit the count.
 */
static int reshape_unknown_at(const sal_graph *g, int n, const int64_t *dims)
{
    int at = -1;
    for (int i = 0; i < n; i++) {
        if (!sal_move_is_unknown(g, dims[i]))
            continue;
        if (at >= 0)
            return -1;
        at = i;
    }
    return at;
}

static sal_status reshape_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0), *s = sal_infer_in(c, 1);
    bool allowzero = sal_node_int(c->node, "allowzero", 0) != 0, symbolic;
    int64_t dims[SAL_KNOWN_MAX];
    int n, infer_at = -1;
    sal_status st = SAL_OK;
    SAL_TRY(sal_infer_ints(c, 1, dims, SAL_KNOWN_MAX, &n, &symbolic));
    if (n < 0 && s->rank == 1 && s->dims[0] >= 0)
        return sal_move_out_unknown(c, (int)SAL_MIN(s->dims[0], (int64_t)INT32_MAX));
    if (n < 0)
        return sal_infer_out(c, 0, x->dtype, -1, NULL);
    if (n > SAL_MAX_RANK)
        return sal_fail(c->err, SAL_EUNSUPPORTED,
                        "a shape of %d dimensions; at most %d are possible", n, SAL_MAX_RANK);
    for (int i = 0; i < n; i++) {
        if (symbolic && !sal_known_is_number(dims[i]))
            continue;
        int64_t v = symbolic ? sal_known_decode(dims[i]) : dims[i];
        dims[i] = v;
        if (v == 0 && !allowzero) {
            if (x->rank >= 0 && i >= x->rank)
                return sal_fail(c->err, SAL_ESHAPE,
                                "shape element %d is 0 (copy), but the input has only %d "
                                "dimensions",
                                i, (int)x->rank);
            dims[i] = x->rank >= 0 ? x->dims[i] : sal_dim_fresh(c->g);
        } else if (v == -1 && infer_at < 0) {
            infer_at = i;
            dims[i] = 1;
        } else if (v < 0) {
            return sal_fail(c->err, SAL_ESHAPE, "shape element %d is %lld; only one -1 is allowed",
                            i, (long long)v);
        }
    }
    int at = infer_at >= 0 ? infer_at : reshape_unknown_at(c->g, n, dims);
    if (x->rank < 0) {
        if (infer_at >= 0)
            dims[infer_at] = sal_dim_fresh(c->g);
    } else if (at >= 0) {
        SAL_TRY(sal_move_solve(c->g, x->rank, x->dims, n, dims, at, &dims[at], c->err));
    } else {
        int64_t have = sal_value_count(x), want = 1;
        for (int i = 0; i < n && want >= 0; i++) {
            if (dims[i] < 0)
                want = -1;
            else if (__builtin_mul_overflow(want, dims[i], &want))
                want = INT64_MAX;
        }
        if (have >= 0 && want >= 0 && have != want)
            return sal_fail(c->err, SAL_ESHAPE, "%lld elements do not fit a shape of %lld",
                            (long long)have, (long long)want);
    }
    SAL_TRY(sal_infer_out(c, 0, x->dtype, n, dims));
    SAL_TRY(reshape_known(c, n));
done:
    return st;
}

static sal_status reshape_eval(const sal_eval *e)
{
    return sal_move_all(e->out[0], e->in[0], e->err);
}

static sal_status reshape_vjp(sal_vjp *v)
{
    if (v->need[0])
        v->gin[0] = sal_b_reshape_like(v->b, v->gout[0], v->node->in[0]);
    return v->b->st;
}

static const char *const reshape_cases[] = {
    "f32[2,3,4] i64[2]{6,4}",
    "f32[2,3,4] i64[3]{0,-1,2}",
    "f32[2,3,4] i64[1]{-1}",
    "f32[1,1] i64[0]{}",
    "f32[0,3] i64[2]{3,0} ; allowzero=1 ; nograd",
    "i64[2,3] i64[2]{3,-1} ; ; nograd",
    "u8[5] i64[2]{1,5} ; ; nograd",
    NULL,
};

const sal_op_desc sal_op_reshape = {
    .name = "Reshape",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_MOVE | SAL_OP_VIEW,
    .since = 14,
    .infer = reshape_infer,
    .eval = reshape_eval,
    .vjp = reshape_vjp,
    .cases = reshape_cases,
};
