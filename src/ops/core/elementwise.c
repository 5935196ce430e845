/* The broadcasting loop behind element-wise operators. */
#include "ops/core/elementwise.h"

enum {
    EW_BLOCK = 256
}; /* elements converted at a time: the element type is looked at once a block */

typedef enum ew_class { EW_FLOAT, EW_SIGNED, EW_UNSIGNED } ew_class;

typedef union ew_scalar {
    double f;
    int64_t i;
    uint64_t u;
} ew_scalar;

static ew_class ew_class_of(sal_dtype t)
{
    if (sal_dtype_is_float(t))
        return EW_FLOAT;
    return t == SAL_U64 ? EW_UNSIGNED : EW_SIGNED;
}

/* One row: element type, C type. Floats of 16 bits were widened by the caller. */
#define EW_TYPES(X)                                                                                \
    X(SAL_F32, float)                                                                              \
    X(SAL_F64, double)                                                                             \
    X(SAL_U8, uint8_t)                                                                             \
    X(SAL_I8, int8_t)                                                                              \
    X(SAL_U16, uint16_t)                                                                           \
    X(SAL_I16, int16_t)                                                                            \
    X(SAL_U32, uint32_t)                                                                           \
    X(SAL_I32, int32_t)                                                                            \
    X(SAL_U64, uint64_t)                                                                           \
    X(SAL_I64, int64_t)

static void ew_load(const sal_tensor *t, ew_class cls, int64_t at, int64_t step, int64_t n,
                    ew_scalar *dst)
{
    if (t->dtype == SAL_BOOL) {
        const uint8_t *p = (const uint8_t *)t->data + at;
        for (int64_t k = 0; k < n; k++) {
            if (cls == EW_FLOAT)
                dst[k].f = p[k * step] != 0 ? 1.0 : 0.0;
            else
                dst[k].u = p[k * step] != 0;
        }
        return;
    }
    switch (t->dtype) {
#define X(id, type)                                                                                \
    case id: {                                                                                     \
        const type *p = (const type *)t->data + at;                                                \
        for (int64_t k = 0; k < n; k++) {                                                          \
            if (cls == EW_FLOAT)                                                                   \
                dst[k].f = (double)p[k * step];                                                    \
            else if (cls == EW_SIGNED)                                                             \
                dst[k].i = (int64_t)p[k * step];                                                   \
            else                                                                                   \
                dst[k].u = (uint64_t)p[k * step];                                                  \
        }                                                                                          \
        break;                                                                                     \
    }
        EW_TYPES(X)
#undef X
    default:
        break;
    }
}

/* Computed value to the element type of the output. Integers wrap around. */
static void ew_store(sal_tensor *t, ew_class cls, int64_t at, int64_t n, const ew_scalar *src)
{
    if (t->dtype == SAL_BOOL) {
        uint8_t *p = (uint8_t *)t->data + at;
        for (int64_t k = 0; k < n; k++)
            p[k] = cls == EW_FLOAT ? src[k].f != 0.0 : src[k].u != 0;
        return;
    }
    if (cls == EW_FLOAT) {
        for (int64_t k = 0; k < n; k++) {
            if (t->dtype == SAL_F64)
                ((double *)t->data)[at + k] = src[k].f;
            else
                ((float *)t->data)[at + k] = (float)src[k].f;
        }
        return;
    }
    switch (t->dtype) {
#define X(id, type)                                                                                \
    case id: {                                                                                     \
        type *p = (type *)t->data + at;                                                            \
        for (int64_t k = 0; k < n; k++)                                                            \
            p[k] = (type)src[k].u;                                                                 \
        break;                                                                                     \
    }
        EW_TYPES(X)
#undef X
    default:
        break;
    }
}

/* Types that the loop can read and write without reinterpreting anything. */
static sal_status ew_check(const sal_eval *e, int n, ew_class cls, const sal_ew *k)
{
    const sal_tensor *y = e->out[0];
    bool have = cls == EW_FLOAT ? k->f != NULL : cls == EW_SIGNED ? k->i != NULL : k->u != NULL;
    bool out_float = sal_dtype_is_float(y->dtype);
    for (int i = 0; i < n; i++) {
        const sal_tensor *x = e->in[i];
        if (x == NULL)
            return sal_fail(e->err, SAL_EINVAL, "input %d is missing", i);
        if (x->rank > y->rank)
            return sal_fail(e->err, SAL_ESHAPE, "input %d has more dimensions than the output", i);
        if (!have || (cls != EW_FLOAT && sal_dtype_is_float(x->dtype)))
            return sal_fail(e->err, SAL_EUNSUPPORTED, "not defined for input %d of %s", i,
                            sal_dtype_name(x->dtype));
    }
    if (y->dtype != SAL_BOOL && out_float != (cls == EW_FLOAT))
        return sal_fail(e->err, SAL_EUNSUPPORTED, "cannot give %s", sal_dtype_name(y->dtype));
    return SAL_OK;
}

typedef struct ew_loop {
    int n;    /* operands */
    int rank; /* of the output, at least 1 */
    int64_t dims[SAL_MAX_RANK];
    int64_t *stride;  /* [n][SAL_MAX_RANK], 0 along broadcast axes */
    int64_t *at;      /* [n] element at which each operand stands */
    ew_scalar *block; /* [n][EW_BLOCK] */
    ew_scalar *args;  /* [n] operands of one element */
} ew_loop;

static sal_status ew_loop_init(ew_loop *l, const sal_eval *e)
{
    const sal_tensor *y = e->out[0];
    bool same = true;
    for (int i = 0; i < l->n; i++)
        same = same && e->in[i]->rank == y->rank &&
               memcmp(e->in[i]->dims, y->dims, (size_t)y->rank * sizeof *y->dims) == 0;
    l->rank = same || y->rank == 0 ? 1 : y->rank;
    l->dims[0] = sal_tensor_count(y);
    for (int d = 0; d < l->rank && !same && y->rank > 0; d++)
        l->dims[d] = y->dims[d];
    for (int i = 0; i < l->n; i++) {
        const sal_tensor *x = e->in[i];
        int64_t *stride = l->stride + i * SAL_MAX_RANK, step = 1;
        if (same || y->rank == 0) {
            stride[0] = sal_tensor_count(x) > 1;
            continue;
        }
        for (int d = l->rank - 1, s = x->rank - 1; d >= 0; d--, s--) {
            int64_t len = s >= 0 ? x->dims[s] : 1;
            if (len != 1 && len != l->dims[d])
                return sal_fail(e->err, SAL_ESHAPE,
                                "axis %d of input %d has length %lld, the output %lld", s, i,
                                (long long)len, (long long)l->dims[d]);
            stride[d] = len == 1 ? 0 : step;
            step *= len;
        }
    }
    return SAL_OK;
}

/* Along the last axis, in blocks. `out` is the output element at which the row begins. */
static void ew_row(const ew_loop *l, const sal_eval *e, ew_class cls, const sal_ew *k,
                   const void *ctx, int64_t out)
{
    int64_t len = l->dims[l->rank - 1];
    ew_scalar res[EW_BLOCK];
    for (int64_t from = 0; from < len; from += EW_BLOCK) {
        int64_t m = SAL_MIN(len - from, (int64_t)EW_BLOCK);
        for (int i = 0; i < l->n; i++) {
            int64_t step = l->stride[i * SAL_MAX_RANK + l->rank - 1];
            ew_load(e->in[i], cls, l->at[i] + from * step, step, m, l->block + i * EW_BLOCK);
        }
        for (int64_t j = 0; j < m; j++) {
            for (int i = 0; i < l->n; i++)
                l->args[i] = l->block[i * EW_BLOCK + j];
            if (cls == EW_FLOAT)
                res[j].f = k->f(&l->args->f, l->n, ctx);
            else if (cls == EW_SIGNED)
                res[j].i = k->i(&l->args->i, l->n, ctx);
            else
                res[j].u = k->u(&l->args->u, l->n, ctx);
        }
        ew_store(e->out[0], cls, out + from, m, res);
    }
}

sal_status sal_ew_eval(const sal_eval *e, int n, const sal_ew *k, const void *ctx)
{
    ew_loop l = {.n = n};
    int64_t index[SAL_MAX_RANK] = {0};
    sal_status st;
    if (n < 1 || e->in[n - 1] == NULL)
        return sal_fail(e->err, SAL_EINVAL, "input %d is missing", n - 1);
    ew_class cls = ew_class_of(e->in[n - 1]->dtype);
    SAL_TRY(ew_check(e, n, cls, k));
    l.stride = sal_calloc((size_t)n * SAL_MAX_RANK, sizeof *l.stride);
    l.at = sal_calloc((size_t)n, sizeof *l.at);
    l.block = sal_calloc((size_t)n * EW_BLOCK, sizeof *l.block);
    l.args = sal_calloc((size_t)n, sizeof *l.args);
    if (l.stride == NULL || l.at == NULL || l.block == NULL || l.args == NULL) {
        st = sal_fail_nomem(e->err);
        goto done;
    }
    SAL_TRY(ew_loop_init(&l, e));
    int64_t total = sal_tensor_count(e->out[0]);
    for (int64_t out = 0; out < total; out += l.dims[l.rank - 1]) {
        ew_row(&l, e, cls, k, ctx, out);
        for (int d = l.rank - 2; d >= 0; d--) { /* the next row: an odometer over the outer axes */
            index[d]++;
            for (int i = 0; i < n; i++)
                l.at[i] += l.stride[i * SAL_MAX_RANK + d];
            if (index[d] < l.dims[d])
                break;
            for (int i = 0; i < n; i++)
                l.at[i] -= l.stride[i * SAL_MAX_RANK + d] * index[d];
            index[d] = 0;
        }
    }
done:
    sal_free(l.args);
    sal_free(l.block);
    sal_free(l.at);
    sal_free(l.stride);
    return st;
}

/* ---- integers ---- */

int64_t sal_ew_wrap(uint64_t v)
{
    int64_t r;
    memcpy(&r, &v, sizeof r);
    return r;
}

int64_t sal_ew_div(int64_t a, int64_t b)
{
    if (b == 0)
        return 0;
    return b == -1 ? sal_ew_wrap(0 - (uint64_t)a) : a / b;
}

int64_t sal_ew_ipow(int64_t a, int64_t b)
{
    if (b < 0) /* truncated towards zero: only 1 and -1 leave anything */
        return a == 1 ? 1 : a == -1 ? (b % 2 == 0 ? 1 : -1) : 0;
    uint64_t r = 1, base = (uint64_t)a;
    for (; b > 0; b >>= 1, base *= base)
        if (b & 1)
            r *= base;
    return sal_ew_wrap(r);
}

/* ---- inference ---- */

static sal_status ew_want_float(const sal_infer *c)
{
    for (int i = 0; i < c->node->n_in; i++) {
        const sal_value *x = sal_infer_in(c, i);
        if (x != NULL && x->dtype != SAL_DT_NONE && !sal_dtype_is_float(x->dtype))
            return sal_fail(c->err, SAL_EINVAL, "input %d must be a float, it is %s", i,
                            sal_dtype_name(x->dtype));
    }
    return SAL_OK;
}

sal_status sal_infer_float(sal_infer *c)
{
    sal_status st = ew_want_float(c);
    return st == SAL_OK ? sal_infer_same(c) : st;
}

sal_status sal_infer_arith(sal_infer *c)
{
    for (int i = 1; i < c->node->n_in; i++) {
        sal_status st = sal_infer_same_dtype(c, 0, i);
        if (st != SAL_OK)
            return st;
    }
    return sal_infer_broadcast(c);
}

sal_status sal_infer_broadcast_float(sal_infer *c)
{
    sal_status st = ew_want_float(c);
    return st == SAL_OK ? sal_infer_arith(c) : st;
}

sal_status sal_infer_integers(sal_infer *c)
{
    for (int i = 0; i < c->node->n_in; i++) {
        const sal_value *x = sal_infer_in(c, i);
        if (x != NULL && (sal_dtype_is_float(x->dtype) || x->dtype == SAL_BOOL))
            return sal_fail(c->err, SAL_EINVAL, "input %d must be an integer, it is %s", i,
                            sal_dtype_name(x->dtype));
    }
    return c->node->n_in == 1 ? sal_infer_same(c) : sal_infer_arith(c);
}

sal_status sal_infer_logic(sal_infer *c)
{
    for (int i = 0; i < c->node->n_in; i++) {
        const sal_value *x = sal_infer_in(c, i);
        if (x != NULL && x->dtype != SAL_DT_NONE && x->dtype != SAL_BOOL)
            return sal_fail(c->err, SAL_EINVAL, "input %d must be bool, it is %s", i,
                            sal_dtype_name(x->dtype));
    }
    return sal_infer_broadcast_bool(c);
}

sal_status sal_infer_same_dtype(const sal_infer *c, int i, int j)
{
    const sal_value *a = sal_infer_in(c, i), *b = sal_infer_in(c, j);
    if (a == NULL || b == NULL || a->dtype == SAL_DT_NONE || b->dtype == SAL_DT_NONE ||
        a->dtype == b->dtype)
        return SAL_OK;
    return sal_fail(c->err, SAL_EINVAL, "input %d is %s but input %d is %s; insert a Cast", i,
                    sal_dtype_name(a->dtype), j, sal_dtype_name(b->dtype));
}

/* -1 undecided, 0 false, 1 true. A symbol is a length, so it is more than any negative number and
 * equals itself. */
static int ew_compare_known(char op, int64_t a, int64_t b)
{
    bool na = a >= 0 || sal_known_is_number(a), nb = b >= 0 || sal_known_is_number(b);
    int order; /* sign of a - b */
    if (na && nb) {
        int64_t x = sal_known_decode(a), y = sal_known_decode(b);
        order = (x > y) - (x < y);
    } else if (a == b) {
        order = 0;
    } else if (na && sal_known_decode(a) < 0) {
        order = -1;
    } else if (nb && sal_known_decode(b) < 0) {
        order = 1;
    } else {
        return -1;
    }
    switch (op) {
    case '=':
        return order == 0;
    case '<':
        return order < 0;
    case '>':
        return order > 0;
    case 'l':
        return order <= 0;
    default:
        return order >= 0;
    }
}

sal_status sal_infer_compare(sal_infer *c, char op)
{
    int64_t a[SAL_KNOWN_MAX], b[SAL_KNOWN_MAX], r[SAL_KNOWN_MAX];
    int na, nb;
    sal_status st;
    SAL_TRY(sal_infer_same_dtype(c, 0, 1));
    SAL_TRY(sal_infer_broadcast_bool(c));
    SAL_TRY(sal_infer_known_in(c, 0, a, &na));
    SAL_TRY(sal_infer_known_in(c, 1, b, &nb));
    if (na < 0 || nb < 0 || (na != nb && na != 1 && nb != 1))
        goto done;
    int n = na == 1 ? nb : na;
    for (int i = 0; i < n; i++) {
        int t = ew_compare_known(op, a[na == 1 ? 0 : i], b[nb == 1 ? 0 : i]);
        if (t < 0)
            goto done;
        r[i] = t;
    }
    SAL_TRY(sal_infer_known_out(c, 0, r, n));
done:
    return st;
}

/* ---- building ---- */

sal_vid sal_b_mulc(sal_builder *b, sal_vid x, double c)
{
    return sal_b2(b, "Mul", x, sal_b_like(b, x, c));
}

sal_vid sal_b_addc(sal_builder *b, sal_vid x, double c)
{
    return sal_b2(b, "Add", x, sal_b_like(b, x, c));
}

sal_vid sal_b_mask(sal_builder *b, sal_vid cond, sal_vid g)
{
    return sal_b3(b, "Where", cond, g, sal_b_like(b, g, 0.0));
}

sal_vid sal_b1_int(sal_builder *b, const char *op, sal_vid x, const char *attr, int64_t v)
{
    sal_attr a = SAL_AI(attr, v);
    return sal_b_op(b, op, 1, &x, 1, &a);
}

sal_vid sal_b_sum_all(sal_builder *b, int n, const sal_vid *in)
{
    sal_vid sum = in[0];
    for (int i = 1; i < n; i++)
        sum = sal_b2(b, "Add", sum, in[i]);
    return sum;
}

/* With m_i = [x_i = y]: gradient of x_i is m_i g / sum_j m_j. Where y is NaN no m_i holds and
 * nothing is passed. */
sal_status sal_vjp_shared(sal_vjp *v)
{
    sal_builder *b = v->b;
    const sal_node *n = v->node;
    sal_vid y = n->out[0], count = SAL_NONE;
    if (n->n_in == 1) {
        if (v->need[0])
            v->gin[0] = v->gout[0];
        return b->st;
    }
    for (int i = 0; i < n->n_in && b->st == SAL_OK; i++) {
        sal_vid m = sal_b2(b, "Equal", n->in[i], y);
        count = sal_b_add_opt(b, count, sal_b_cast(b, m, sal_val(b->g, y)->dtype));
    }
    sal_vid share = sal_b2(b, "Div", v->gout[0], count);
    for (int i = 0; i < n->n_in && b->st == SAL_OK; i++)
        if (v->need[i])
            v->gin[i] =
                sal_b_sum_to(b, sal_b_mask(b, sal_b2(b, "Equal", n->in[i], y), share), n->in[i]);
    return b->st;
}
