/* Loop: a graph that runs for a number of rounds and as long as a condition holds, hands values
 * from round to round and collects others along a new first axis. Inputs: trip count, condition,
 * values carried, values that the body reads from around it (graph.h). It is unrolled, so that
 * everything that is true of plain nodes (derivatives too) is true of it: in full where the number
 * of rounds is known, else round by round while it runs. */
#include "graph/passes/unfold.h"
#include "ops/core/control.h"

#include <inttypes.h>

static sal_status loop_infer(sal_infer *c)
{
    const sal_node *n = c->node;
    const sal_graph *body = sal_control_graph(n, "body");
    int carried = n->n_in - 2 - (int)sal_node_int(n, "captures", 0);
    sal_status st = SAL_OK;
    if (body == NULL || carried < 0)
        return sal_fail(c->err, SAL_EFORMAT, "it has no body");
    for (int k = 2; k < n->n_in; k++)
        if (n->in[k] == SAL_NONE)
            return sal_fail(c->err, SAL_EFORMAT, "input %d is missing", k);
    for (int i = 0; st == SAL_OK && i < n->n_out; i++) {
        const sal_value *x = sal_val(body, body->outputs[1 + i]);
        const sal_value *first = i < carried ? sal_infer_in(c, 2 + i) : NULL;
        int64_t dims[SAL_MAX_RANK];
        int rank = i < carried ? x->rank : x->rank < 0 ? -1 : x->rank + 1;
        if (first != NULL && first->rank != rank)
            rank = -1;
        if (rank > SAL_MAX_RANK)
            return sal_fail(c->err, SAL_EUNSUPPORTED, "output %d would have %d axes", i, rank);
        /* No length need be the same in every round. */
        for (int k = 0; k < rank; k++)
            dims[k] = sal_dim_fresh(c->g);
        st = sal_infer_out(c, i, x->dtype == SAL_DT_NONE && first != NULL ? first->dtype : x->dtype,
                           rank, dims);
    }
    return st;
}

/* Does the body hand its condition on, or is it a constant? Then the trip count alone decides. */
static bool loop_counts(const sal_graph *body)
{
    sal_vid v = body->outputs[0];
    while (sal_val(body, v)->producer >= 0 &&
           sal_node_is(body->nodes[sal_val(body, v)->producer], "Identity"))
        v = body->nodes[sal_val(body, v)->producer]->in[0];
    return sal_val(body, v)->constant != NULL || v == body->inputs[1];
}

typedef struct loop_run {
    const sal_node *n;
    const sal_graph *body;
    int carried, collected;
    int64_t start;  /* rounds before this node's first */
    int64_t trips;  /* INT64_MAX: as long as the condition holds */
    int64_t rounds; /* done here */
    sal_vid *constants, *in, *out;
    sal_vid *lists; /* collected values, round after round */
    size_t cap_lists;
} loop_run;

static sal_status loop_round(sal_unfold *u, loop_run *r)
{
    const sal_graph *body = r->body;
    size_t kept = (size_t)r->rounds * (size_t)r->collected;
    sal_status st = SAL_OK;
    SAL_TRY(sal_unfold_int(u, SAL_I64, 0, r->start + r->rounds, &r->in[0]));
    SAL_TRY(sal_unfold_int(u, SAL_BOOL, 0, 1, &r->in[1]));
    SAL_TRY(sal_unfold_body(u, body, r->n->name, r->constants, r->in, r->out));
    SAL_TRY(sal_grow(&r->lists, kept + (size_t)r->collected + 1, &r->cap_lists, sizeof *r->lists,
                     u->err));
    for (int i = 0; i < r->carried; i++)
        r->in[2 + i] = r->out[1 + i];
    for (int i = 0; i < r->collected; i++)
        r->lists[kept + (size_t)i] = r->out[1 + r->carried + i];
    r->rounds++;
done:
    return st;
}

/* What collected output i holds so far; an empty list has the shape that the body tells. */
static sal_status loop_collect(sal_unfold *u, const loop_run *r, int i, sal_vid *out)
{
    const sal_value *x = sal_val(r->body, r->body->outputs[1 + r->carried + i]);
    int64_t dims[SAL_MAX_RANK + 1] = {0};
    sal_tensor t = SAL_TENSOR_INIT;
    sal_status st = SAL_OK;
    if (r->rounds > 0) {
        sal_vid *one = sal_malloc((size_t)r->rounds * sizeof *one);
        if (one == NULL)
            return sal_fail_nomem(u->err);
        for (int64_t k = 0; k < r->rounds; k++)
            one[k] = r->lists[k * r->collected + i];
        st = sal_unfold_stack(u, r->n->name, 0, (size_t)r->rounds, one, out);
        sal_free(one);
        return st;
    }
    if (x->rank < 0 || x->rank >= SAL_MAX_RANK || x->dtype == SAL_DT_NONE)
        return sal_fail(u->err, SAL_EUNSUPPORTED,
                        "it runs no round, and the shape of its output %d is not known",
                        r->carried + i);
    for (int k = 0; k < x->rank; k++)
        dims[k + 1] = SAL_MAX(x->dims[k], 0);
    st = sal_tensor_new(&t, x->dtype, x->rank + 1, dims, u->err);
    if (st == SAL_OK)
        st = sal_graph_constant(u->g, NULL, &t, out, u->err);
    sal_tensor_free(&t);
    return st;
}

/* The rounds that are left, which only a run can tell: a Loop that goes on where this one is. */
static sal_status loop_rest(sal_unfold *u, loop_run *r, sal_vid cond)
{
    const sal_node *n = r->n;
    sal_attr attr[3] = {SAL_AI("captures", sal_node_int(n, "captures", 0)),
                        SAL_AI("start", r->start + r->rounds),
                        {.name = "body", .kind = SAL_ATTR_GRAPH, .graph = r->body}};
    sal_vid *out = sal_malloc((size_t)(n->n_out + 1) * sizeof *out);
    sal_status st = SAL_OK;
    if (out == NULL)
        return sal_fail_nomem(u->err);
    r->in[0] = SAL_NONE;
    if (r->trips != INT64_MAX)
        SAL_TRY(sal_unfold_int(u, SAL_I64, 0, r->trips - r->rounds, &r->in[0]));
    r->in[1] = cond;
    for (int i = 0; i < n->n_out; i++) {
        out[i] = n->out[i];
        if (i >= r->carried && out[i] != SAL_NONE)
            SAL_TRY(sal_graph_value(u->g, NULL, n->name, &out[i], u->err));
    }
    SAL_TRY(sal_unfold_append(u, n->op, n->name, n->n_in, r->in, n->n_out, out, 3, attr));
    for (int i = r->carried; i < n->n_out; i++) {
        sal_attr axis = SAL_AI("axis", 0);
        sal_vid join[2] = {SAL_NONE, out[i]}, whole = n->out[i];
        if (whole == SAL_NONE)
            continue;
        SAL_TRY(loop_collect(u, r, i - r->carried, &join[0]));
        SAL_TRY(sal_unfold_node(u, "Concat", n->name, 2, join, 1, &axis, &whole));
    }
done:
    sal_free(out);
    return st;
}

static sal_status loop_rounds(sal_unfold *u, loop_run *r, bool *rest)
{
    int64_t cond = 1;
    sal_status st = SAL_OK;
    *rest = false;
    while (cond != 0 && r->rounds < r->trips) {
        if (r->start + r->rounds >= SAL_UNFOLD_ROUNDS_MAX)
            return sal_fail(u->err, SAL_EUNSUPPORTED, "it does not end within %d rounds",
                            SAL_UNFOLD_ROUNDS_MAX);
        SAL_TRY(loop_round(u, r));
        if (!sal_unfold_known(u, r->out[0], &cond)) {
            *rest = r->rounds < r->trips;
            break;
        }
    }
done:
    return st;
}

static sal_status loop_unfold(sal_unfold *u, const sal_node *n, bool *done)
{
    loop_run r = {.n = n, .body = sal_control_graph(n, "body"), .trips = INT64_MAX};
    int64_t cond = 1;
    bool rest;
    sal_status st = SAL_OK;
    *done = false;
    if ((n->in[0] != SAL_NONE && !sal_unfold_known(u, n->in[0], &r.trips)) ||
        (n->in[1] != SAL_NONE && !sal_unfold_known(u, n->in[1], &cond)) ||
        (!u->run && !loop_counts(r.body)))
        return SAL_OK;
    if (cond == 0)
        r.trips = 0;
    r.start = sal_node_int(n, "start", 0);
    r.carried = n->n_in - 2 - (int)sal_node_int(n, "captures", 0);
    r.collected = (int)r.body->n_outputs - 1 - r.carried;
    SAL_TRY(sal_control_room(r.body, &r.constants, &r.out, u->err));
    r.in = sal_malloc((size_t)(n->n_in + 1) * sizeof *r.in);
    if (r.in == NULL)
        SAL_TRY(sal_fail_nomem(u->err));
    memcpy(r.in, n->in, (size_t)n->n_in * sizeof *r.in);
    SAL_TRY(loop_rounds(u, &r, &rest));
    *done = true;
    if (rest) {
        st = loop_rest(u, &r, r.out[0]);
        goto done;
    }
    for (int i = 0; i < n->n_out; i++) {
        sal_vid v = SAL_NONE;
        if (n->out[i] == SAL_NONE)
            continue;
        if (i < r.carried)
            v = r.in[2 + i];
        else
            SAL_TRY(loop_collect(u, &r, i - r.carried, &v));
        SAL_TRY(sal_unfold_result(u, n, i, v));
    }
done:
    sal_free(r.constants);
    sal_free(r.in);
    sal_free(r.out);
    sal_free(r.lists);
    return st;
}

/* ---- evaluation ---- */

typedef struct loop_eval_run {
    const sal_eval *e;
    const sal_graph *body;
    int carried, collected;
    int64_t trips, rounds;
    bool cond;
    const sal_tensor **in;
    sal_tensor *state; /* of the carried values, from the second round on */
    sal_tensor *out;   /* of one round */
    sal_tensor *lists;
    size_t cap_lists;
    size_t bytes;
} loop_eval_run;

/* Collected values may not grow without end. */
static const size_t loop_bytes_max = (size_t)1 << 31;

static sal_status loop_eval_round(loop_eval_run *r)
{
    const sal_eval *e = r->e;
    int64_t at = r->rounds;
    uint8_t yes = 1;
    size_t kept = (size_t)r->rounds * (size_t)r->collected;
    sal_tensor iteration = sal_tensor_borrow(SAL_I64, 0, NULL, &at);
    sal_tensor cond = sal_tensor_borrow(SAL_BOOL, 0, NULL, &yes);
    sal_status st = SAL_OK;
    r->in[0] = &iteration;
    r->in[1] = &cond;
    SAL_TRY(sal_control_run(r->body, r->in, r->out, e->err));
    if (sal_tensor_count(&r->out[0]) != 1)
        SAL_TRY(sal_fail(e->err, SAL_ESHAPE, "the condition is no single truth value"));
    r->cond = sal_tensor_get(&r->out[0], 0) != 0.0;
    SAL_TRY(sal_grow(&r->lists, kept + (size_t)r->collected + 1, &r->cap_lists, sizeof *r->lists,
                     e->err));
    r->rounds++;
    for (int i = 0; i < r->carried; i++) {
        sal_tensor_free(&r->state[i]);
        r->state[i] = r->out[1 + i];
        r->out[1 + i] = (sal_tensor)SAL_TENSOR_INIT;
        r->in[2 + i] = &r->state[i];
    }
    for (int i = 0; i < r->collected; i++) {
        sal_tensor *t = &r->out[1 + r->carried + i];
        r->bytes += sal_tensor_bytes(t);
        r->lists[kept + (size_t)i] = *t;
        *t = (sal_tensor)SAL_TENSOR_INIT;
    }
    if (r->bytes > loop_bytes_max)
        st = sal_fail(e->err, SAL_EUNSUPPORTED, "it collects more than %zu bytes", loop_bytes_max);
done:
    for (size_t i = 0; i < r->body->n_outputs; i++) {
        sal_tensor_free(&r->out[i]);
        r->out[i] = (sal_tensor)SAL_TENSOR_INIT;
    }
    return st;
}

static sal_status loop_eval_give(loop_eval_run *r, int i)
{
    const sal_value *x = sal_val(r->body, r->body->outputs[1 + i]);
    int64_t dims[SAL_MAX_RANK + 1] = {0};
    int k = i - r->carried;
    sal_tensor t = SAL_TENSOR_INIT, *list = NULL;
    sal_status st = SAL_OK;
    if (i < r->carried) {
        const sal_tensor *v = r->in[2 + i];
        SAL_TRY(sal_tensor_new(&t, v->dtype, v->rank, v->dims, r->e->err));
        if (sal_tensor_bytes(v) > 0)
            memcpy(t.data, v->data, sal_tensor_bytes(v));
    } else if (r->rounds > 0) {
        list = sal_malloc((size_t)r->rounds * sizeof *list);
        if (list == NULL)
            return sal_fail_nomem(r->e->err);
        for (int64_t j = 0; j < r->rounds; j++)
            list[j] = r->lists[j * r->collected + k];
        SAL_TRY(sal_control_stack(list, (size_t)r->rounds, 0, &t, r->e->err));
    } else {
        if (x->rank < 0 || x->rank >= SAL_MAX_RANK || x->dtype == SAL_DT_NONE)
            return sal_fail(r->e->err, SAL_EUNSUPPORTED,
                            "it runs no round, and the shape of its output %d is not known", i);
        for (int j = 0; j < x->rank; j++)
            dims[j + 1] = SAL_MAX(x->dims[j], 0);
        SAL_TRY(sal_tensor_new(&t, x->dtype, x->rank + 1, dims, r->e->err));
    }
    sal_control_give(r->e, i, &t);
done:
    sal_tensor_free(&t);
    sal_free(list);
    return st;
}

static sal_status loop_eval(const sal_eval *e)
{
    const sal_node *n = e->node;
    loop_eval_run r = {
        .e = e, .body = sal_control_graph(n, "body"), .trips = INT64_MAX, .cond = true};
    sal_status st = SAL_OK;
    r.carried = n->n_in - 2 - (int)sal_node_int(n, "captures", 0);
    r.collected = (int)r.body->n_outputs - 1 - r.carried;
    r.in = sal_calloc((size_t)n->n_in + 1, sizeof *r.in);
    r.state = sal_calloc((size_t)r.carried + 1, sizeof *r.state);
    r.out = sal_calloc(r.body->n_outputs + 1, sizeof *r.out);
    if (r.in == NULL || r.state == NULL || r.out == NULL)
        SAL_TRY(sal_fail_nomem(e->err));
    memcpy(r.in, e->in, (size_t)n->n_in * sizeof *r.in);
    for (int i = 0; i < 2; i++)
        if (e->in[i] != NULL && sal_tensor_count(e->in[i]) != 1)
            SAL_TRY(sal_fail(e->err, SAL_ESHAPE, "input %d is no single number", i));
    if (e->in[0] != NULL)
        r.trips = *(const int64_t *)e->in[0]->data;
    r.cond = e->in[1] == NULL || sal_tensor_get(e->in[1], 0) != 0.0;
    while (r.cond && r.rounds < r.trips) {
        if (r.rounds >= SAL_UNFOLD_ROUNDS_MAX)
            SAL_TRY(sal_fail(e->err, SAL_EUNSUPPORTED, "it does not end within %d rounds",
                             SAL_UNFOLD_ROUNDS_MAX));
        SAL_TRY(loop_eval_round(&r));
    }
    for (int i = 0; i < n->n_out; i++)
        SAL_TRY(loop_eval_give(&r, i));
done:
    for (int64_t i = 0; i < r.rounds * r.collected; i++)
        sal_tensor_free(&r.lists[i]);
    for (int i = 0; r.state != NULL && i < r.carried; i++)
        sal_tensor_free(&r.state[i]);
    sal_free(r.lists);
    sal_free(r.in);
    sal_free(r.state);
    sal_free(r.out);
    return st;
}

const sal_op_desc sal_op_loop = {
    .name = "Loop",
    .min_in = 2,
    .max_in = -1,
    .min_out = 1,
    .max_out = -1,
    .flags = SAL_OP_CONTROL | SAL_OP_DATA_SHAPE,
    .since = 13,
    .infer = loop_infer,
    .eval = loop_eval,
    .unfold = loop_unfold,
};
