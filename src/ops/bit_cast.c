/* BitCast: the same bits read as another element type of the same width. */
#include "ops/core/move.h"

static sal_status bit_cast_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    int64_t to = sal_node_int(c->node, "to", 0);
    if (to < 0 || to > 64 || sal_dtype_size((sal_dtype)to) == 0)
        return sal_fail(c->err, SAL_EUNSUPPORTED, "to = %lld is no supported element type",
                        (long long)to);
    if (x->dtype == SAL_F16 || x->dtype == SAL_BF16 || to == SAL_F16 || to == SAL_BF16)
        return sal_fail(c->err, SAL_EUNSUPPORTED,
                        "the bits of 16-bit floats: they are computed as float32");
    if (x->dtype != SAL_DT_NONE && sal_dtype_size(x->dtype) != sal_dtype_size((sal_dtype)to))
        return sal_fail(c->err, SAL_EINVAL, "%s has not the width of %s", sal_dtype_name(x->dtype),
                        sal_dtype_name((sal_dtype)to));
    return sal_infer_out(c, 0, (sal_dtype)to, x->rank, x->dims);
}

static sal_status bit_cast_eval(const sal_eval *e)
{
    const sal_tensor *x = e->in[0];
    sal_tensor *y = e->out[0];
    int64_t n = sal_tensor_count(x);
    if (n > 0)
        memcpy(y->data, x->data, sal_tensor_bytes(x));
    if (y->dtype == SAL_BOOL) /* a bool is 0 or 1 */
        for (int64_t i = 0; i < n; i++)
            ((uint8_t *)y->data)[i] = ((uint8_t *)y->data)[i] != 0;
    return SAL_OK;
}

static const char *const bit_cast_cases[] = {
    "i32[3]{0,1065353216,-1082130432} ; to=1",
    "i64[2]{-1,9007199254740993} ; to=13",
    "u8[2,2]{0,255,128,1} ; to=3",
    "bool[3]{1,0,1} ; to=2",
    NULL,
};

const sal_op_desc sal_op_bit_cast = {
    .name = "BitCast",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_NOGRAD,
    .since = 26,
    .infer = bit_cast_infer,
    .eval = bit_cast_eval,
    .cases = bit_cast_cases,
};
