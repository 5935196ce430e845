/* GatherND: the last axis of the indices holds tuples that address elements or slices of the data.
 */
#include "ops/core/scatter.h"

static sal_status gather_nd_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0), *i = sal_infer_in(c, 1);
    int64_t skip = sal_node_int(c->node, "batch_dims", 0), dims[2 * SAL_MAX_RANK];
    int n = 0;
    if (x->rank < 0 || i->rank < 0)
        return sal_infer_out(c, 0, x->dtype, -1, NULL);
    if (i->rank < 1 || x->rank < 1 || skip < 0 || skip >= i->rank || skip >= x->rank)
        return sal_fail(c->err, SAL_ESHAPE,
                        "batch_dims is %lld, data have %d and indices %d dimensions",
                        (long long)skip, (int)x->rank, (int)i->rank);
    for (int k = 0; k < skip; k++)
        if (x->dims[k] >= 0 && i->dims[k] >= 0 && x->dims[k] != i->dims[k])
            return sal_fail(c->err, SAL_ESHAPE,
                            "data and indices have %lld and %lld elements along batch axis %d",
                            (long long)x->dims[k], (long long)i->dims[k], k);
    int64_t m = i->dims[i->rank - 1];
    if (m < 0)
        return sal_infer_out(c, 0, x->dtype, -1, NULL);
    if (m < 1 || m > x->rank - skip)
        return sal_fail(c->err, SAL_ESHAPE, "index tuples of %lld numbers for %d dimensions",
                        (long long)m, (int)x->rank);
    for (int k = 0; k < i->rank - 1; k++)
        dims[n++] = k < skip && i->dims[k] < 0 ? x->dims[k] : i->dims[k];
    for (int k = (int)(skip + m); k < x->rank; k++)
        dims[n++] = x->dims[k];
    return sal_infer_out(c, 0, x->dtype, n, dims);
}

static sal_status gather_nd_eval(const sal_eval *e)
{
    const sal_tensor *x = e->in[0], *index = e->in[1];
    int skip = (int)sal_node_int(e->node, "batch_dims", 0);
    int64_t m = index->dims[index->rank - 1], n = sal_move_count(index->dims, 0, index->rank - 1);
    int64_t at[SAL_MAX_RANK] = {0};
    size_t run = (size_t)sal_move_count(x->dims, skip + (int)m, x->rank) * sal_dtype_size(x->dtype);
    size_t elem = sal_dtype_size(x->dtype);
    sal_status st = SAL_OK;
    for (int64_t i = 0; run > 0 && i < n; i++) {
        int64_t from;
        SAL_TRY(sal_scatter_tuple(x, skip, at, index, i, m, &from, e->err));
        memcpy((char *)e->out[0]->data + (size_t)i * run,
               (const char *)x->data + (size_t)from * elem, run);
        sal_scatter_next(index->rank - 1, index->dims, at);
    }
done:
    return st;
}

/* ScatterND has no batch axes: put the batch position in front of every index tuple. */
static sal_vid gather_nd_full_index(sal_builder *b, const sal_node *n, int skip)
{
    const sal_value *i = sal_val(b->g, n->in[1]);
    int64_t dims[SAL_MAX_RANK], ones[SAL_MAX_RANK];
    sal_vid part[SAL_MAX_RANK + 1];
    memcpy(dims, i->dims, sizeof dims);
    dims[i->rank - 1] = 1;
    sal_vid shape = sal_move_dims(b, i->rank, dims, n->in[1]);
    for (int k = 0; k < skip && b->st == SAL_OK; k++) {
        sal_vid zero = sal_b_scalar(b, SAL_I64, 0), one = sal_b_scalar(b, SAL_I64, 1), len;
        if (dims[k] >= 0)
            len = sal_b_scalar(b, SAL_I64, (double)dims[k]);
        else
            len = sal_b2(b, "Gather", sal_b1(b, "Shape", n->in[1]), sal_b_scalar(b, SAL_I64, k));
        sal_vid r = sal_b3(b, "Range", zero, len, one);
        for (int a = 0; a < i->rank; a++)
            ones[a] = a == k ? -1 : 1;
        r = sal_b2(b, "Reshape", r, sal_b_ints(b, ones, i->rank));
        part[k] = sal_b2(b, "Expand", r, shape);
    }
    part[skip] = sal_b_cast(b, n->in[1], SAL_I64);
    return b->st == SAL_OK ? sal_b_concat(b, skip + 1, part, -1) : SAL_NONE;
}

static sal_status gather_nd_vjp(sal_vjp *v)
{
    sal_builder *b = v->b;
    const sal_node *n = v->node;
    int skip = (int)sal_node_int(n, "batch_dims", 0);
    sal_attr add = SAL_AS("reduction", "add");
    if (!v->need[0])
        return SAL_OK;
    if (sal_val(b->g, n->in[0])->rank < 0 || sal_val(b->g, n->in[1])->rank < 0)
        return sal_fail(b->err, SAL_ESHAPE,
                        "the number of dimensions of both inputs must be known");
    sal_vid in[3] = {sal_b_zeros_like(b, n->in[0]),
                     skip > 0 ? gather_nd_full_index(b, n, skip) : n->in[1], v->gout[0]};
    v->gin[0] = sal_b_op(b, "ScatterND", 3, in, 1, &add);
    return b->st;
}

static const char *const gather_nd_cases[] = {
    "f32[2,3] i64[3,2]{0,0,1,2,-1,-3}",
    "f32[3,2,2] i64[2,1]{2,0}",
    "f32[2,2,3] i64[2,1,2]{0,1,1,1}",
    "f32[2,3,4] i64[2,1]{1,2} ; batch_dims=1",
    "f32[2,2,3] i64[2,2,2]{0,1,1,1,1,0,0,0} ; batch_dims=1",
    "f32[2,2,3,2] i64[2,2,1]{1,2,0,-1} ; batch_dims=2",
    "i64[2,3] i64[1,2]{1,1} ; ; nograd",
    NULL,
};

const sal_op_desc sal_op_gather_nd = {
    .name = "GatherND",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_MOVE,
    .since = 13,
    .infer = gather_nd_infer,
    .eval = gather_nd_eval,
    .vjp = gather_nd_vjp,
    .cases = gather_nd_cases,
};
