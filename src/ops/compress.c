/* Compress: the slices of an axis (or, without one, the elements in row-major order) for which the
 * condition holds. Inputs data, condition [at most the length]. */
#include "ops/builder.h"
#include "ops/infer.h"

static sal_status compress_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    int64_t dims[SAL_MAX_RANK];
    int axis = 0;
    if (sal_node_attr(c->node, "axis") == NULL) {
        dims[0] = sal_dim_fresh(c->g);
        return sal_infer_out(c, 0, x->dtype, 1, dims);
    }
    if (x->rank < 0)
        return sal_infer_out(c, 0, x->dtype, -1, NULL);
    sal_status st = sal_infer_axis(c, sal_node_int(c->node, "axis", 0), x->rank, &axis);
    if (st != SAL_OK)
        return st;
    memcpy(dims, x->dims, sizeof dims);
    dims[axis] = sal_dim_fresh(c->g);
    return sal_infer_out(c, 0, x->dtype, x->rank, dims);
}

static sal_status compress_eval(const sal_eval *e)
{
    const sal_tensor *x = e->in[0], *cond = e->in[1];
    bool flat = sal_node_attr(e->node, "axis") == NULL;
    int64_t axis = flat ? 0 : sal_node_int(e->node, "axis", 0), kept = 0, outer = 1, inner = 1;
    int64_t dims[SAL_MAX_RANK];
    sal_status st;
    if (cond->rank != 1)
        return sal_fail(e->err, SAL_ESHAPE, "the condition has %d axes instead of one",
                        (int)cond->rank);
    axis += axis < 0 ? x->rank : 0;
    int64_t length = flat ? sal_tensor_count(x) : x->dims[axis];
    if (cond->dims[0] > length)
        return sal_fail(e->err, SAL_ESHAPE, "the condition has %lld elements, the axis %lld",
                        (long long)cond->dims[0], (long long)length);
    for (int64_t i = 0; i < cond->dims[0]; i++)
        kept += sal_tensor_get(cond, i) != 0.0;
    memcpy(dims, x->dims, sizeof dims);
    for (int k = 0; !flat && k < x->rank; k++) {
        outer *= k < axis ? x->dims[k] : 1;
        inner *= k > axis ? x->dims[k] : 1;
    }
    dims[flat ? 0 : axis] = kept;
    SAL_TRY(sal_tensor_new(e->out[0], x->dtype, flat ? 1 : x->rank, dims, e->err));
    size_t bytes = (size_t)inner * sal_dtype_size(x->dtype);
    char *to = e->out[0]->data;
    for (int64_t o = 0; o < outer && bytes > 0 && kept > 0; o++)
        for (int64_t i = 0; i < cond->dims[0]; i++) {
            if (sal_tensor_get(cond, i) == 0.0)
                continue;
            memcpy(to, (const char *)x->data + (size_t)(o * length + i) * bytes, bytes);
            to += bytes;
        }
done:
    return st;
}

/* Gather at the positions where the condition holds. */
static sal_status compress_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    static const int64_t first[] = {0}, all[] = {-1};
    bool flat = sal_node_attr(n, "axis") == NULL;
    sal_attr axis = SAL_AI("axis", flat ? 0 : sal_node_int(n, "axis", 0));
    sal_vid x = flat ? sal_b_reshape(b, n->in[0], 1, all, n->in[0]) : n->in[0];
    sal_vid at = sal_b_squeeze(b, sal_b1(b, "NonZero", n->in[1]), 1, first);
    out[0] = sal_b_op(b, "Gather", 2, (sal_vid[]){x, at}, 1, &axis);
    return b->st;
}

static const char *const compress_cases[] = {
    "f32[3,2] bool[3]{0,1,1} ; axis=0 ; nograd",          "f32[3,4] bool[2]{0,1} ; axis=1 ; nograd",
    "f32[3,2,2] bool[2]{1,0} ; axis=-2 ; nograd",         "f32[3,2] bool[5]{0,1,0,0,1} ; ; nograd",
    "i64[4]{5,6,7,8} bool[4]{0,0,0,0} ; axis=0 ; nograd", NULL,
};

const sal_op_desc sal_op_compress = {
    .name = "Compress",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_DATA_SHAPE | SAL_OP_MOVE,
    .since = 11,
    .infer = compress_infer,
    .eval = compress_eval,
    .expand = compress_expand,
    .cases = compress_cases,
};
