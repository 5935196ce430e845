/* Cast: change of the element type. Floats to integers truncate; a float's gradient is cast back.
 */
#include "ops/core/elementwise.h"

static sal_status cast_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    int64_t known[SAL_KNOWN_MAX];
    int n;
    sal_status st;
    int64_t to = sal_node_int(c->node, "to", 0);
    if (x == NULL)
        return sal_fail(c->err, SAL_EINVAL, "input 0 is missing");
    if (to < 0 || to > 64 || sal_dtype_size((sal_dtype)to) == 0)
        return sal_fail(c->err, SAL_EUNSUPPORTED, "to = %lld is no supported element type",
                        (long long)to);
    SAL_TRY(sal_infer_out(c, 0, (sal_dtype)to, x->rank, x->dims));
    if (to == SAL_I64 || to == SAL_I32) {
        SAL_TRY(sal_infer_known_in(c, 0, known, &n));
        SAL_TRY(sal_infer_known_out(c, 0, known, n));
    }
done:
    return st;
}

static sal_status cast_eval(const sal_eval *e)
{
    sal_tensor y = SAL_TENSOR_INIT;
    sal_status st;
    SAL_TRY(sal_tensor_cast(&y, e->in[0], e->out[0]->dtype, e->err));
    if (sal_tensor_bytes(&y) > 0)
        memcpy(e->out[0]->data, y.data, sal_tensor_bytes(&y));
done:
    sal_tensor_free(&y);
    return st;
}

static sal_status cast_vjp(sal_vjp *v)
{
    sal_builder *b = v->b;
    const sal_node *n = v->node;
    sal_vid g = v->gout[0];
    sal_dtype from = sal_val(b->g, n->in[0])->dtype, to = sal_val(b->g, n->out[0])->dtype;
    if (v->need[0] && sal_dtype_is_float(from) && sal_dtype_is_float(to))
        v->gin[0] = sal_b_cast(b, g, from);
    return b->st;
}

static const char *const cast_cases[] = {
    "f32[2,3,5] ; to=11",
    "f32[4]{-1.7,0.2,1.5,2.9} ; to=7",
    "i64[3]{0,1,-2} ; to=1",
    "f32[3]{0,0.5,-1} ; to=9",
    "bool[4] ; to=1",
    "i64[3]{1,2,300} ; to=2",
    NULL,
};

const sal_op_desc sal_op_cast = {
    .name = "Cast",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_ELEMENTWISE,
    .since = 9,
    .infer = cast_infer,
    .eval = cast_eval,
    .vjp = cast_vjp,
    .cases = cast_cases,
};
