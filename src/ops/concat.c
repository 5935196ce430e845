/* Concat: tensors one after the other along an axis. */
#include "ops/core/move.h"

static sal_status concat_known(sal_infer *c)
{
    int64_t known[SAL_KNOWN_MAX], part[SAL_KNOWN_MAX];
    int n = 0, m;
    sal_status st = SAL_OK;
    for (int i = 0; i < c->node->n_in; i++) {
        SAL_TRY(sal_infer_known_in(c, i, part, &m));
        if (m < 0) { /* an unknown element spoils only itself when its number is known */
            const sal_value *x = sal_infer_in(c, i);
            if (x->dims[0] < 0 || x->dims[0] > SAL_KNOWN_MAX || sal_dtype_is_float(x->dtype))
                goto done;
            m = (int)x->dims[0];
            for (int k = 0; k < m; k++)
                part[k] = sal_dim_fresh(c->g);
        }
        if (n + m > SAL_KNOWN_MAX)
            goto done;
        memcpy(known + n, part, (size_t)m * sizeof *part);
        n += m;
    }
    SAL_TRY(sal_infer_known_out(c, 0, known, n));
done:
    return st;
}

static sal_status concat_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    int64_t dims[SAL_MAX_RANK];
    int axis = 0, rank = -1;
    bool unknown = false;
    sal_status st = SAL_OK;
    if (sal_node_attr(c->node, "axis") == NULL)
        return sal_fail(c->err, SAL_EINVAL, "attribute axis is missing");
    for (int i = 0; i < c->node->n_in; i++) {
        const sal_value *y = sal_infer_in(c, i);
        if (y == NULL)
            return sal_fail(c->err, SAL_EINVAL, "input %d is missing", i);
        if (y->rank < 0) {
            unknown = true;
            continue;
        }
        if (rank < 0) {
            rank = y->rank;
            memcpy(dims, y->dims, sizeof dims);
            SAL_TRY(sal_infer_axis(c, sal_node_int(c->node, "axis", 0), rank, &axis));
            continue;
        }
        if (y->rank != rank)
            return sal_fail(c->err, SAL_ESHAPE, "input %d has %d dimensions, the first %d", i,
                            (int)y->rank, rank);
        for (int k = 0; k < rank; k++) {
            if (k == axis)
                dims[k] = sal_dim_add(c->g, dims[k], y->dims[k]);
            else if (dims[k] < 0)
                dims[k] =
                    y->dims[k] >= 0 || sal_move_is_unknown(c->g, dims[k]) ? y->dims[k] : dims[k];
            else if (y->dims[k] >= 0 && y->dims[k] != dims[k])
                return sal_fail(c->err, SAL_ESHAPE,
                                "input %d has %lld elements along axis %d, the first %lld", i,
                                (long long)y->dims[k], k, (long long)dims[k]);
        }
    }
    if (unknown && rank >= 0)
        dims[axis] = sal_dim_fresh(c->g);
    SAL_TRY(sal_infer_out(c, 0, x->dtype, rank, dims));
    if (rank == 1 && !unknown)
        SAL_TRY(concat_known(c));
done:
    return st;
}

static sal_status concat_eval(const sal_eval *e)
{
    sal_tensor *y = e->out[0];
    int64_t axis = sal_node_int(e->node, "axis", 0);
    int k = (int)(axis < 0 ? axis + y->rank : axis);
    size_t elem = sal_dtype_size(y->dtype);
    int64_t outer = sal_move_count(y->dims, 0, k), inner = sal_move_count(y->dims, k + 1, y->rank);
    size_t row = (size_t)(y->dims[k] * inner) * elem, at = 0;
    if (row == 0)
        return SAL_OK;
    for (int i = 0; i < e->node->n_in; i++) {
        size_t run = (size_t)(e->in[i]->dims[k] * inner) * elem;
        for (int j = 0; j < y->rank; j++)
            if (e->in[i]->rank != y->rank || e->in[i]->dtype != y->dtype ||
                (j != k && e->in[i]->dims[j] != y->dims[j]))
                return sal_fail(e->err, SAL_ESHAPE,
                                "input %d has another type or shape than the output", i);
        if (at + run > row)
            return sal_fail(e->err, SAL_ESHAPE,
                            "the inputs are longer than the output along axis %d", k);
        for (int64_t o = 0; run > 0 && o < outer; o++)
            memcpy((char *)y->data + (size_t)o * row + at,
                   (const char *)e->in[i]->data + (size_t)o * run, run);
        at += run;
    }
    return SAL_OK;
}

/* Each input's gradient is its piece of the output's. Pieces behind a symbolic one are counted from
 * the end. */
static sal_status concat_vjp(sal_vjp *v)
{
    sal_builder *b = v->b;
    const sal_node *n = v->node;
    const sal_value *y = sal_val(b->g, v->gout[0]);
    int64_t axis = sal_node_int(n, "axis", 0);
    if (axis < 0)
        axis += y->rank;
    int64_t before = 0;
    bool exact = true; /* every dimension before this input is a number */
    for (int i = 0; i < n->n_in && b->st == SAL_OK; i++) {
        int64_t dim = sal_val(b->g, n->in[i])->dims[axis], after = 0;
        bool exact_after = true;
        for (int k = i + 1; k < n->n_in; k++) {
            int64_t d = sal_val(b->g, n->in[k])->dims[axis];
            exact_after = exact_after && d >= 0;
            after += d >= 0 ? d : 0;
        }
        bool fits = (exact && (dim >= 0 || exact_after)) || (exact_after && dim >= 0);
        if (v->need[i] && !fits) {
            sal_move_fail(b, SAL_ESHAPE,
                          "the lengths of the joined inputs must be known (one may be symbolic)");
        } else if (v->need[i] && n->n_in == 1) {
            v->gin[i] = v->gout[0];
        } else if (v->need[i]) {
            int64_t start = exact ? before : -after - dim;
            int64_t end = exact && dim >= 0 ? before + dim : after > 0 ? -after : INT64_MAX;
            v->gin[i] = sal_b_slice(b, v->gout[0], axis, start, end, 1);
        }
        exact = exact && dim >= 0;
        before += dim >= 0 ? dim : 0;
    }
    return b->st;
}

static const char *const concat_cases[] = {
    "f32[2,3] f32[2,1] f32[2,2] ; axis=1",   "f32[2,3] f32[1,3] ; axis=0",
    "f32[2,2,3] f32[2,4,3] ; axis=-2",       "f32[2,3] ; axis=1",
    "f32[2,0] f32[2,2] ; axis=1 ; nograd",   "i64[2] i64[3] ; axis=0 ; nograd",
    "bool[2,2] bool[2,1] ; axis=1 ; nograd", NULL,
};

const sal_op_desc sal_op_concat = {
    .name = "Concat",
    .min_in = 1,
    .max_in = -1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_MOVE,
    .since = 13,
    .infer = concat_infer,
    .eval = concat_eval,
    .vjp = concat_vjp,
    .cases = concat_cases,
};
