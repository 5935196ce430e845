/* Negative log likelihood as graph nodes (ops/core/loss.h). */
#include "ops/core/loss.h"

static sal_status loss_check(const sal_infer *c, const sal_value *x, const sal_value *t)
{
    const sal_value *w = sal_infer_in(c, 2);
    if (x->rank >= 0 && x->rank < 2)
        return sal_fail(c->err, SAL_ESHAPE, "the input must have at least 2 dimensions");
    if (t->dtype != SAL_DT_NONE && t->dtype != SAL_I32 && t->dtype != SAL_I64)
        return sal_fail(c->err, SAL_EINVAL, "the targets must be int32 or int64");
    if (x->rank >= 0 && t->rank >= 0 && t->rank != x->rank - 1)
        return sal_fail(c->err, SAL_ESHAPE, "targets of rank %d for an input of rank %d",
                        (int)t->rank, (int)x->rank);
    for (int i = 0; i < t->rank && x->rank >= 0; i++) {
        int64_t want = x->dims[i == 0 ? 0 : i + 1];
        if (want >= 0 && t->dims[i] >= 0 && t->dims[i] != want)
            return sal_fail(c->err, SAL_ESHAPE, "axis %d of the targets has length %lld, not %lld",
                            i, (long long)t->dims[i], (long long)want);
    }
    if (w != NULL && w->rank >= 0 &&
        (w->rank != 1 ||
         (x->rank > 1 && w->dims[0] >= 0 && x->dims[1] >= 0 && w->dims[0] != x->dims[1])))
        return sal_fail(c->err, SAL_ESHAPE, "one weight a class is wanted");
    return SAL_OK;
}

sal_status sal_loss_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0), *t = sal_infer_in(c, 1);
    const char *how = sal_node_str(c->node, "reduction", "mean");
    bool none = strcmp(how, "none") == 0;
    sal_status st;
    if (!none && strcmp(how, "mean") != 0 && strcmp(how, "sum") != 0)
        return sal_fail(c->err, SAL_EINVAL, "reduction '%s' is none of none, mean and sum", how);
    if (x->dtype != SAL_DT_NONE && !sal_dtype_is_float(x->dtype))
        return sal_fail(c->err, SAL_EINVAL, "input 0 must be a float");
    SAL_TRY(loss_check(c, x, t));
    SAL_TRY(sal_infer_out(c, 0, x->dtype, none ? t->rank : 0, t->dims));
done:
    return st;
}

sal_vid sal_loss_build(sal_builder *b, const sal_node *n, sal_vid log_prob)
{
    static const int64_t one = 1;
    const sal_attr *ignore = sal_node_attr(n, "ignore_index");
    const char *how = sal_node_str(n, "reduction", "mean");
    sal_vid t = n->in[1], w = sal_node_in(n, 2), kept = SAL_NONE;
    sal_attr axis1 = SAL_AI("axis", 1), axis0 = SAL_AI("axis", 0);
    if (ignore != NULL) { /* ignored elements look at class 0, which exists */
        sal_vid none = sal_b2(b, "Equal", t, sal_b_like(b, t, (double)ignore->i));
        t = sal_b3(b, "Where", none, sal_b_like(b, t, 0.0), t);
        kept = sal_b1(b, "Not", none);
    }
    sal_vid at = sal_b_unsqueeze(b, t, 1, &one);
    sal_vid loss = sal_b_op(b, "GatherElements", 2, (sal_vid[]){log_prob, at}, 1, &axis1);
    loss = sal_b1(b, "Neg", sal_b_squeeze(b, loss, 1, &one));
    if (w != SAL_NONE)
        w = sal_b_op(b, "Gather", 2, (sal_vid[]){w, t}, 1, &axis0);
    if (w != SAL_NONE && kept != SAL_NONE)
        w = sal_b_mask(b, kept, w);
    else if (kept != SAL_NONE)
        w = sal_b_cast(b, kept, sal_val(b->g, n->in[0])->dtype);
    if (w != SAL_NONE)
        loss = sal_b2(b, "Mul", loss, w);
    if (strcmp(how, "none") == 0)
        return loss;
    if (strcmp(how, "mean") == 0 && w == SAL_NONE)
        return sal_b_reduce(b, "ReduceMean", loss, 0, NULL, false);
    sal_vid sum = sal_b_reduce(b, "ReduceSum", loss, 0, NULL, false);
    if (strcmp(how, "sum") == 0)
        return sum;
    return sal_b2(b, "Div", sum, sal_b_reduce(b, "ReduceSum", w, 0, NULL, false));
}
