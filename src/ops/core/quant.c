/* What the operators of quantised models share (quant.h). */
#include "ops/core/quant.h"

static const struct {
    sal_dtype dtype;
    double lo, hi;
} quant_types[] = {
    {SAL_U8, 0.0, 255.0},
    {SAL_I8, -128.0, 127.0},
    {SAL_U16, 0.0, 65535.0},
    {SAL_I16, -32768.0, 32767.0},
    {SAL_I32, -2147483648.0, 2147483647.0},
};

bool sal_quant_range(sal_dtype t, double *lo, double *hi)
{
    for (size_t i = 0; i < SAL_COUNTOF(quant_types); i++) {
        if (quant_types[i].dtype == t) {
            *lo = quant_types[i].lo;
            *hi = quant_types[i].hi;
            return true;
        }
    }
    return false;
}

/* Lengths that are not known agree with anything. */
static bool quant_agree(int64_t a, int64_t b)
{
    return a < 0 || b < 0 || a == b;
}

/* Which way scales are meant. rank < 0 was excluded by the callers. */
static sal_status quant_layout(const sal_node *n, int rank, const int64_t *dims, int scale_rank,
                               const int64_t *scale_dims, int *axis, bool *single, bool *blocked,
                               sal_error *err)
{
    int64_t block = sal_node_int(n, "block_size", 0), at = sal_node_int(n, "axis", 1);
    bool one = true;
    for (int i = 0; i < scale_rank; i++)
        one = one && scale_dims[i] == 1;
    *single = one && (scale_rank == 0 || block == 0);
    *blocked = block > 0 && !*single;
    *axis = 0;
    if (block < 0)
        return sal_fail(err, SAL_EINVAL, "block_size is %lld", (long long)block);
    if (*single)
        return SAL_OK;
    if (at < -rank || at >= rank)
        return sal_fail(err, SAL_EINVAL, "axis %lld is outside an input of rank %d", (long long)at,
                        rank);
    *axis = (int)(at < 0 ? at + rank : at);
    if (!*blocked && (scale_rank != 1 || !quant_agree(scale_dims[0], dims[*axis])))
        return sal_fail(err, SAL_ESHAPE,
                        "the scales must be one number or one for each of the %lld slices of axis "
                        "%d; they have rank %d and length %lld",
                        (long long)dims[*axis], *axis, scale_rank,
                        (long long)(scale_rank > 0 ? scale_dims[0] : 1));
    bool fits = !*blocked || scale_rank == rank;
    for (int i = 0; i < rank && *blocked && fits; i++) {
        int64_t want = dims[i];
        if (i == *axis && want >= 0)
            want = want / block + (want % block != 0);
        fits = quant_agree(want, scale_dims[i]);
    }
    if (!fits)
        return sal_fail(err, SAL_ESHAPE,
                        "the scales do not fit blocks of %lld elements along axis %d",
                        (long long)block, *axis);
    return SAL_OK;
}

sal_status sal_quant_of(sal_quant *q, const sal_node *n, const sal_tensor *x,
                        const sal_tensor *scale, const sal_tensor *zero, sal_error *err)
{
    int axis;
    bool single, blocked;
    sal_status st =
        quant_layout(n, x->rank, x->dims, scale->rank, scale->dims, &axis, &single, &blocked, err);
    if (st != SAL_OK)
        return st;
    if (zero != NULL && sal_tensor_count(zero) != sal_tensor_count(scale))
        return sal_fail(err, SAL_ESHAPE, "%lld zero points for %lld scales",
                        (long long)sal_tensor_count(zero), (long long)sal_tensor_count(scale));
    *q = (sal_quant){.scale = scale, .zero = zero, .outer = 1, .len = 1, .inner = 1};
    if (single) {
        q->len = sal_tensor_count(x);
        return SAL_OK;
    }
    for (int i = 0; i < axis; i++)
        q->outer *= x->dims[i];
    for (int i = axis + 1; i < x->rank; i++)
        q->inner *= x->dims[i];
    q->len = x->dims[axis];
    q->blocked = blocked;
    q->block = blocked ? sal_node_int(n, "block_size", 1) : 1;
    q->blocks = blocked ? scale->dims[axis] : q->len;
    return SAL_OK;
}

sal_status sal_quant_check(const sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0), *s = sal_infer_in(c, 1), *z = sal_infer_in(c, 2);
    int axis;
    bool single, blocked;
    if (s->dtype != SAL_DT_NONE && !sal_dtype_is_float(s->dtype))
        return sal_fail(c->err, SAL_EINVAL, "the scale is %s; it must be a float",
                        sal_dtype_name(s->dtype));
    if (z != NULL && z->rank >= 0 && s->rank >= 0) {
        int64_t nz = sal_value_count(z), ns = sal_value_count(s);
        if (nz >= 0 && ns >= 0 && nz != ns)
            return sal_fail(c->err, SAL_ESHAPE, "%lld zero points for %lld scales", (long long)nz,
                            (long long)ns);
    }
    if (x->rank < 0 || s->rank < 0)
        return SAL_OK;
    return quant_layout(c->node, x->rank, x->dims, s->rank, s->dims, &axis, &single, &blocked,
                        c->err);
}

/* ---- building ---- */

/* Scales or zero points for broadcasting against a value of this rank. */
static sal_vid quant_broadcast(sal_builder *b, sal_vid v, int rank, int64_t axis)
{
    int64_t dims[SAL_MAX_RANK];
    if (b->st != SAL_OK)
        return SAL_NONE;
    const sal_value *s = sal_val(b->g, v);
    if (s->rank == 0)
        return v;
    if (s->rank == 1 && s->dims[0] == 1)
        return sal_b_reshape(b, v, 0, NULL, v);
    int n = 0;
    dims[n++] = s->dims[0];
    for (int64_t i = axis + 1; i < rank; i++)
        dims[n++] = 1;
    return sal_b_reshape(b, v, n, dims, v);
}

sal_vid sal_quant_fake(sal_builder *b, sal_vid x, sal_vid scale, sal_vid zero, int64_t axis,
                       sal_dtype to)
{
    double lo = 0.0, hi = 0.0;
    if (b->st != SAL_OK)
        return SAL_NONE;
    const sal_value *xv = sal_val(b->g, x);
    sal_dtype real = xv->dtype;
    if (!sal_quant_range(to, &lo, &hi) || xv->rank < 0) {
        b->st = sal_fail(b->err, SAL_EUNSUPPORTED, "quantising a value of unknown rank, or to %s",
                         sal_dtype_name(to));
        return SAL_NONE;
    }
    int rank = xv->rank;
    axis = axis < 0 ? axis + rank : axis;
    scale = sal_b_cast(b, quant_broadcast(b, scale, rank, axis), real);
    zero = zero == SAL_NONE ? sal_b_scalar(b, real, 0.0)
                            : sal_b_cast(b, quant_broadcast(b, zero, rank, axis), real);
    sal_attr range[] = {SAL_AI("lo", (int64_t)lo), SAL_AI("hi", (int64_t)hi)};
    return sal_b_op(b, "FakeQuantize", 3, (sal_vid[]){x, scale, zero}, 2, range);
}

sal_vid sal_quant_codes(sal_builder *b, sal_vid x, sal_vid scale, sal_vid zero, int64_t axis)
{
    sal_attr a = SAL_AI("axis", axis);
    return sal_b_op(b, "QuantizeLinear", 3, (sal_vid[]){x, scale, zero}, 1, &a);
}

sal_vid sal_quant_real(sal_builder *b, sal_vid codes, sal_vid scale, sal_vid zero, int64_t axis)
{
    sal_attr a = SAL_AI("axis", axis);
    return sal_b_op(b, "DequantizeLinear", 3, (sal_vid[]){codes, scale, zero}, 1, &a);
}
