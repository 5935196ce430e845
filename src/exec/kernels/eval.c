/* Any node by its evaluator, on row-major tensors. */
#include "exec/plan.h"

#include "ops/core/evaluate.h"

#include <stdio.h>

typedef struct eval_state {
    const sal_node *node;
    const sal_tensor **in;
    sal_tensor **out;
    sal_tensor *store;
} eval_state;

static void eval_free(void *state)
{
    eval_state *e = state;
    if (e == NULL)
        return;
    sal_free(e->in);
    sal_free(e->out);
    sal_free(e->store);
    sal_free(e);
}

static sal_status eval_run(sal_step *step, sal_session *s, sal_error *err)
{
    eval_state *e = step->state;
    int k = 0;
    for (int i = 0; i < e->node->n_in; i++)
        if (e->in[i] != NULL)
            e->store[i].data = sal_step_ptr(s, step->in[k++]);
    k = 0;
    for (int i = 0; i < e->node->n_out; i++) {
        if (e->out[i] == NULL)
            continue;
        e->out[i]->data = sal_step_ptr(s, step->out[k++]);
        if (sal_tensor_bytes(e->out[i]) > 0)
            memset(e->out[i]->data, 0, sal_tensor_bytes(e->out[i]));
    }
    sal_eval call = {e->node, e->in, e->out, err};
    sal_status st = e->node->op->eval(&call);
    return st == SAL_OK
               ? SAL_OK
               : sal_fail_prefix(err, st, "%s node '%s'", e->node->op->name, e->node->name);
}

static sal_tensor eval_shell(const sal_plan *p, sal_vid v)
{
    const sal_value *x = sal_val(p->g, v);
    return sal_tensor_borrow(sal_plan_dtype(p, v), x->rank, x->dims, NULL);
}

static sal_status eval_state_new(sal_plan *p, const sal_node *n, eval_state **out, sal_error *err)
{
    eval_state *e = sal_calloc(1, sizeof *e);
    *out = e;
    if (e == NULL)
        return sal_fail_nomem(err);
    e->node = n;
    e->in = sal_calloc((size_t)n->n_in + 1, sizeof *e->in);
    e->out = sal_calloc((size_t)n->n_out + 1, sizeof *e->out);
    e->store = sal_calloc((size_t)(n->n_in + n->n_out) + 1, sizeof *e->store);
    if (e->in == NULL || e->out == NULL || e->store == NULL)
        return sal_fail_nomem(err);
    for (int i = 0; i < n->n_in; i++) {
        if (n->in[i] == SAL_NONE)
            continue;
        e->store[i] = eval_shell(p, n->in[i]);
        e->in[i] = &e->store[i];
    }
    for (int i = 0; i < n->n_out; i++) {
        if (n->out[i] == SAL_NONE)
            continue;
        e->store[n->n_in + i] = eval_shell(p, n->out[i]);
        e->out[i] = &e->store[n->n_in + i];
    }
    return SAL_OK;
}

sal_status sal_lower_eval(sal_plan *p, const sal_node *n, sal_error *err)
{
    sal_status st = SAL_OK;
    eval_state *e = NULL;
    sal_pid *ids = NULL;
    int n_in = 0, n_out = 0;
    if (n->op->eval == NULL)
        return sal_fail(err, SAL_EUNSUPPORTED, "%s node '%s' cannot be run", n->op->name, n->name);
    ids = sal_calloc((size_t)(n->n_in + n->n_out) + 1, sizeof *ids);
    if (ids == NULL)
        SAL_TRY(sal_fail_nomem(err));
    SAL_TRY(eval_state_new(p, n, &e, err));
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] != SAL_NONE)
            SAL_TRY(sal_plan_get(p, n->in[i], SAL_PLAIN, sal_plan_dtype(p, n->in[i]), &ids[n_in++],
                                 err));
    for (int i = 0; i < n->n_out; i++)
        if (n->out[i] != SAL_NONE)
            SAL_TRY(sal_plan_new(p, n->out[i], SAL_PLAIN, sal_plan_dtype(p, n->out[i]),
                                 &ids[n_in + n_out++], err));
    eval_state *handed = e;
    e = NULL;
    sal_step *step;
    SAL_TRY(sal_plan_step(p, "eval", n, eval_run, handed, eval_free, n_in, ids, n_out, ids + n_in,
                          &step, err));
    snprintf(step->impl, sizeof step->impl, "%s", n->op->name);
    /* Copies are written for speed in their evaluators; everything else is the slow, clear form. */
    step->reference = (n->op->flags & SAL_OP_MOVE) == 0;
done:
    eval_free(e);
    sal_free(ids);
    return st;
}
