/* Where: x where the condition holds, else y, all broadcast. */
#include "ops/core/elementwise.h"

static sal_status where_known(sal_infer *c)
{
    int64_t in[3][SAL_KNOWN_MAX], r[SAL_KNOWN_MAX];
    int n[3], len = 1;
    sal_status st;
    for (int i = 0; i < 3; i++) {
        SAL_TRY(sal_infer_known_in(c, i, in[i], &n[i]));
        if (n[i] < 0 || (n[i] != 1 && len != 1 && n[i] != len))
            goto done;
        len = n[i] == 1 ? len : n[i];
    }
    for (int k = 0; k < len; k++) {
        int64_t cond = in[0][n[0] == 1 ? 0 : k];
        int pick = cond != 0 ? 1 : 2;
        r[k] = in[pick][n[pick] == 1 ? 0 : k];
    }
    SAL_TRY(sal_infer_known_out(c, 0, r, len));
done:
    return st;
}

static sal_status where_infer(sal_infer *c)
{
    const sal_value *cond = sal_infer_in(c, 0), *x = sal_infer_in(c, 1), *y = sal_infer_in(c, 2);
    int64_t dims[SAL_MAX_RANK];
    int rank;
    sal_status st;
    if (cond == NULL || x == NULL || y == NULL)
        return sal_fail(c->err, SAL_EINVAL, "three inputs are needed");
    SAL_TRY(sal_infer_same_dtype(c, 1, 2));
    if (cond->rank < 0 || x->rank < 0 || y->rank < 0)
        return sal_infer_out(c, 0, x->dtype, -1, NULL);
    SAL_TRY(
        sal_infer_broadcast_dims(c->g, x->rank, x->dims, y->rank, y->dims, &rank, dims, c->err));
    SAL_TRY(
        sal_infer_broadcast_dims(c->g, cond->rank, cond->dims, rank, dims, &rank, dims, c->err));
    SAL_TRY(sal_infer_out(c, 0, x->dtype, rank, dims));
    SAL_TRY(where_known(c));
done:
    return st;
}

#define WHERE_KERNEL(name, type)                                                                   \
    static type name(const type *in, int n, const void *ctx)                                       \
    {                                                                                              \
        (void)n;                                                                                   \
        (void)ctx;                                                                                 \
        return in[0] != 0 ? in[1] : in[2];                                                         \
    }
WHERE_KERNEL(where_f, double)
WHERE_KERNEL(where_i, int64_t)
WHERE_KERNEL(where_u, uint64_t)

static sal_status where_eval(const sal_eval *e)
{
    static const sal_ew k = {where_f, where_i, where_u};
    return sal_ew_eval(e, 3, &k, NULL);
}

static sal_status where_vjp(sal_vjp *v)
{
    sal_builder *b = v->b;
    const sal_node *n = v->node;
    sal_vid g = v->gout[0];
    sal_vid cond = n->in[0];
    if (v->need[1])
        v->gin[1] = sal_b_sum_to(b, sal_b_mask(b, cond, g), n->in[1]);
    if (v->need[2])
        v->gin[2] = sal_b_sum_to(b, sal_b3(b, "Where", cond, sal_b_like(b, g, 0.0), g), n->in[2]);
    return b->st;
}

static const char *const where_cases[] = {
    "bool[2,3,5] f32[2,3,5] f32[2,3,5]",
    "bool[3,1] f32[5] f32[2,1,1]",
    "bool[2,3] f32[] f32[3]",
    "bool[4] i64[4]{1,2,3,4} i64[]{-1}",
    NULL,
};

const sal_op_desc sal_op_where = {
    .name = "Where",
    .min_in = 3,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE,
    .since = 9,
    .infer = where_infer,
    .eval = where_eval,
    .vjp = where_vjp,
    .cases = where_cases,
};
