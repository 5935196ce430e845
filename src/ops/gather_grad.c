/* GatherGrad(dy, indices): adjoint of Gather along `axis` of `dim` elements: slice i of dy is added
 * to slice indices[i] of a result that starts as zeros. */
#include "ops/core/move.h"

/* Shape of the result; the axes of `indices` in dy are replaced by one of `dim` elements. */
static sal_status gather_grad_infer(sal_infer *c)
{
    const sal_value *g = sal_infer_in(c, 0), *i = sal_infer_in(c, 1);
    int64_t axis = sal_node_int(c->node, "axis", 0), dim = sal_node_int(c->node, "dim", -1);
    int64_t dims[SAL_MAX_RANK];
    if (g->rank < 0 || i->rank < 0)
        return sal_infer_out(c, 0, g->dtype, -1, NULL);
    int rank = g->rank - i->rank + 1;
    if (rank < 1 || rank > SAL_MAX_RANK || axis < 0 || axis >= rank || dim < 0)
        return sal_fail(c->err, SAL_ESHAPE, "axis or dim do not fit the inputs");
    for (int k = 0; k < rank; k++)
        dims[k] = k < axis ? g->dims[k] : k == axis ? dim : g->dims[k + i->rank - 1];
    return sal_infer_out(c, 0, g->dtype, rank, dims);
}

static sal_status gather_grad_eval(const sal_eval *e)
{
    const sal_tensor *g = e->in[0], *index = e->in[1];
    sal_tensor *y = e->out[0];
    int axis = (int)sal_node_int(e->node, "axis", 0);
    int64_t outer = sal_move_count(y->dims, 0, axis), n = sal_tensor_count(index),
            dim = y->dims[axis];
    int64_t inner = sal_move_count(y->dims, axis + 1, y->rank);
    if (g->dtype != SAL_F32 && g->dtype != SAL_F64)
        return sal_fail(e->err, SAL_EUNSUPPORTED, "a gradient of type %s",
                        sal_dtype_name(g->dtype));
    for (int64_t i = 0; inner > 0 && i < n; i++) {
        int64_t at;
        sal_status st = sal_move_index(index, i, dim, &at, e->err);
        if (st != SAL_OK)
            return st;
        for (int64_t o = 0; o < outer; o++) {
            int64_t to = (o * dim + at) * inner, from = (o * n + i) * inner;
            if (g->dtype == SAL_F32) {
                float *d = (float *)y->data + to;
                const float *s = (const float *)g->data + from;
                for (int64_t k = 0; k < inner; k++)
                    d[k] += s[k];
            } else {
                double *d = (double *)y->data + to;
                const double *s = (const double *)g->data + from;
                for (int64_t k = 0; k < inner; k++)
                    d[k] += s[k];
            }
        }
    }
    return SAL_OK;
}

/* ScatterND with addition works on leading axes: bring the picked ones to the front and back again.
 */
static sal_status gather_grad_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    const sal_value *g = sal_val(b->g, n->in[0]), *index = sal_val(b->g, n->in[1]);
    int64_t axis = sal_node_int(n, "axis", 0), dim = sal_node_int(n, "dim", 0);
    int64_t perm[SAL_MAX_RANK], back[SAL_MAX_RANK], dims[SAL_MAX_RANK], last = index->rank;
    if (g->rank < 0 || index->rank < 0)
        return sal_fail(b->err, SAL_ESHAPE,
                        "the number of dimensions of both inputs must be known");
    int q = index->rank, rank = g->rank - q + 1;
    for (int k = 0; k < g->rank; k++) /* indices, axes before, axes after */
        perm[k] = k < q ? axis + k : k < q + axis ? k - q : k;
    for (int k = 0; k < rank; k++) /* from (dim, before, after) */
        back[k] = k < axis ? k + 1 : k == axis ? 0 : k;
    sal_vid t = axis == 0 ? n->in[0] : sal_b_transpose(b, n->in[0], perm);
    if (b->st != SAL_OK)
        return b->st;
    dims[0] = dim;
    for (int k = 1; k < rank; k++)
        dims[k] = sal_val(b->g, t)->dims[q + k - 1];
    sal_attr add = SAL_AS("reduction", "add");
    sal_vid in[3] = {sal_move_zeros(b, g->dtype, rank, dims, t),
                     sal_b_unsqueeze(b, sal_b_cast(b, n->in[1], SAL_I64), 1, &last), t};
    sal_vid y = sal_b_op(b, "ScatterND", 3, in, 1, &add);
    out[0] = axis == 0 ? y : sal_b_transpose(b, y, back);
    return b->st;
}

static sal_status gather_grad_vjp(sal_vjp *v)
{
    sal_attr a = SAL_AI("axis", sal_node_int(v->node, "axis", 0));
    if (v->need[0])
        v->gin[0] = sal_b_op(v->b, "Gather", 2, (sal_vid[]){v->gout[0], v->node->in[1]}, 1, &a);
    return v->b->st;
}

static const char *const gather_grad_cases[] = {
    "f32[4,3] i64[4]{0,2,2,-1} ; axis=0 dim=5",
    "f32[2,2,2,3] i64[2,2]{4,1,-5,1} ; axis=1 dim=5",
    "f32[2,4] i64[]{1} ; axis=1 dim=3",
    "f32[2,3,3] i32[3]{0,0,3} ; axis=2 dim=4",
    NULL,
};

const sal_op_desc sal_op_gather_grad = {
    .name = "GatherGrad",
    .domain = SAL_DOMAIN_INTERNAL,
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .since = 1,
    .infer = gather_grad_infer,
    .eval = gather_grad_eval,
    .expand = gather_grad_expand,
    .vjp = gather_grad_vjp,
    .cases = gather_grad_cases,
};
