/* Scan: a graph that runs over the elements of sequences, hands states from one to the next and
 * collects outputs. Inputs: states, sequences, values that the body reads from around it (graph.h).
 * The length of the sequences is a shape, so it is unrolled once shapes are known. */
#include "graph/passes/unfold.h"
#include "ops/core/control.h"

#include <inttypes.h>

typedef struct scan_run {
    const sal_node *n;
    const sal_graph *body;
    int states, scans, collected;
    int64_t length;
    int64_t axis[64]; /* of the sequences */
    sal_vid *constants, *in, *out, *lists;
} scan_run;

/* Element i of a list attribute. */
static int64_t scan_number(const sal_node *n, const char *name, int i)
{
    size_t count;
    const int64_t *v = sal_node_ints(n, name, &count);
    return v != NULL && (size_t)i < count ? v[i] : 0;
}

static sal_status scan_infer(sal_infer *c)
{
    const sal_node *n = c->node;
    const sal_graph *body = sal_control_graph(n, "body");
    int64_t scans = sal_node_int(n, "num_scan_inputs", 0);
    int64_t states = n->n_in - sal_node_int(n, "captures", 0) - scans;
    sal_status st = SAL_OK;
    if (body == NULL || states < 0)
        return sal_fail(c->err, SAL_EFORMAT, "it has no body");
    for (int k = 0; k < n->n_in; k++)
        if (n->in[k] == SAL_NONE)
            return sal_fail(c->err, SAL_EFORMAT, "input %d is missing", k);
    for (int i = 0; st == SAL_OK && i < n->n_out; i++) {
        const sal_value *x = sal_val(body, body->outputs[i]);
        int64_t dims[SAL_MAX_RANK];
        int rank = x->rank < 0 || i < states ? x->rank : x->rank + 1;
        if (rank > SAL_MAX_RANK)
            return sal_fail(c->err, SAL_EUNSUPPORTED, "output %d would have %d axes", i, rank);
        for (int k = 0; k < rank; k++)
            dims[k] = sal_dim_fresh(c->g);
        st = sal_infer_out(c, i, x->dtype, rank, dims);
    }
    return st;
}

/* Length and axes of the sequences; -1 when not known yet. */
static sal_status scan_length(sal_unfold *u, scan_run *r)
{
    r->length = -1;
    for (int i = 0; i < r->scans; i++) {
        const sal_value *x = sal_val(u->g, r->n->in[r->states + i]);
        int64_t axis = scan_number(r->n, "scan_input_axes", i);
        if (x->rank < 0) {
            r->length = -1;
            return SAL_OK;
        }
        if (axis < -x->rank || axis >= x->rank)
            return sal_fail(u->err, SAL_EINVAL, "sequence %d has no axis %" PRId64, i, axis);
        r->axis[i] = axis < 0 ? axis + x->rank : axis;
        int64_t d = x->dims[r->axis[i]];
        if (d < 0 || (i > 0 && r->length < 0)) {
            r->length = -1;
            return SAL_OK;
        }
        if (i > 0 && d != r->length)
            return sal_fail(u->err, SAL_ESHAPE,
                            "sequences have the lengths %" PRId64 " and %" PRId64, r->length, d);
        r->length = d;
    }
    return SAL_OK;
}

static sal_status scan_step(sal_unfold *u, scan_run *r, int64_t t)
{
    sal_status st = SAL_OK;
    for (int i = 0; i < r->scans; i++) {
        bool back = scan_number(r->n, "scan_input_directions", i) != 0;
        sal_attr axis = SAL_AI("axis", r->axis[i]);
        sal_vid pair[2] = {r->n->in[r->states + i], SAL_NONE};
        SAL_TRY(sal_unfold_int(u, SAL_I64, 0, back ? r->length - 1 - t : t, &pair[1]));
        r->in[r->states + i] = SAL_NONE;
        SAL_TRY(sal_unfold_node(u, "Gather", r->n->name, 2, pair, 1, &axis, &r->in[r->states + i]));
    }
    SAL_TRY(sal_unfold_body(u, r->body, r->n->name, r->constants, r->in, r->out));
    for (int i = 0; i < r->states; i++)
        r->in[i] = r->out[i];
    for (int i = 0; i < r->collected; i++) {
        bool back = scan_number(r->n, "scan_output_directions", i) != 0;
        int64_t at = back ? r->length - 1 - t : t;
        r->lists[(int64_t)i * r->length + at] = r->out[r->states + i];
    }
done:
    return st;
}

static sal_status scan_collect(sal_unfold *u, const scan_run *r, int i, sal_vid *out)
{
    const sal_vid *list = r->lists + (int64_t)i * r->length;
    int64_t axis = scan_number(r->n, "scan_output_axes", i);
    if (r->length == 0)
        return sal_fail(u->err, SAL_EUNSUPPORTED, "its sequences are empty");
    int rank = sal_val(u->g, list[0])->rank;
    if (axis < 0 && rank >= 0)
        axis += rank + 1;
    if (axis < 0 || axis > rank)
        return sal_fail(u->err, SAL_EINVAL, "collected output %d has no axis %" PRId64, i, axis);
    return sal_unfold_stack(u, r->n->name, axis, (size_t)r->length, list, out);
}

static sal_status scan_unfold(sal_unfold *u, const sal_node *n, bool *done)
{
    scan_run r = {.n = n, .body = sal_control_graph(n, "body")};
    size_t cells;
    sal_status st = SAL_OK;
    *done = false;
    r.scans = (int)sal_node_int(n, "num_scan_inputs", 0);
    r.states = n->n_in - (int)sal_node_int(n, "captures", 0) - r.scans;
    r.collected = (int)r.body->n_outputs - r.states;
    if (r.scans > (int)SAL_COUNTOF(r.axis))
        return sal_fail(u->err, SAL_EUNSUPPORTED, "%d sequences are not supported", r.scans);
    SAL_TRY(scan_length(u, &r));
    if (r.length < 0)
        return SAL_OK;
    if (r.length > SAL_UNFOLD_ROUNDS_MAX ||
        !sal_mul_ok((size_t)r.length + 1, (size_t)r.collected + 1, &cells) || cells > 1 << 26)
        return sal_fail(u->err, SAL_EUNSUPPORTED, "%" PRId64 " rounds are too many to unroll",
                        r.length);
    SAL_TRY(sal_control_room(r.body, &r.constants, &r.out, u->err));
    r.in = sal_malloc((size_t)(n->n_in + 1) * sizeof *r.in);
    r.lists = sal_malloc(cells * sizeof *r.lists);
    if (r.in == NULL || r.lists == NULL)
        SAL_TRY(sal_fail_nomem(u->err));
    memcpy(r.in, n->in, (size_t)n->n_in * sizeof *r.in);
    for (int64_t t = 0; t < r.length; t++)
        SAL_TRY(scan_step(u, &r, t));
    for (int i = 0; i < n->n_out; i++) {
        sal_vid v = SAL_NONE;
        if (n->out[i] == SAL_NONE)
            continue;
        if (i < r.states)
            v = r.in[i];
        else
            SAL_TRY(scan_collect(u, &r, i - r.states, &v));
        SAL_TRY(sal_unfold_result(u, n, i, v));
    }
    *done = true;
done:
    sal_free(r.constants);
    sal_free(r.in);
    sal_free(r.out);
    sal_free(r.lists);
    return st;
}

const sal_op_desc sal_op_scan = {
    .name = "Scan",
    .min_in = 1,
    .max_in = -1,
    .min_out = 1,
    .max_out = -1,
    .flags = SAL_OP_CONTROL,
    .since = 13,
    .infer = scan_infer,
    .unfold = scan_unfold,
};
