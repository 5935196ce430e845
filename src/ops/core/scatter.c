/* Reductions, addressing and the derivative of the scatter operators. */
#include "ops/core/scatter.h"

sal_status sal_scatter_op_of(const sal_node *n, sal_scatter_op *op, sal_error *err)
{
    static const char *const names[] = {"none", "add", "mul", "min", "max"};
    const char *s = sal_node_str(n, "reduction", "none");
    for (size_t i = 0; i < SAL_COUNTOF(names); i++) {
        *op = (sal_scatter_op)i;
        if (strcmp(s, names[i]) == 0)
            return SAL_OK;
    }
    return sal_fail(err, SAL_EINVAL, "reduction '%s' is none of none, add, mul, min, max", s);
}

/* Integers narrower than int wrap: the sum is made in int and cut. Wide signed ones are added as
 * unsigned. */
#define SCATTER_LOOP(type, wide)                                                                   \
    do {                                                                                           \
        type *d = y;                                                                               \
        const type *s = u;                                                                         \
        for (int64_t i = 0; i < n; i++) {                                                          \
            switch (op) {                                                                          \
            case SAL_SCATTER_ADD:                                                                  \
                d[i] = (type)((wide)d[i] + (wide)s[i]);                                            \
                break;                                                                             \
            case SAL_SCATTER_MUL:                                                                  \
                d[i] = (type)((wide)d[i] * (wide)s[i]);                                            \
                break;                                                                             \
            case SAL_SCATTER_MIN:                                                                  \
                d[i] = s[i] < d[i] ? s[i] : d[i];                                                  \
                break;                                                                             \
            case SAL_SCATTER_MAX:                                                                  \
                d[i] = s[i] > d[i] ? s[i] : d[i];                                                  \
                break;                                                                             \
            default:                                                                               \
                d[i] = s[i];                                                                       \
                break;                                                                             \
            }                                                                                      \
        }                                                                                          \
    } while (0)

sal_status sal_scatter_apply(sal_scatter_op op, sal_dtype dtype, void *y, const void *u, int64_t n,
                             sal_error *err)
{
    if (op == SAL_SCATTER_NONE) {
        memcpy(y, u, (size_t)n * sal_dtype_size(dtype));
        return SAL_OK;
    }
    switch (dtype) {
    case SAL_F32:
        SCATTER_LOOP(float, float);
        return SAL_OK;
    case SAL_F64:
        SCATTER_LOOP(double, double);
        return SAL_OK;
    case SAL_I64:
        SCATTER_LOOP(int64_t, uint64_t);
        return SAL_OK;
    case SAL_I32:
        SCATTER_LOOP(int32_t, uint32_t);
        return SAL_OK;
    case SAL_I16:
        SCATTER_LOOP(int16_t, uint32_t);
        return SAL_OK;
    case SAL_I8:
        SCATTER_LOOP(int8_t, uint32_t);
        return SAL_OK;
    case SAL_U64:
        SCATTER_LOOP(uint64_t, uint64_t);
        return SAL_OK;
    case SAL_U32:
        SCATTER_LOOP(uint32_t, uint32_t);
        return SAL_OK;
    case SAL_U16:
        SCATTER_LOOP(uint16_t, uint32_t);
        return SAL_OK;
    case SAL_U8:
        SCATTER_LOOP(uint8_t, uint32_t);
        return SAL_OK;
    default:
        return sal_fail(err, SAL_EUNSUPPORTED, "a reduction of elements of type %s",
                        sal_dtype_name(dtype));
    }
}

sal_status sal_scatter_offset(int rank, const int64_t *dims, const sal_tensor *index, int64_t i,
                              const int64_t *at, int k, int64_t *out, sal_error *err)
{
    int64_t offset = 0, v;
    sal_status st = sal_move_index(index, i, dims[k], &v, err);
    for (int a = 0; a < rank; a++)
        offset = offset * dims[a] + (a == k ? v : at[a]);
    *out = offset;
    return st;
}

void sal_scatter_next(int rank, const int64_t *dims, int64_t *at)
{
    for (int k = rank - 1; k >= 0; k--) {
        if (++at[k] < dims[k])
            return;
        at[k] = 0;
    }
}

sal_status sal_scatter_tuple(const sal_tensor *x, int skip, const int64_t *at,
                             const sal_tensor *index, int64_t i, int64_t m, int64_t *out,
                             sal_error *err)
{
    int64_t offset = 0;
    sal_status st = SAL_OK;
    for (int k = 0; k < x->rank; k++) {
        int64_t v = k < skip ? at[k] : 0;
        if (k >= skip && k < skip + m)
            SAL_TRY(sal_move_index(index, i * m + k - skip, x->dims[k], &v, err));
        offset = offset * x->dims[k] + v;
    }
    *out = offset;
done:
    return st;
}

/* ---- derivative ----
 * y = scatter(x, u). With G = gather of the touched elements and S_op the scatter itself:
 *   none: dx = dy with the touched elements set to 0, du = G(dy)
 *   add:  dx = dy, du = G(dy)
 *   mul:  y = x * p, p = S_mul(1, u): dx = dy * p, du = G(dy * y) / u (u must not be 0)
 *   min, max: the gradient of a touched element goes to those that are equal to the result, in
 * equal shares: n = [x == y] + S_add(0, [u == G(y)]), dx = [x == y] dy / n, du = [u == G(y)] G(dy /
 * n) */

typedef struct scatter_nodes {
    sal_builder *b;
    const sal_node *n;
    const char *gather;
} scatter_nodes;

static sal_vid scatter_read(const scatter_nodes *s, sal_vid x)
{
    const sal_attr *axis = sal_node_attr(s->n, "axis");
    return sal_b_op(s->b, s->gather, 2, (sal_vid[]){x, s->n->in[1]}, axis != NULL, axis);
}

static sal_vid scatter_write(const scatter_nodes *s, sal_vid x, sal_vid u, const char *reduction)
{
    const sal_attr *axis = sal_node_attr(s->n, "axis");
    sal_attr a[2] = {SAL_AS("reduction", reduction)};
    if (axis != NULL)
        a[1] = *axis;
    return sal_b_op(s->b, s->n->op->name, 3, (sal_vid[]){x, s->n->in[1], u}, axis != NULL ? 2 : 1,
                    a);
}

static sal_vid scatter_equal(sal_builder *b, sal_vid x, sal_vid y)
{
    if (b->st != SAL_OK)
        return SAL_NONE;
    return sal_b_cast(b, sal_b2(b, "Equal", x, y), sal_val(b->g, x)->dtype);
}

static void scatter_vjp_extreme(const scatter_nodes *s, sal_vjp *v)
{
    sal_builder *b = s->b;
    sal_vid x = s->n->in[0], u = s->n->in[2], y = s->n->out[0];
    sal_vid ex = scatter_equal(b, x, y), eu = scatter_equal(b, u, scatter_read(s, y));
    sal_vid share = sal_b2(b, "Div", v->gout[0], scatter_write(s, ex, eu, "add"));
    if (v->need[0])
        v->gin[0] = sal_b2(b, "Mul", ex, share);
    if (v->need[2])
        v->gin[2] = sal_b2(b, "Mul", eu, scatter_read(s, share));
}

sal_status sal_scatter_vjp(sal_vjp *v, const char *gather)
{
    sal_builder *b = v->b;
    const sal_node *n = v->node;
    scatter_nodes s = {b, n, gather};
    sal_vid g = v->gout[0];
    sal_scatter_op op;
    sal_status st = sal_scatter_op_of(n, &op, b->err);
    if (st != SAL_OK)
        return st;
    switch (op) {
    case SAL_SCATTER_MIN:
    case SAL_SCATTER_MAX:
        scatter_vjp_extreme(&s, v);
        break;
    case SAL_SCATTER_MUL:
        if (v->need[0])
            v->gin[0] = sal_b2(b, "Mul", g,
                               scatter_write(&s, sal_b_ones_like(b, n->in[0]), n->in[2], "mul"));
        if (v->need[2])
            v->gin[2] =
                sal_b2(b, "Div", scatter_read(&s, sal_b2(b, "Mul", g, n->out[0])), n->in[2]);
        break;
    case SAL_SCATTER_ADD:
        v->gin[0] = v->need[0] ? g : SAL_NONE;
        v->gin[2] = v->need[2] ? scatter_read(&s, g) : SAL_NONE;
        break;
    default:
        if (v->need[0])
            v->gin[0] = scatter_write(&s, g, sal_b_zeros_like(b, n->in[2]), "none");
        if (v->need[2])
            v->gin[2] = scatter_read(&s, g);
        break;
    }
    return b->st;
}
