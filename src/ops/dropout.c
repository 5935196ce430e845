/* Dropout: the identity; a model that is explained is in inference mode, whatever training_mode
 * says. The mask, when it is wanted, is all true. */
#include "ops/core/elementwise.h"

/* ratio was an attribute until opset 11 and has no effect here. A node without a mask becomes an
 * Identity. */
static sal_status dropout_upgrade(sal_upgrade *u)
{
    sal_status st;
    SAL_TRY(sal_upgrade_drop(u, "ratio"));
    SAL_TRY(sal_upgrade_drop(u, "seed"));
    u->node->n_in = SAL_MIN(u->node->n_in, 1);
    if (sal_node_out(u->node, 1) == SAL_NONE) {
        u->node->n_out = SAL_MIN(u->node->n_out, 1);
        SAL_TRY(sal_upgrade_rename(u, "Identity"));
    }
done:
    return st;
}

static sal_status dropout_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    sal_status st;
    SAL_TRY(sal_infer_same(c));
    SAL_TRY(sal_infer_out(c, 1, SAL_BOOL, x->rank, x->dims));
done:
    return st;
}

static sal_status dropout_eval(const sal_eval *e)
{
    const sal_tensor *x = e->in[0];
    if (sal_tensor_count(x) == 0)
        return SAL_OK;
    if (e->out[0] != NULL)
        memcpy(e->out[0]->data, x->data, sal_tensor_bytes(x));
    if (e->node->n_out > 1 && e->out[1] != NULL)
        memset(e->out[1]->data, 1, (size_t)sal_tensor_count(x));
    return SAL_OK;
}

SAL_EW_VJP(dropout, g)

static const char *const dropout_cases[] = {
    "f32[2,3,5]",
    "f32[2,3] ; ; out=2",
    NULL,
};

const sal_op_desc sal_op_dropout = {
    .name = "Dropout",
    .min_in = 1,
    .max_in = 3,
    .min_out = 1,
    .max_out = 2,
    .flags = SAL_OP_ELEMENTWISE | SAL_OP_MOVE,
    .since = 12,
    .upgrade = dropout_upgrade,
    .infer = dropout_infer,
    .eval = dropout_eval,
    .vjp = dropout_vjp,
    .cases = dropout_cases,
};
