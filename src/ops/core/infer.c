/* Shape inference rules that many operators share, and arithmetic on small integer tensors whose
 * elements may be symbols (what a Shape -> Gather -> Mul -> Concat -> Reshape chain of an exporter
 * computes). */
#include "ops/infer.h"

const sal_value *sal_infer_in(const sal_infer *c, int i)
{
    sal_vid v = sal_node_in(c->node, i);
    return v == SAL_NONE ? NULL : sal_val(c->g, v);
}

sal_status sal_infer_out(sal_infer *c, int i, sal_dtype dtype, int rank, const int64_t *dims)
{
    sal_vid v = sal_node_out(c->node, i);
    if (v == SAL_NONE)
        return SAL_OK;
    if (rank > SAL_MAX_RANK)
        return sal_fail(c->err, SAL_ESHAPE,
                        "output %d would have %d dimensions, at most %d are possible", i, rank,
                        SAL_MAX_RANK);
    return sal_value_set_type(c->g, v, dtype, rank, dims, c->err);
}

sal_status sal_infer_out_like(sal_infer *c, int i, int j)
{
    const sal_value *x = sal_infer_in(c, j);
    if (x == NULL)
        return sal_fail(c->err, SAL_EINVAL, "input %d is missing", j);
    return sal_infer_out(c, i, x->dtype, x->rank, x->dims);
}

sal_status sal_infer_same(sal_infer *c)
{
    return sal_infer_out_like(c, 0, 0);
}

sal_status sal_infer_axis(const sal_infer *c, int64_t axis, int rank, int *out)
{
    if (axis < -rank || axis >= rank)
        return sal_fail(c->err, SAL_EINVAL,
                        "axis %lld is outside -%d..%d of an input with %d dimensions",
                        (long long)axis, rank, rank - 1, rank);
    *out = (int)(axis < 0 ? axis + rank : axis);
    return SAL_OK;
}

/* ---- contents of small integer tensors ---- */

static int64_t infer_const_int(const sal_tensor *t, int64_t i)
{
    switch (t->dtype) { /* 64-bit integers do not pass through double unharmed */
    case SAL_I64:
        return ((const int64_t *)t->data)[i];
    case SAL_I32:
        return ((const int32_t *)t->data)[i];
    default:
        return (int64_t)sal_tensor_get(t, i);
    }
}

sal_status sal_infer_ints(const sal_infer *c, int i, int64_t *buf, int cap, int *n, bool *symbolic)
{
    const sal_value *v = sal_infer_in(c, i);
    *n = -1;
    *symbolic = false;
    if (v == NULL)
        return SAL_OK;
    if (v->constant != NULL) {
        const sal_tensor *t = v->constant;
        int64_t count = sal_tensor_count(t);
        if (t->rank > 1)
            return sal_fail(c->err, SAL_ESHAPE,
                            "input %d must be a list of integers, it has %d dimensions", i,
                            (int)t->rank);
        if (sal_dtype_is_float(t->dtype))
            return sal_fail(c->err, SAL_EINVAL, "input %d must be integers, it is %s", i,
                            sal_dtype_name(t->dtype));
        if (count > cap)
            return SAL_OK;
        for (int64_t k = 0; k < count; k++)
            buf[k] = infer_const_int(t, k);
        *n = (int)count;
        return SAL_OK;
    }
    if (v->known == NULL || v->known_n > cap)
        return SAL_OK;
    for (int k = 0; k < v->known_n; k++) {
        buf[k] = v->known[k];
        if (buf[k] < 0 && !sal_known_is_number(buf[k]))
            *symbolic = true;
    }
    *n = v->known_n;
    if (!*symbolic)
        for (int k = 0; k < *n; k++)
            buf[k] = sal_known_decode(buf[k]);
    return SAL_OK;
}

sal_status sal_infer_known_in(const sal_infer *c, int i, int64_t *buf, int *n)
{
    bool symbolic;
    sal_status st;
    const sal_value *v = sal_infer_in(c, i);
    *n = -1;
    if (v == NULL || v->rank > 1 || sal_dtype_is_float(v->dtype))
        return SAL_OK;
    SAL_TRY(sal_infer_ints(c, i, buf, SAL_KNOWN_MAX, n, &symbolic));
    if (!symbolic)
        for (int k = 0; k < *n; k++)
            buf[k] = sal_known_encode(buf[k]);
done:
    return st;
}

sal_status sal_infer_known_out(sal_infer *c, int i, const int64_t *known, int n)
{
    sal_vid v = sal_node_out(c->node, i);
    if (v == SAL_NONE || n < 0 || n > SAL_KNOWN_MAX)
        return SAL_OK;
    return sal_value_set_known(c->g, v, known, n, c->err);
}

/* ---- broadcasting ---- */

/* One dimension. Unknown against 1 is the unknown; a symbol against a number > 1 must be 1 or that
 * number at run time, so the result is the number. */
static bool infer_broadcast_dim(sal_graph *g, int64_t a, int64_t b, int64_t *out)
{
    if (a == b || b == 1) {
        *out = a;
        return true;
    }
    if (a == 1) {
        *out = b;
        return true;
    }
    if (SAL_DIM_IS_SYMBOL(a) && SAL_DIM_IS_SYMBOL(b)) {
        *out = sal_dim_fresh(g);
        return true;
    }
    if (SAL_DIM_IS_SYMBOL(a) || SAL_DIM_IS_SYMBOL(b)) {
        *out = SAL_DIM_IS_SYMBOL(a) ? b : a;
        return true;
    }
    return false;
}

static void infer_dims_text(const sal_graph *g, int rank, const int64_t *dims, char *buf, size_t n)
{
    size_t len = 0;
    buf[0] = '\0';
    for (int i = 0; i < rank && len + 32 < n; i++) {
        char one[32];
        sal_dim_text(g, dims[i], one, sizeof one);
        if (i > 0)
            buf[len++] = ',';
        size_t k = strlen(one);
        memcpy(buf + len, one, k + 1);
        len += k;
    }
}

sal_status sal_infer_broadcast_dims(sal_graph *g, int ra, const int64_t *a, int rb,
                                    const int64_t *b, int *rank, int64_t *dims, sal_error *err)
{
    int r = SAL_MAX(ra, rb);
    int64_t res[SAL_MAX_RANK];
    for (int i = 0; i < r; i++) {
        int64_t da = i < r - ra ? 1 : a[i - (r - ra)];
        int64_t db = i < r - rb ? 1 : b[i - (r - rb)];
        if (!infer_broadcast_dim(g, da, db, &res[i])) {
            char ta[128], tb[128];
            infer_dims_text(g, ra, a, ta, sizeof ta);
            infer_dims_text(g, rb, b, tb, sizeof tb);
            return sal_fail(err, SAL_ESHAPE, "shapes [%s] and [%s] do not broadcast", ta, tb);
        }
    }
    memcpy(dims, res, (size_t)r * sizeof *res); /* dims may be a or b */
    *rank = r;
    return SAL_OK;
}

/* One element of integer arithmetic in the encoding of `known`. Anything without an exact answer
 * becomes an unknown of its own. */
static int64_t infer_known_arith(sal_graph *g, char op, int64_t a, int64_t b)
{
    bool na = a >= 0 || sal_known_is_number(a), nb = b >= 0 || sal_known_is_number(b);
    if (na && nb) {
        int64_t x = sal_known_decode(a), y = sal_known_decode(b);
        /* Beyond this it is no shape arithmetic, and may overflow. */
        const int64_t lim = INT64_C(1) << 31;
        if (x < -lim || x > lim || y < -lim || y > lim)
            return sal_dim_fresh(g);
        if ((op == '/' && y == 0) || (op == '%' && (y <= 0 || x < 0)))
            return sal_dim_fresh(g); /* no value, or one that depends on the kind of remainder */
        return sal_known_encode(op == '+'   ? x + y
                                : op == '-' ? x - y
                                : op == '*' ? x * y
                                : op == '%' ? x % y
                                            : x / y);
    }
    if ((na && a < 0) || (nb && b < 0))
        return sal_dim_fresh(g);
    switch (op) {
    case '+':
        return a == 0 ? b : b == 0 ? a : sal_dim_add(g, a, b);
    case '-':
        return b == 0 ? a : a == b ? 0 : sal_dim_fresh(g);
    case '*':
        return a == 0 || b == 0 ? 0 : sal_dim_mul(g, a, b);
    case '%':
        return b == 1 || (a < 0 && b > 0 && g->symbols[-1 - a].coeff % b == 0) ? 0
                                                                               : sal_dim_fresh(g);
    default:
        return b == 0 ? sal_dim_fresh(g) : sal_dim_div(g, a, b);
    }
}

static char infer_arith_op(const sal_node *n)
{
    static const struct {
        const char *name;
        char op;
    } ops[] = {{"Add", '+'}, {"Sub", '-'}, {"Mul", '*'}, {"Div", '/'}, {"Mod", '%'}};
    for (size_t i = 0; i < SAL_COUNTOF(ops); i++)
        if (strcmp(n->op->name, ops[i].name) == 0 && n->n_in == 2)
            return ops[i].op;
    return 0;
}

static sal_status infer_broadcast_known(sal_infer *c)
{
    int64_t a[SAL_KNOWN_MAX], b[SAL_KNOWN_MAX], r[SAL_KNOWN_MAX];
    int na, nb;
    sal_status st = SAL_OK;
    char op = infer_arith_op(c->node);
    if (op == 0)
        return SAL_OK;
    SAL_TRY(sal_infer_known_in(c, 0, a, &na));
    SAL_TRY(sal_infer_known_in(c, 1, b, &nb));
    if (na < 0 || nb < 0 || (na != nb && na != 1 && nb != 1))
        goto done;
    int n = na == 1 ? nb : na;
    for (int i = 0; i < n; i++)
        r[i] = infer_known_arith(c->g, op, a[na == 1 ? 0 : i], b[nb == 1 ? 0 : i]);
    SAL_TRY(sal_infer_known_out(c, 0, r, n));
done:
    return st;
}

static sal_status infer_broadcast_as(sal_infer *c, sal_dtype dtype)
{
    const sal_value *x = sal_infer_in(c, 0);
    sal_status st = SAL_OK;
    int rank = 0;
    int64_t dims[SAL_MAX_RANK];
    if (x == NULL)
        return sal_fail(c->err, SAL_EINVAL, "input 0 is missing");
    if (dtype == SAL_DT_NONE)
        dtype = x->dtype;
    for (int i = 0; i < c->node->n_in; i++) {
        const sal_value *y = sal_infer_in(c, i);
        if (y == NULL)
            continue;
        if (y->rank < 0)
            return sal_infer_out(c, 0, dtype, -1, NULL);
        SAL_TRY(sal_infer_broadcast_dims(c->g, rank, dims, y->rank, y->dims, &rank, dims, c->err));
    }
    SAL_TRY(sal_infer_out(c, 0, dtype, rank, dims));
    if (!sal_dtype_is_float(dtype) && dtype != SAL_BOOL)
        SAL_TRY(infer_broadcast_known(c));
done:
    return st;
}

sal_status sal_infer_broadcast(sal_infer *c)
{
    return infer_broadcast_as(c, SAL_DT_NONE);
}

sal_status sal_infer_broadcast_bool(sal_infer *c)
{
    return infer_broadcast_as(c, SAL_BOOL);
}
