/* Split: pieces along an axis, of the given lengths or equal ones (the last may be shorter). */
#include "ops/core/move.h"
#include "ops/upgrade.h"

static sal_status split_upgrade(sal_upgrade *u)
{
    sal_status st;
    SAL_TRY(sal_upgrade_attr_to_input(u, "split", 1, SAL_F32)); /* an attribute before opset 13 */
    /* Before opset 18 the number of pieces was the number of outputs. */
    if (u->opset < 18 && sal_node_in(u->node, 1) == SAL_NONE)
        SAL_TRY(sal_upgrade_set_int(u, "num_outputs", u->node->n_out));
done:
    return st;
}

static sal_status split_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0), *s = sal_infer_in(c, 1);
    int n_out = c->node->n_out, n = -1, axis, n_known, at = 0;
    int64_t len[SAL_KNOWN_MAX], dims[SAL_MAX_RANK], known[SAL_KNOWN_MAX];
    bool symbolic = false;
    sal_status st = SAL_OK;
    if (x->rank < 0) {
        for (int i = 0; i < n_out; i++)
            SAL_TRY(sal_infer_out(c, i, x->dtype, -1, NULL));
        return SAL_OK;
    }
    SAL_TRY(sal_infer_axis(c, sal_node_int(c->node, "axis", 0), x->rank, &axis));
    if (s != NULL)
        SAL_TRY(sal_infer_ints(c, 1, len, SAL_KNOWN_MAX, &n, &symbolic));
    if (n >= 0 && n < n_out)
        return sal_fail(c->err, SAL_ESHAPE, "%d lengths for %d outputs", n, n_out);
    int64_t pieces = sal_node_int(c->node, "num_outputs", n_out), total = x->dims[axis], sum = 0;
    if (s == NULL && (pieces < 1 || pieces < n_out))
        return sal_fail(c->err, SAL_EINVAL, "num_outputs is %lld, but %d outputs are named",
                        (long long)pieces, n_out);
    SAL_TRY(sal_infer_known_in(c, 0, known, &n_known));
    memcpy(dims, x->dims, sizeof dims);
    for (int i = 0; i < n_out; i++) {
        if (n >= 0)
            dims[axis] = len[i];
        else if (s != NULL)
            dims[axis] = sal_dim_fresh(c->g);
        else if (total >= 0)
            dims[axis] = SAL_MAX(0, SAL_MIN((total + pieces - 1) / pieces, total - sum));
        else
            dims[axis] = sal_dim_div(c->g, total, pieces);
        if (dims[axis] < 0 && n >= 0 && (!symbolic || sal_known_is_number(dims[axis])))
            return sal_fail(c->err, SAL_EINVAL, "a negative length");
        SAL_TRY(sal_infer_out(c, i, x->dtype, x->rank, dims));
        if (n_known >= 0 && dims[axis] >= 0 && at + dims[axis] <= n_known) {
            SAL_TRY(sal_infer_known_out(c, i, known + at, (int)dims[axis]));
            at += (int)dims[axis];
        } else {
            n_known = -1;
        }
        sum += dims[axis] > 0 ? dims[axis] : 0;
    }
    if (n == n_out && !symbolic && total >= 0 && sum != total)
        return sal_fail(c->err, SAL_ESHAPE, "the lengths add up to %lld, axis %d has %lld elements",
                        (long long)sum, axis, (long long)total);
done:
    return st;
}

static sal_status split_eval(const sal_eval *e)
{
    const sal_tensor *x = e->in[0], *s = e->node->n_in > 1 ? e->in[1] : NULL;
    int64_t axis = sal_node_int(e->node, "axis", 0), at = 0;
    int k = (int)(axis < 0 ? axis + x->rank : axis);
    int64_t pieces = sal_node_int(e->node, "num_outputs", e->node->n_out);
    int64_t total = x->dims[k], chunk = (total + pieces - 1) / pieces;
    int64_t outer = sal_move_count(x->dims, 0, k), inner = sal_move_count(x->dims, k + 1, x->rank);
    size_t elem = sal_dtype_size(x->dtype), row = (size_t)(total * inner) * elem;
    for (int i = 0; i < e->node->n_out; i++) {
        if (s != NULL && i >= sal_tensor_count(s))
            return sal_fail(e->err, SAL_ESHAPE, "too few lengths for output %d", i);
        int64_t len = s != NULL ? sal_move_int(s, i) : SAL_MAX(0, SAL_MIN(chunk, total - at));
        size_t run = (size_t)(len * inner) * elem, from = (size_t)(at * inner) * elem;
        at += len;
        if (e->out[i] == NULL)
            continue;
        if (len < 0 || at > total || e->out[i]->dims[k] != len)
            return sal_fail(e->err, SAL_ESHAPE, "piece %d does not fit axis %d of %lld elements", i,
                            k, (long long)total);
        for (int64_t o = 0; run > 0 && o < outer; o++)
            memcpy((char *)e->out[i]->data + (size_t)o * run,
                   (const char *)x->data + (size_t)o * row + from, run);
    }
    return SAL_OK;
}

/* The pieces' gradients one after the other, zeros for pieces that have none. */
static sal_status split_vjp(sal_vjp *v)
{
    sal_builder *b = v->b;
    const sal_node *n = v->node;
    const sal_value *x = sal_val(b->g, n->in[0]);
    int64_t axis = sal_node_int(n, "axis", 0), at = 0;
    sal_status st = SAL_OK;
    if (!v->need[0])
        return SAL_OK;
    if (axis < 0)
        axis += x->rank;
    sal_vid *part = sal_malloc((size_t)n->n_out * sizeof *part);
    if (part == NULL)
        return sal_fail_nomem(b->err);
    int some = 0, last = 0;
    for (int i = 0; i < n->n_out; i++) {
        part[i] = v->gout[i];
        if (part[i] != SAL_NONE) {
            some++;
            last = i;
        }
    }
    for (int i = 0; i < n->n_out && some > 0; i++) {
        sal_vid y = n->out[i];
        if (y == SAL_NONE || sal_val(b->g, y)->dims[axis] < 0) {
            sal_move_fail(b, SAL_ESHAPE, "every piece must be named and of known length");
            break;
        }
        int64_t len = sal_val(b->g, y)->dims[axis];
        if (some == 1 && i == last && x->dims[axis] >= 0) { /* one piece only: pad it */
            int64_t begin[SAL_MAX_RANK] = {0}, end[SAL_MAX_RANK] = {0};
            begin[axis] = at;
            end[axis] = x->dims[axis] - at - len;
            v->gin[0] = sal_move_pad(b, part[i], begin, end);
            goto done;
        }
        at += len;
        if (part[i] == SAL_NONE && !(some == 1 && x->dims[axis] >= 0))
            part[i] = sal_b_zeros_like(b, y);
    }
    if (some > 0)
        v->gin[0] = n->n_out == 1 ? part[0] : sal_b_concat(b, n->n_out, part, axis);
done:
    sal_free(part);
    return st == SAL_OK ? b->st : st;
}

static const char *const split_cases[] = {
    "f32[2,6] ; axis=1 num_outputs=3 ; out=3",
    "f32[2,7] ; axis=-1 num_outputs=3 ; out=3",
    "f32[6,2] i64[2]{2,4} ; ; out=2",
    "f32[2,5,2] i64[3]{1,0,4} ; axis=1 ; out=3 noort", /* ORT 1.32 rejects the empty piece's
                                                          gradient input */
    "f32[3,2] ; axis=1 num_outputs=1 ; out=1",
    "i64[6] ; num_outputs=2 ; out=2 nograd",
    NULL,
};

const sal_op_desc sal_op_split = {
    .name = "Split",
    .min_in = 1,
    .max_in = 2,
    .min_out = 1,
    .max_out = -1,
    .flags = SAL_OP_MOVE,
    .since = 18,
    .upgrade = split_upgrade,
    .infer = split_infer,
    .eval = split_eval,
    .vjp = split_vjp,
    .cases = split_cases,
};
